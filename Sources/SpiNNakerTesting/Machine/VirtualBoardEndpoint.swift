//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// One port of one board (or BMP) as the end of a ``LossyPair``.
public final class VirtualBoardEndpoint: DatagramEndpoint {
    public let machine: VirtualMachine
    public let endpoint: MachineEndpoint
    public let port: UInt16
    public let host: HostAddress

    public init(
        _ machine: VirtualMachine, endpoint: MachineEndpoint = .board(0), port: UInt16 = UInt16(SCP.port),
        host: HostAddress = HostAddress(ip: .loopback, port: 50000)
    ) {
        self.machine = machine
        self.endpoint = endpoint
        self.port = port
        self.host = host
    }

    public var nextDeadline: NIODeadline? { self.machine.nextDeadline }

    public func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void) {
        self.machine.receive(datagram, at: self.endpoint, port: self.port, from: self.host, now: now)
        self.drain(send)
    }

    public func advance(to now: NIODeadline, send: (ByteBuffer) -> Void) {
        self.machine.advance(to: now)
        self.drain(send)
    }

    /// What goes elsewhere, to another host or from another board, is none of this pair's business.
    private func drain(_ send: (ByteBuffer) -> Void) {
        self.machine.drain { action in
            guard case .send(let datagram) = action, datagram.endpoint == self.endpoint, datagram.destination == self.host
            else {
                return
            }
            send(datagram.bytes)
        }
    }
}
