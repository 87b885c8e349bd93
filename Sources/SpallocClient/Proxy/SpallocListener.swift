//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// Hears all boards of a job, at an address of the service's host.
///
/// Boards send here what goes out by an IP tag that was set with ``setTag(_:of:strip:)``. When the proxy's websocket had to be
/// opened again the address is another one: the tags that were set are set again, without anybody's doing.
public final class SpallocListener: Sendable {
    let job: Int
    let listener: ProxiedListener
    let queue: DatagramQueue
    private let tags: NIOLoopBound<TagSetter>
    private let chips: [String: ChipID]

    private init(
        job: Int, listener: ProxiedListener, queue: DatagramQueue, tags: NIOLoopBound<TagSetter>, chips: [String: ChipID]
    ) {
        self.job = job
        self.listener = listener
        self.queue = queue
        self.tags = tags
        self.chips = chips
    }

    static func attach(
        listener: ProxiedListener, job: Int, hosts: [JobMachine.Connection]
    ) async throws(SpallocError) -> SpallocListener {
        let eventLoop = listener.eventLoop
        let queue = DatagramQueue(on: eventLoop) { SpallocError.proxy($0, job: job) }
        var chips: [String: ChipID] = [:]
        for host in hosts { chips[host.hostname] = host.chip.chip }
        do {
            let tags = try await eventLoop.submit {
                let setter = NIOLoopBound(TagSetter(listener: listener, job: job), eventLoop: eventLoop)
                queue.setFilter { setter.value.received($0) }
                listener.setReceiver(queue)
                listener.onMove { _, _ in setter.value.moved() }
                return setter
            }.get()
            return SpallocListener(job: job, listener: listener, queue: queue, tags: tags, chips: chips)
        } catch {
            throw SpallocError.proxy(error, job: job)
        }
    }

    /// Where boards reach it now.
    public func localAddress() async throws(SpallocError) -> (address: IPv4Address, port: Int) {
        do {
            return try await self.listener.localAddress()
        } catch {
            throw SpallocError.proxy(error, job: self.job)
        }
    }

    /// What arrives, in order, for one reader. The proxy does not say which board it came from.
    public var datagrams: SpallocDatagrams { SpallocDatagrams(queue: self.queue) }
    /// Those that nobody took in time.
    public var dropped: Int { self.queue.dropped }

    public func receive(timeout: Duration) async throws(SpallocError) -> ByteBuffer {
        let late = SpallocError(.timeout, "nothing came from any board within \(timeout)", job: self.job)
        guard let datagram = try await self.queue.next(timeout: timeout, or: late) else {
            throw SpallocError(.closed, "the listener is closed", job: self.job)
        }
        return datagram
    }

    public func receiveEIEIO(timeout: Duration) async throws(SpallocError) -> EIEIOMessage {
        let datagram = try await self.receive(timeout: timeout)
        do {
            return try EIEIOMessage(datagram: datagram)
        } catch {
            throw SpallocError(.unexpectedResponse, "what came is no EIEIO: \(error)", job: self.job, underlying: error)
        }
    }

    /// - Parameter chip: a board's Ethernet chip, relative to the job's root.
    public func send(_ datagram: ByteBuffer, to chip: ChipID, port: Int = SCP.port) async throws(SpallocError) {
        // The service ends the whole websocket over a chip that is no board's: refused here instead.
        guard self.chips.isEmpty || self.chips.values.contains(chip) else {
            throw SpallocError(.invalidRequest, "chip \(chip) is not the Ethernet chip of a board of the job", job: self.job)
        }
        guard (1...65535).contains(port) else {
            throw SpallocError(.invalidRequest, "\(port) is no UDP port", job: self.job)
        }
        _ = try? await self.listener.eventLoop.submit {
            self.listener.write(datagram, to: chip, port: port)
            self.listener.flush()
        }.get()
    }

    /// By the board's address.
    public func send(_ datagram: ByteBuffer, toHost host: String, port: Int = SCP.port) async throws(SpallocError) {
        guard let chip = self.chips[host] else {
            throw SpallocError(.invalidRequest, "no board of the job has the address \(host)", job: self.job)
        }
        try await self.send(datagram, to: chip, port: port)
    }

    /// EIEIO for a core, by its board.
    /// - Parameter board: the Ethernet chip of the core's board.
    public func send(_ message: EIEIOMessage, to core: CoreID, by board: ChipID) async throws(SpallocError) {
        var datagram = ByteBuffer()
        SDPMessage.carrying(message, to: core).writeDatagram(into: &datagram)
        try await self.send(datagram, to: board)
    }

