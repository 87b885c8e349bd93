//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The number of an EIEIO command, 0...16383. Any of them is a value.
public struct EIEIOCommandID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    /// nil when it needs more than 14 bits.
    public init?(rawValue: UInt16) {
        guard rawValue < 0x4000 else { return nil }
        self.rawValue = rawValue
    }

    init(_ word: UInt16) { self.rawValue = word & 0x3FFF }

    public static let database = EIEIOCommandID(1)
    public static let eventPadding = EIEIOCommandID(2)
    public static let eventStop = EIEIOCommandID(3)
    public static let stopSendingRequests = EIEIOCommandID(4)
    public static let startSendingRequests = EIEIOCommandID(5)
    public static let requestBuffers = EIEIOCommandID(6)
    public static let sequencedData = EIEIOCommandID(7)
    public static let requestReadData = EIEIOCommandID(8)
    public static let dataRead = EIEIOCommandID(9)
    public static let stopPause = EIEIOCommandID(10)
    public static let startResume = EIEIOCommandID(11)
    public static let dataReadAck = EIEIOCommandID(12)
}

/// An EIEIO command: a little-endian word, 0x4000 | id, and a body. Source: SpiNNMan `messages/eieio/command_messages`,
/// vectors `eieio.cmd.*`.
///
/// | Id | Command | From, to | Body |
/// |---|---|---|---|
/// | 1 | database | toolchain ↔ visualiser | UTF-8 path, or nothing: an acknowledgement, or "there is none" |
/// | 2 | event padding | host → board | – |
/// | 3 | event stop | host → board | – |
/// | 4, 5 | stop, start sending requests | host → board | – |
/// | 6 | request buffers | board → host | ``RequestBuffers`` |
/// | 7 | sequenced data | host → board | ``SequencedData`` |
/// | 8 | request read data | board → host | ``RequestReadData`` |
/// | 9 | data read | host → board | ``DataRead`` |
/// | 10, 11 | stop or pause, start or resume | toolchain → visualiser | – |
/// | 12 | data read, acknowledged | host → board | u8 sequence |
///
/// Bytes behind a body of fixed length are not looked at. SpiNNMan refuses a path, parses the message inside of 7 two
/// bytes too early, and writes 8 wrongly (x before y, one address for all); this follows its decoder of 8 and its encoder
/// of 7, which are what the boards speak.
public enum EIEIOCommand: Hashable, Sendable {
    case database(path: String?)
    case eventPadding
    case eventStop
    case stopSendingRequests
    case startSendingRequests
    case requestBuffers(RequestBuffers)
    case sequencedData(SequencedData)
    case requestReadData(RequestReadData)
    case dataRead(DataRead)
    case stopPause
    case startResume
    case dataReadAck(sequence: UInt8)
    /// Any other number, with its bytes.
    case other(EIEIOCommandID, body: ByteBuffer)

    public var id: EIEIOCommandID {
        switch self {
        case .database: .database
        case .eventPadding: .eventPadding
        case .eventStop: .eventStop
        case .stopSendingRequests: .stopSendingRequests
        case .startSendingRequests: .startSendingRequests
        case .requestBuffers: .requestBuffers
        case .sequencedData: .sequencedData
        case .requestReadData: .requestReadData
        case .dataRead: .dataRead
        case .stopPause: .stopPause
        case .startResume: .startResume
        case .dataReadAck: .dataReadAck
        case .other(let id, _): id
        }
    }

    public init(datagram: ByteBuffer) throws(WireError) {
        var buffer = datagram
        let word: UInt16 = try buffer.take(of: "EIEIO command")
        guard EIEIOMessage.isCommand(word) else {
            throw .invalid(message: "EIEIO command", field: "flags", value: UInt64(word >> 8))
        }
        let id = EIEIOCommandID(word)
        switch id {
        case .database:
            guard buffer.readableBytes > 0 else {
                self = .database(path: nil)
                return
            }
            guard let path = String(validating: buffer.readableBytesView, as: UTF8.self) else {
                throw .badText(message: "EIEIO database command", field: "path")
            }
            self = .database(path: path)
        case .eventPadding: self = .eventPadding
        case .eventStop: self = .eventStop
        case .stopSendingRequests: self = .stopSendingRequests
        case .startSendingRequests: self = .startSendingRequests
        case .requestBuffers: self = .requestBuffers(try RequestBuffers(body: &buffer))
        case .sequencedData: self = .sequencedData(try SequencedData(body: &buffer))
        case .requestReadData: self = .requestReadData(try RequestReadData(body: &buffer))
        case .dataRead: self = .dataRead(try DataRead(body: &buffer))
        case .stopPause: self = .stopPause
        case .startResume: self = .startResume
        case .dataReadAck: self = .dataReadAck(sequence: try buffer.take(of: "EIEIO data read acknowledgement"))
        default: self = .other(id, body: buffer)
        }
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(0x4000 | self.id.rawValue)
        switch self {
        case .eventPadding, .eventStop, .stopSendingRequests, .startSendingRequests, .stopPause, .startResume: break
        case .database(let path): if let path { buffer.writeString(path) }
        case .requestBuffers(let request): request.write(body: &buffer)
        case .sequencedData(let data): data.write(body: &buffer)
        case .requestReadData(let request): request.write(body: &buffer)
        case .dataRead(let read): read.write(body: &buffer)
        case .dataReadAck(let sequence): buffer.put(sequence)
        case .other(_, let body): buffer.writeImmutableBuffer(body)
        }
    }
}
