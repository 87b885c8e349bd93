//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import DequeModule
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

extension SCPPipeline {
    /// Takes a request and returns its datagram, to be sent now; nil, and nothing taken, without ``hasRoom``.
    ///
    /// - Parameter port: 0 is the kernel's; applications listen on others.
    @inlinable
    package mutating func start<Request: SCPRequest>(
        _ request: Request, to core: CoreID, port: UInt8 = 0, policy: SCPPolicy, token: SCPToken, now: NIODeadline
    ) -> ByteBuffer? {
        self.start(
            command: Request.command, arguments: request.arguments, data: request.data,
            failureWithReply: Request.failureWithReply, to: core, port: port, policy: policy, token: token, now: now)
    }

    /// - Parameter failureWithReply: a failure that counts as an answer: at once if it is for good, else when the retries
    ///   are used up (CMD_COUNT's partial sum comes with RC_P2P_NOREPLY). See `SCPRequest`.
    @inlinable
    package mutating func start(
        command: SCPCommand, arguments: SCPArguments, data: ByteBuffer, failureWithReply: SCPResult? = nil,
        to core: CoreID, port: UInt8 = 0, policy: SCPPolicy, token: SCPToken, now: NIODeadline
    ) -> ByteBuffer? {
        guard self.hasRoom else { return nil }
        let sequence = self.takeSequence(now)
        // Encoded once; kept for retransmission.
        var datagram = self.spare.popLast() ?? ByteBufferAllocator().buffer(capacity: SCP.maximumRequestDatagram)
        datagram.clear()
        SCPPacket(
            header: SDPHeader(destination: SDPAddress(port: port, cpu: core.p), destinationChip: core.chip),
            command: command, sequence: sequence, arguments: arguments, data: data
        ).writeDatagram(into: &datagram)

        // Another port than the kernel's gives the number another meaning.
        let early = policy.resendsEarly && command.isRepeatable && port == 0
        let interval =
            early
            ? self.roundTrip.interval(floor: self.configuration.minimumResendInterval, ceiling: policy.timeout)
            : policy.timeout
        let index = self.slotIndex(sequence)
        self.update(index) { slot in
            slot.sequence = sequence
            slot.chip = core.chip
            slot.resendsEarly = early
            slot.attempts = 0
            slot.timeouts = 0
            slot.retriesLeft = Int32(clamping: max(0, policy.retries))
            slot.lastResult = nil
            slot.failureWithReply = failureWithReply
            slot.interval = interval
            slot.timeout = policy.timeout
            slot.retryDelay = policy.retryDelay
            slot.datagram = datagram
            slot.token = token
        }
        self.count += 1
        self.statistics.started += 1
        self.markSent(index, now)
        return datagram
    }

    /// Finds out what a datagram means.
    @inlinable
    package mutating func received(_ datagram: ByteBuffer, now: NIODeadline) -> Received {
        guard let reply = try? SCPReply(datagram: datagram) else { return self.drop(.tooShort) }
        guard !reply.header.flags.contains(.replyWanted) else { return self.drop(.notAReply) }
        self.watchRecord.heard(now)
        let index = self.slotIndex(reply.sequence)
        let state = self.slots[index].state
        guard state != .free, self.slots[index].sequence == reply.sequence else { return self.drop(.unknownSequence) }

        if reply.result.isRetryable, reply.result != self.slots[index].failureWithReply || self.slots[index].retriesLeft > 0 {
            guard state == .sent else { return self.drop(.alreadyWaiting) }
            self.slots[index].lastResult = reply.result
            guard self.slots[index].retriesLeft > 0 else {
                let failure = self.failure(of: index, .rejected(reply.result))
                return self.release(index, answered: true, now).map { .fail($0, failure) } ?? .drop(.unknownSequence)
            }
            self.slots[index].retriesLeft -= 1
            self.leaveWire(index)
            self.slots[index].state = .waiting
            let deadline = now + self.slots[index].retryDelay
            self.slots[index].deadline = deadline
            if deadline < self.earliest { self.earliest = deadline }
            self.waiting.append(reply.sequence)
            return .retryLater
        }

        let attempts = self.slots[index].attempts
        if reply.result == .ok || reply.result == self.slots[index].failureWithReply {
            let order = self.slots[index].order
            let chip = self.slots[index].chip
            // Of a request sent twice one can not tell which transmission was answered.
            if attempts == 1 {
                self.roundTrip.add(now - self.slots[index].sentAt)
            }
            guard let token = self.release(index, answered: true, now) else { return self.drop(.unknownSequence) }
            if attempts == 1 { self.resendOvertaken(by: order, from: chip) }
            return .complete(token, reply, attempts: Int(attempts))
        }
        let failure = self.failure(of: index, .rejected(reply.result))
        return self.release(index, answered: true, now).map { .fail($0, failure) } ?? .drop(.unknownSequence)
    }