    /// Points a board's IP tag here, and keeps it so. Waits until the board says that it is.
    /// - Parameters:
    ///   - chip: the board's Ethernet chip.
    ///   - strip: whether the SDP header is taken off on the way out.
    public func setTag(_ tag: UInt8, of chip: ChipID, strip: Bool = true) async throws(SpallocError) {
        guard self.chips.isEmpty || self.chips.values.contains(chip) else {
            throw SpallocError(.invalidRequest, "chip \(chip) is not the Ethernet chip of a board of the job", job: self.job)
        }
        do {
            try await self.listener.eventLoop.flatSubmit { self.tags.value.set(tag, of: chip, strip: strip) }.get()
        } catch {
            throw SpallocError.proxy(error, job: self.job)
        }
    }

    public func setTag(_ tag: UInt8, ofHost host: String, strip: Bool = true) async throws(SpallocError) {
        guard let chip = self.chips[host] else {
            throw SpallocError(.invalidRequest, "no board of the job has the address \(host)", job: self.job)
        }
        try await self.setTag(tag, of: chip, strip: strip)
    }

    public func close() { self.listener.close() }
}

/// Sends tag requests from the listener's own port and finds their replies among what arrives: by sequence number, and by
/// being the right length, so that an event that comes first is neither swallowed nor taken for the answer. On the event loop.
private final class TagSetter {
    private struct Pending {
        let tag: UInt8
        let chip: ChipID
        let datagram: ByteBuffer
        var triesLeft: Int
        var timer: Scheduled<Void>?
        let promise: EventLoopPromise<Void>?
    }

    private let listener: ProxiedListener
    private let job: Int
    private var pending: [UInt16: Pending] = [:]
    private var sequence: UInt16 = 0
    /// To set again when the listener has moved.
    private var tags: [ChipID: [UInt8: Bool]] = [:]

    /// As the reference client has it.
    private static let tries = 3
    private static let wait = TimeAmount.seconds(1)

    init(listener: ProxiedListener, job: Int) {
        self.listener = listener
        self.job = job
    }

    func set(_ tag: UInt8, of chip: ChipID, strip: Bool) -> EventLoopFuture<Void> {
        let promise = self.listener.eventLoop.makePromise(of: Void.self)
        self.tags[chip, default: [:]][tag] = strip
        self.begin(tag, chip, strip, promise)
        return promise.futureResult
    }

    func moved() {
        for (chip, tags) in self.tags {
            for (tag, strip) in tags { self.begin(tag, chip, strip, nil) }
        }
    }

    private func begin(_ tag: UInt8, _ chip: ChipID, _ strip: Bool, _ promise: EventLoopPromise<Void>?) {
        repeat { self.sequence &+= 1 } while self.pending[self.sequence] != nil && self.pending.count < 0x8000
        // No routing: the chip that receives it acts, whichever chip it takes itself for.
        var packet = SCPPacket.reprogramTag(tag, of: chip, strip: strip, flags: .replyExpectedNoRouting)
        packet.sequence = self.sequence
        var datagram = ByteBuffer()
        packet.writeDatagram(into: &datagram)
        self.pending[self.sequence] = Pending(
            tag: tag, chip: chip, datagram: datagram, triesLeft: TagSetter.tries, timer: nil, promise: promise)
        self.transmit(self.sequence)
    }

    private func transmit(_ sequence: UInt16) {
        guard var pending = self.pending[sequence] else { return }
        guard pending.triesLeft > 0 else {
            self.pending[sequence] = nil
            pending.promise?.fail(
                SpallocError(
                    .timeout, "board \(pending.chip) did not confirm IP tag \(pending.tag) in \(TagSetter.tries) tries",
                    job: self.job))
            return
        }
        pending.triesLeft -= 1
        self.listener.write(pending.datagram, to: pending.chip, port: SCP.port)
        self.listener.flush()
        let bound = NIOLoopBound(self, eventLoop: self.listener.eventLoop)
        pending.timer = self.listener.eventLoop.scheduleTask(in: TagSetter.wait) { bound.value.transmit(sequence) }
        self.pending[sequence] = pending
    }

    /// Whether it was one of ours.
    func received(_ datagram: ByteBuffer) -> Bool {
        // 2 of padding, the header, result and sequence, the tag.
        guard !self.pending.isEmpty, (14...18).contains(datagram.readableBytes),
            let reply = try? SCPReply(datagram: datagram), reply.header.flags == .replyNotExpectedNoRouting,
            let pending = self.pending[reply.sequence], reply.header.sourceChip == pending.chip
        else { return false }
        self.pending[reply.sequence] = nil
        pending.timer?.cancel()
        if reply.result == .ok {
            pending.promise?.succeed()
        } else {
            self.tags[pending.chip]?[pending.tag] = nil
            pending.promise?.fail(
                SpallocError(
                    .requestRefused, "board \(pending.chip) refused IP tag \(pending.tag): \(reply.result)", job: self.job))
        }
        return true
    }
}
