//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOEmbedded
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A ``DatagramLink`` in memory whose far end is a closure: for each datagram flushed, the datagrams that come back.
final class ScriptedLink: DatagramLink, @unchecked Sendable {
    // Unchecked: everything but `eventLoop` is touched on the event loop only.

    let eventLoop: any EventLoop
    let linkDescription = "a link of the test"
    private var receiver: (any DatagramReceiver)?
    private var queue: [ByteBuffer] = []
    var answer: (SCPPacket) -> [ByteBuffer]
    /// What was sent.
    var sent: [SCPPacket] = []
    /// How many datagrams each flush carried.
    var flushes: [Int] = []
    var isClosed = false

    init(on eventLoop: any EventLoop, answer: @escaping @Sendable (SCPPacket) -> [ByteBuffer]) {
        self.eventLoop = eventLoop
        self.answer = answer
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) { self.receiver = receiver }
    func write(_ datagram: ByteBuffer) { self.queue.append(datagram) }

    func flush() {
        self.flushes.append(self.queue.count)
        let datagrams = self.queue
        self.queue = []
        var answers: [ByteBuffer] = []
        for datagram in datagrams {
            guard let packet = try? SCPPacket(datagram: datagram) else { continue }
            self.sent.append(packet)
            answers.append(contentsOf: self.answer(packet))
        }
        // At once, within the flush: the hardest case for the connection.
        self.deliver(answers)
    }

    func deliver(_ datagrams: [ByteBuffer]) {
        guard !datagrams.isEmpty else { return }
        for datagram in datagrams { self.receiver?.datagramReceived(datagram) }
        self.receiver?.datagramReadComplete()
    }

    func close() { self.fail(nil) }

    func fail(_ error: (any Error)?) {
        guard !self.isClosed else { return }
        self.isClosed = true
        let receiver = self.receiver
        self.receiver = nil
        receiver?.linkClosed(error)
    }
}

/// A reply of a board.
func reply(to packet: SCPPacket, _ result: SCPResult = .ok, payload: ByteBuffer = ByteBuffer()) -> ByteBuffer {
    var datagram = ByteBuffer()
    SCPReply(header: packet.header.reply, result: result, sequence: packet.sequence, payload: payload)
        .writeDatagram(into: &datagram)
    return datagram
}

/// Memory that answers READ, WRITE, LINK_READ, LINK_WRITE and FILL.
struct TestMemory {
    var bytes: [UInt32: UInt8] = [:]

    mutating func answer(_ packet: SCPPacket) -> ByteBuffer {
        let arguments = packet.arguments
        switch packet.command {
        case .read, .linkRead:
            var payload = ByteBuffer()
            for offset in 0..<arguments.arg2 { payload.writeInteger(self.bytes[arguments.arg1 &+ offset] ?? 0) }
            return reply(to: packet, payload: payload)
        case .write, .linkWrite:
            for (offset, byte) in packet.data.readableBytesView.enumerated() {
                self.bytes[arguments.arg1 &+ UInt32(offset)] = byte
            }
            return reply(to: packet)
        case .fill:
            for offset in 0..<arguments.arg3 {
                self.bytes[arguments.arg1 &+ offset] = UInt8(truncatingIfNeeded: arguments.arg2 >> (8 * (offset % 4)))
            }
            return reply(to: packet)
        default: return reply(to: packet, .badCommand)
        }
    }
}

extension NIOAsyncTestingEventLoop {
    /// Lets virtual time pass until the condition, looked at on the loop, holds.
    func advance(by step: TimeAmount, upTo limit: Int = 1000, until condition: @escaping @Sendable () -> Bool) async -> Bool {
        for _ in 0..<limit {
            await self.run()
            if await self.look(condition) { return true }
            await self.advanceTime(by: step)
        }
        return false
    }

    func look<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            self.execute { continuation.resume(returning: body()) }
        }
    }
}