    /// What is to be done by now; to be asked until it returns nil.
    @inlinable
    package mutating func poll(now: NIODeadline) -> Action? {
        if self.earliest <= now { self.deadlineReached(now) }
        if let (token, failure) = self.failures.popFirst() { return .fail(token, failure) }
        while self.inFlight < self.configuration.window, let sequence = self.due.popFirst() {
            let index = self.slotIndex(sequence)
            guard self.slots[index].state == .due, self.slots[index].sequence == sequence else { continue }
            self.markSent(index, now)
            return .transmit(self.slots[index].datagram)
        }
        return nil
    }

    /// Gives up the requests whose token is chosen, and returns their tokens, by sequence number of no particular order.
    package mutating func cancel(now: NIODeadline, where isChosen: (SCPToken) -> Bool) -> [SCPToken] {
        var tokens: [SCPToken] = []
        for index in self.slots.indices {
            guard self.slots[index].state != .free, let token = self.slots[index].token, isChosen(token) else { continue }
            if let token = self.release(index, answered: false, now) { tokens.append(token) }
        }
        for (token, _) in self.failures where isChosen(token) { tokens.append(token) }
        self.failures.removeAll { isChosen($0.0) }
        return tokens
    }

    /// The link is gone: returns every token, oldest request first. Nothing starts any more.
    package mutating func close() -> [SCPToken] {
        self.isClosed = true
        var tokens = self.failures.map(\.0)
        self.failures.removeAll()
        // From the number that would come next upwards is from the oldest to the newest, as long as fewer than 65,536
        // numbers went by; only the order depends on it.
        let next = self.nextSequence
        let taken = self.slots.indices.filter { self.slots[$0].state != .free }
            .sorted { self.slots[$0].sequence &- next < self.slots[$1].sequence &- next }
        for index in taken {
            if let token = self.release(index, answered: false, .uptimeNanoseconds(0)) { tokens.append(token) }
        }
        self.earliest = .distantFuture
        return tokens
    }
}

// MARK: - Parts

extension SCPPipeline {
    @inlinable
    func slotIndex(_ sequence: UInt16) -> Int { Int(sequence) & self.mask }

    @inlinable
    mutating func update(_ index: Int, _ body: (inout Slot) -> Void) { body(&self.slots[index]) }

    @inlinable
    mutating func drop(_ reason: SCPDrop) -> Received {
        self.statistics.dropped += 1
        return .drop(reason)
    }

    @inlinable
    mutating func takeSequence(_ now: NIODeadline) -> UInt16 {
        self.quarantine.expire(now)
        for _ in 0...UInt16.max {
            let sequence = self.nextSequence
            self.nextSequence &+= 1
            if self.slots[self.slotIndex(sequence)].state == .free, !self.quarantine.contains(sequence) { return sequence }
        }
        // Half the slots are free, so it is the quarantine that leaves no number: a mistaken late reply is the lesser evil.
        self.quarantine = SequenceQuarantine()
        while self.slots[self.slotIndex(self.nextSequence)].state != .free { self.nextSequence &+= 1 }
        let sequence = self.nextSequence
        self.nextSequence &+= 1
        return sequence
    }

    @inlinable
    mutating func markSent(_ index: Int, _ now: NIODeadline) {
        let last = self.newest
        let order = self.transmissions
        self.transmissions += 1
        let deadline = now + self.slots[index].interval
        self.update(index) { slot in
            slot.state = .sent
            slot.attempts += 1
            slot.order = order
            slot.sentAt = now
            slot.deadline = deadline
            slot.previous = last
            slot.next = -1
        }
        if deadline < self.earliest { self.earliest = deadline }
        if last >= 0 { self.slots[Int(last)].next = Int32(index) } else { self.oldest = Int32(index) }
        self.newest = Int32(index)
        self.inFlight += 1
    }

