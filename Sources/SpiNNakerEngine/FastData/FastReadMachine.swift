//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Reads words of memory from a chip's extra monitor, which streams them; what was lost on the way is asked for again.
package struct FastReadMachine: FastDataMachine {
    private let configuration: FastDataConfiguration
    private let monitor: CoreID
    private let address: UInt32
    private let transaction: UInt32
    private let size: Int
    private let packets: Int
    private let deadline: NIODeadline

    /// What was read. Whole once the machine is done.
    package private(set) var data: ByteBuffer
    private var received: SequenceSet
    private var pacer: SendPacer
    private var place: NIODeadline?
    private var outbox: [FastDataOutCommand]
    private var sent = 0
    /// When the stream counts as dried up.
    private var quietAt: NIODeadline
    /// Before, a list that is asked for anew would cross with what the last one brings.
    private var nextListAt: NIODeadline
    private var countAtList = 0
    private var stale = 0
    private var failure: FastDataFailure?
    private var isClearing = false
    /// Packets that were asked for again.
    package private(set) var retransmissions = 0

    /// - Parameters:
    ///   - address: divisible by 4, as `size` is: the monitor knows words only.
    ///   - transaction: ``FastData/transaction(after:)`` what the monitor has published.
    package init(
        _ size: Int, address: UInt32, from monitor: CoreID, transaction: UInt32,
        configuration: FastDataConfiguration = .init(), now: NIODeadline
    ) {
        self.configuration = configuration
        self.monitor = monitor
        self.address = address
        self.transaction = transaction
        self.size = max(0, size)
        self.packets = (self.size + FastData.outBytes - 1) / FastData.outBytes
        self.deadline = now + configuration.limit
        self.data = ByteBuffer(repeating: 0, count: self.size)
        self.received = SequenceSet(bound: self.packets)
        self.pacer = SendPacer(burst: configuration.burst, pause: configuration.pause)
        self.quietAt = now + configuration.timeout
        self.nextListAt = now
        self.outbox = [.start(transaction: transaction, address: address, size: UInt32(clamping: self.size))]
    }

    package mutating func next(now: NIODeadline) -> FastDataStep {
        if self.packets == 0 { return .done }
        if self.received.count == self.packets || self.isClearing { return self.end() }
        guard now < self.deadline else { return self.fail(.late) }
        if now >= self.quietAt, self.sent == self.outbox.count, !self.askAgain(now: now) {
            return self.fail(
                self.received.count == 0
                    ? .silent(tries: self.stale) : .noProgress(missing: self.packets - self.received.count))
        }
        guard self.sent < self.outbox.count else { return .wait(until: min(self.quietAt, self.deadline)) }
        let at = self.place ?? self.pacer.reserve(1, now: now).at
        guard at <= now else {
            self.place = at
            return .wait(until: min(at, self.deadline))
        }
        self.place = nil
        let command = self.outbox[self.sent]
        self.sent += 1
        self.quietAt = now + self.configuration.timeout
        return .send(self.datagram(command))
    }

    package mutating func receive(_ datagram: ByteBuffer, now: NIODeadline) {
        var buffer = datagram
        guard !self.isClearing, let packet = try? FastDataOutPacket(from: &buffer), packet.transaction == self.transaction
        else { return }
        let sequence = Int(packet.sequence)
        if sequence < self.packets {
            let offset = sequence * FastData.outBytes
            let length = min(FastData.outBytes, self.size - offset)
            // Shorter than it must be: as good as lost.
            guard packet.data.readableBytes >= length else { return }
            if self.received.insert(sequence) {
                let bytes = packet.data.readableBytesView.prefix(length)
                self.data.setBytes(bytes, at: self.data.readerIndex + offset)
                self.quietAt = now + self.configuration.timeout
            }
        } else if sequence > self.packets {
            return
        }
        // The end, with gaps before it: they need not wait for the silence.
        if packet.isLast, self.received.count < self.packets, now >= self.nextListAt, self.sent == self.outbox.count {
            self.quietAt = now
        }
    }

    /// - Returns: false when it has been tried often enough.
    private mutating func askAgain(now: NIODeadline) -> Bool {
        if self.received.count == self.countAtList {
            self.stale += 1
            guard self.stale < self.configuration.tries else { return false }
        } else {
            self.stale = 0
        }
        self.countAtList = self.received.count
        self.sent = 0
        if self.received.count == 0, self.stale % 2 == 1 {
            // The start itself may be what was lost. A monitor that has it ignores it, and is asked for the packets the next time.
            self.outbox = [.start(transaction: self.transaction, address: self.address, size: UInt32(clamping: self.size))]
        } else {
            let absent = self.received.absent
            self.retransmissions += absent.count
            self.outbox = FastDataOutCommand.list(of: absent, transaction: self.transaction)
        }
        self.nextListAt = now + .nanoseconds(self.configuration.timeout.nanoseconds / 4)
        return true
    }

    private mutating func fail(_ failure: FastDataFailure) -> FastDataStep {
        self.failure = failure
        return self.end()
    }

    /// Whatever came of it, the monitor is told to stop.
    private mutating func end() -> FastDataStep {
        guard self.isClearing else {
            self.isClearing = true
            return .send(self.datagram(.clear(transaction: self.transaction)))
        }
        return self.failure.map { .failed($0) } ?? .done
    }

    private func datagram(_ command: FastDataOutCommand) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(SDPHeader.udpPadding + SDPHeader.size + 4 * FastData.words)
        buffer.put(UInt16(0))
        SDPHeader.fastData(to: self.monitor, port: FastData.outPort).write(into: &buffer)
        command.write(into: &buffer)
        return buffer
    }
}
