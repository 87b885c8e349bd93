//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Writes words of memory through a board's gatherer: all packets at the board's pace, then "what is missing?", then what is missing, until
/// nothing is.
///
/// The gatherer's list of what is missing may take several datagrams of which none says that it is the last, and each of which may be
/// lost. So each is acted on by itself, and after the last the question is put anew.
package struct FastWriteMachine: FastDataMachine {
    private let configuration: FastDataConfiguration
    private let gatherer: CoreID
    private let chip: ChipID
    private let address: UInt32
    private let transaction: UInt32
    private let data: ByteBuffer
    private let packets: Int
    private let deadline: NIODeadline

    private var pacer: SendPacer
    /// When the next packet may leave, if a place has been taken for it.
    private var place: NIODeadline?
    private var needsLocation = true
    /// The next packet of the first pass.
    private var fresh = 0
    /// What is to be sent again, from `resent` on.
    private var missing: [UInt32] = []
    private var resent = 0
    private var queued: SequenceSet
    private var needsQuestion = true
    private var answerDue: NIODeadline
    /// The first question has been put: before, no answer can be ours.
    private var hasAsked = false
    private var hasHeard = false
    private var isFinished = false
    private var silences = 0
    /// The fewest packets that were missing after a question, and how many rounds have not bettered it.
    private var fewest = Int.max
    private var stale = 0
    /// Datagrams with data that were sent more than once.
    package private(set) var retransmissions = 0

    /// - Parameters:
    ///   - gatherer: where it is in the machine or job whose link this is.
    ///   - chip: on the board, relative to its Ethernet chip.
    ///   - address: divisible by 4, as the number of bytes of `data` is: the gatherer knows words only.
    ///   - transaction: ``FastData/transaction(after:)`` what the gatherer has published.
    package init(
        _ data: ByteBuffer, to chip: ChipID, address: UInt32, through gatherer: CoreID, transaction: UInt32,
        configuration: FastDataConfiguration = .init(), now: NIODeadline
    ) {
        self.configuration = configuration
        self.gatherer = gatherer
        self.chip = chip
        self.address = address
        self.transaction = transaction
        self.data = data
        self.packets = (data.readableBytes + FastData.inBytes - 1) / FastData.inBytes
        self.deadline = now + configuration.limit
        self.pacer = SendPacer(burst: configuration.burst, pause: configuration.pause)
        self.queued = SequenceSet(bound: self.packets)
        self.answerDue = now
        self.isFinished = self.packets == 0
    }

    package mutating func next(now: NIODeadline) -> FastDataStep {
        if self.isFinished { return .done }
        guard now < self.deadline else { return .failed(.late) }
        if self.needsLocation {
            self.needsLocation = false
            return .send(
                self.datagram(
                    .location(
                        transaction: self.transaction, address: self.address, chip: self.chip,
                        lastSequence: UInt32(clamping: self.packets - 1))))
        }
        if self.fresh < self.packets || self.resent < self.missing.count {
            let at = self.place ?? self.pacer.reserve(1, now: now).at
            guard at <= now else {
                self.place = at
                return .wait(until: min(at, self.deadline))
            }
            self.place = nil
            return .send(self.datagram(self.nextPacket()))
        }
        if self.needsQuestion {
            if let failure = self.endRound() { return .failed(failure) }
            self.needsQuestion = false
            self.hasAsked = true
            self.answerDue = now + self.configuration.timeout
            return .send(self.datagram(.tellMissing(transaction: self.transaction)))
        }
        guard now >= self.answerDue else { return .wait(until: min(self.answerDue, self.deadline)) }
        self.silences += 1
        guard self.silences < self.configuration.tries else { return .failed(.silent(tries: self.silences)) }
        // A gatherer that did not get the location says nothing at all; one that did ignores it.
        self.needsLocation = !self.hasHeard
        self.needsQuestion = true
        return self.next(now: now)
    }

    package mutating func receive(_ datagram: ByteBuffer, now: NIODeadline) {
        var buffer = datagram
        guard self.hasAsked, let reply = try? FastDataInReply(from: &buffer) else { return }
        switch reply {
        case .finished(let transaction):
            guard transaction == self.transaction else { return }
            self.isFinished = true
        case .missing(let transaction, let sequences):
            guard transaction == self.transaction else { return }
            self.hasHeard = true
            self.silences = 0
            for sequence in sequences {
                if sequence == FastDataInReply.everything {
                    for number in 0..<self.packets { self.enqueue(UInt32(clamping: number)) }
                } else {
                    self.enqueue(sequence)
                }
            }
            // An empty list is an answer, too: ask again, when the time for this one is over.
            if self.resent < self.missing.count { self.needsQuestion = true }
        }
    }

    private mutating func enqueue(_ sequence: UInt32) {
        if self.queued.insert(Int(sequence)) { self.missing.append(sequence) }
    }

    private mutating func nextPacket() -> FastDataInCommand {
        let sequence: Int
        if self.fresh < self.packets {
            sequence = self.fresh
            self.fresh += 1
        } else {
            sequence = Int(self.missing[self.resent])
            self.resent += 1
            self.retransmissions += 1
            self.queued.remove(sequence)
        }
        let start = self.data.readerIndex + sequence * FastData.inBytes
        let length = min(FastData.inBytes, self.data.writerIndex - start)
        return .data(
            transaction: self.transaction, sequence: UInt32(clamping: sequence),
            data: self.data.getSlice(at: start, length: length) ?? ByteBuffer())
    }

    /// All that was said to be missing has been sent again.
    private mutating func endRound() -> FastDataFailure? {
        guard !self.missing.isEmpty else { return nil }
        let count = self.missing.count
        self.missing.removeAll(keepingCapacity: true)
        self.resent = 0
        if count < self.fewest {
            self.fewest = count
            self.stale = 0
            return nil
        }
        self.stale += 1
        return self.stale < self.configuration.tries ? nil : .noProgress(missing: count)
    }

    private func datagram(_ command: FastDataInCommand) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(SDPHeader.udpPadding + SDPHeader.size + 4 * FastData.words)
        buffer.put(UInt16(0))
        SDPHeader.fastData(to: self.gatherer, port: FastData.inPort).write(into: &buffer)
        command.write(into: &buffer)
        return buffer
    }
}

extension SDPHeader {
    /// One-way, as both protocols' messages are: what comes back comes through the tag.
    static func fastData(to core: CoreID, port: UInt8) -> SDPHeader {
        SDPHeader(
            flags: .replyNotExpected, destination: SDPAddress(port: port, cpu: core.p), destinationChip: core.chip)
    }
}
