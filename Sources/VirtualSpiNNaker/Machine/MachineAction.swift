//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// One thing of a machine that has an address of its own.
public enum MachineEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// The Ethernet chip of a board, by the board's number.
    case board(Int)
    /// The BMP that speaks for a frame, by the frame's number.
    case bmp(frame: Int)

    public var description: String {
        switch self {
        case .board(let number): "board \(number)"
        case .bmp(let frame): "BMP of frame \(frame)"
        }
    }
}

/// A datagram on its way out of the machine.
public struct OutgoingDatagram: Hashable, Sendable {
    public var endpoint: MachineEndpoint
    /// The UDP port it is sent from: 17893, 54321 or that of a reverse tag.
    public var sourcePort: UInt16
    public var destination: HostAddress
    public var bytes: ByteBuffer

    @inlinable
    public init(endpoint: MachineEndpoint, sourcePort: UInt16, destination: HostAddress, bytes: ByteBuffer) {
        self.endpoint = endpoint
        self.sourcePort = sourcePort
        self.destination = destination
        self.bytes = bytes
    }
}

/// What a machine wants done by whoever owns its sockets.
public enum MachineAction: Hashable, Sendable {
    case send(OutgoingDatagram)
    /// A reverse tag listens on this port of the board from now on.
    case openPort(board: Int, port: UInt16)
    case closePort(board: Int, port: UInt16)
}
