//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Points a tag of a board at the socket that this is sent from: stripped messages then come there.
package struct FastDataTagMachine: FastDataMachine {
    private let datagram: ByteBuffer
    private let sequence: UInt16
    private let configuration: FastDataConfiguration
    private var sent = 0
    private var due: NIODeadline?
    private var result: SCPResult?

    /// - Parameter ethernet: the board's Ethernet chip, as the link's machine or job has it.
    package init(
        tag: UInt8, of ethernet: ChipID, sequence: UInt16, configuration: FastDataConfiguration = .init()
    ) {
        self.sequence = sequence
        self.configuration = configuration
        var buffer = ByteBuffer()
        SCPPacket(
            SetIPTag(tag: tag, address: nil, port: 0, strip: true, useSender: true), to: .monitor(of: ethernet),
            sequence: sequence
        ).writeDatagram(into: &buffer)
        self.datagram = buffer
    }

    package mutating func next(now: NIODeadline) -> FastDataStep {
        if let result { return result == .ok ? .done : .failed(.refused(result)) }
        if let due, now < due { return .wait(until: due) }
        guard self.sent < self.configuration.tries else { return .failed(.silent(tries: self.sent)) }
        self.sent += 1
        self.due = now + self.configuration.timeout
        return .send(self.datagram)
    }

    package mutating func receive(_ datagram: ByteBuffer, now: NIODeadline) {
        guard let reply = try? SCPReply(datagram: datagram), reply.sequence == self.sequence, !reply.result.isRetryable else {
            return
        }
        self.result = reply.result
    }
}
