//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A message of the notification protocol: the toolchain tells a visualiser that the database of a simulation is
/// written, and when the simulation starts and stops. EIEIO commands, raw in UDP: no SDP header, no padding.
///
/// | Word | From | Message |
/// |---|---|---|
/// | 0x4001, path | toolchain | the database is at this path |
/// | 0x4001 | toolchain | there is no database |
/// | 0x4001 | visualiser | the database has been read (``acknowledgement``) |
/// | 0x400B | toolchain | started or resumed |
/// | 0x400A | toolchain | stopped or paused |
///
/// The acknowledgement goes to the address that the notification came from. Each part of a run repeats the whole
/// sequence, with the same path. Source: SpiNNFrontEndCommon `NotificationProtocol`, vector `notify.handshake`.
public enum NotificationMessage: Hashable, Sendable {
    /// nil: none is written.
    case database(path: String?)
    case startResume
    case stopPause

    /// Where a visualiser listens unless told otherwise.
    public static let port = 19999
    /// How long the toolchain waits for all acknowledgements before it gives up the run.
    public static let acknowledgementWait: Duration = .seconds(10)
    /// The longest path that the toolchain sends, in characters.
    public static let maximumPathLength = 50000
    /// What a visualiser answers when it has read the database. On the wire it is "there is no database".
    public static let acknowledgement = NotificationMessage.database(path: nil)

    /// - Throws: ``WireError/invalid(message:field:value:)`` for any other message; ``WireError/badText(message:field:)``
    ///   for a path that is not UTF-8.
    public init(datagram: ByteBuffer) throws(WireError) {
        switch try EIEIOMessage(datagram: datagram) {
        case .command(.database(let path)): self = .database(path: path)
        case .command(.startResume): self = .startResume
        case .command(.stopPause): self = .stopPause
        case .command(let other):
            throw .invalid(message: "notification", field: "command", value: UInt64(other.id.rawValue))
        case .data(let data):
            throw .invalid(message: "notification", field: "flags", value: UInt64(data.header.flags))
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        self.command.write(into: &buffer)
    }

    public var command: EIEIOCommand {
        switch self {
        case .database(let path): .database(path: path)
        case .startResume: .startResume
        case .stopPause: .stopPause
        }
    }
}