    /// Takes a sent request out of the list and the window.
    @inlinable
    mutating func leaveWire(_ index: Int) {
        let previous = self.slots[index].previous
        let next = self.slots[index].next
        if previous >= 0 { self.slots[Int(previous)].next = next } else { self.oldest = next }
        if next >= 0 { self.slots[Int(next)].previous = previous } else { self.newest = previous }
        self.inFlight -= 1
    }

    @inlinable
    func failure(of index: Int, _ cause: SCPFailure.Cause) -> SCPFailure {
        SCPFailure(
            cause: cause, attempts: Int(self.slots[index].attempts), timeouts: Int(self.slots[index].timeouts),
            lastResult: self.slots[index].lastResult)
    }

    /// Frees a slot; its sequence number rests if another reply to it can still come.
    @inlinable
    mutating func release(_ index: Int, answered: Bool, _ now: NIODeadline) -> SCPToken? {
        if self.slots[index].state == .sent { self.leaveWire(index) }
        self.slots[index].state = .free
        self.count -= 1
        if !answered || self.slots[index].attempts > 1 {
            self.quarantine.insert(
                self.slots[index].sequence, until: now + max(self.configuration.quarantine, self.slots[index].timeout))
        }
        if self.spare.count < self.configuration.window {
            var datagram = ByteBuffer()
            swap(&datagram, &self.slots[index].datagram)
            self.spare.append(datagram)
        }
        if self.count == 0 { self.earliest = .distantFuture }
        let token = self.slots[index].token
        self.slots[index].token = nil
        return token
    }

    /// A chip answers in the order it is asked. So if it has answered a request, what was sent to it well before is lost.
    @inlinable
    mutating func resendOvertaken(by order: UInt64, from chip: ChipID) {
        let tolerance = UInt64(clamping: self.configuration.reorderingTolerance)
        guard order >= tolerance else { return }
        let limit = order - tolerance
        var index = self.oldest
        while index >= 0, self.slots[Int(index)].order <= limit {
            let next = self.slots[Int(index)].next
            if self.slots[Int(index)].resendsEarly, self.slots[Int(index)].chip == chip {
                self.resendEarly(Int(index))
            }
            index = next
        }
    }

    @inlinable
    mutating func resendEarly(_ index: Int) {
        self.leaveWire(index)
        self.slots[index].state = .due
        self.due.append(self.slots[index].sequence)
        self.statistics.resentEarly += 1
    }

    @usableFromInline
    mutating func deadlineReached(_ now: NIODeadline) {
        self.earliest = .distantFuture
        var next = self.oldest
        while next >= 0 {
            let index = Int(next)
            next = self.slots[index].next
            guard self.slots[index].deadline <= now else {
                self.earliest = min(self.earliest, self.slots[index].deadline)
                continue
            }
            if self.slots[index].interval < self.slots[index].timeout {
                self.slots[index].interval = min(
                    self.slots[index].timeout, .nanoseconds(self.slots[index].interval.nanoseconds &* 2))
                self.resendEarly(index)
                continue
            }
            self.slots[index].timeouts += 1
            if self.slots[index].retriesLeft > 0 {
                self.slots[index].retriesLeft -= 1
                self.leaveWire(index)
                self.slots[index].state = .due
                self.due.append(self.slots[index].sequence)
                self.statistics.resent += 1
            } else {
                let failure = self.failure(of: index, .timedOut)
                if let token = self.release(index, answered: false, now) { self.failures.append((token, failure)) }
            }
        }
        for _ in 0..<self.waiting.count {
            guard let sequence = self.waiting.popFirst() else { break }
            let index = self.slotIndex(sequence)
            guard self.slots[index].state == .waiting, self.slots[index].sequence == sequence else { continue }
            if self.slots[index].deadline <= now {
                self.slots[index].state = .due
                self.due.append(sequence)
                self.statistics.resent += 1
            } else {
                self.earliest = min(self.earliest, self.slots[index].deadline)
                self.waiting.append(sequence)
            }
        }
    }
}
