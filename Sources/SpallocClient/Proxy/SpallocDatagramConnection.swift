//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// Datagrams to and from one UDP port of one board of a job.
///
/// What arrives waits for its reader, up to 1024 datagrams; then it is dropped and counted.
public final class SpallocDatagramConnection: Sendable {
    public let chip: ChipID
    public let port: Int
    let job: Int
    let link: any DatagramLink
    let queue: DatagramQueue

    private init(link: any DatagramLink, job: Int, chip: ChipID, port: Int, queue: DatagramQueue) {
        self.link = link
        self.job = job
        self.chip = chip
        self.port = port
        self.queue = queue
    }

    static func attach(
        link: any DatagramLink, job: Int, chip: ChipID, port: Int
    ) async throws(SpallocError) -> SpallocDatagramConnection {
        let queue = DatagramQueue(on: link.eventLoop) { SpallocError.proxy($0, job: job) }
        do {
            try await link.eventLoop.submit { link.setReceiver(queue) }.get()
        } catch {
            throw SpallocError.proxy(error, job: job)
        }
        return SpallocDatagramConnection(link: link, job: job, chip: chip, port: port, queue: queue)
    }

    /// What arrives, in order, for one reader.
    public var datagrams: SpallocDatagrams { SpallocDatagrams(queue: self.queue) }
    /// Those that nobody took in time.
    public var dropped: Int { self.queue.dropped }

    /// Sends one datagram. As with all of UDP, that it has left does not mean that it arrives.
    public func send(_ datagram: ByteBuffer) async throws(SpallocError) {
        await self.onLoop {
            self.link.write(datagram)
            self.link.flush()
        }
    }

    /// The next datagram.
    /// - Throws: ``SpallocError/Code/timeout``, which names the board.
    public func receive(timeout: Duration) async throws(SpallocError) -> ByteBuffer {
        let late = SpallocError(
            .timeout, "nothing came from board \(self.chip) port \(self.port) within \(timeout)", job: self.job)
        guard let datagram = try await self.queue.next(timeout: timeout, or: late) else {
            throw SpallocError(.closed, "the connection to board \(self.chip) port \(self.port) is closed", job: self.job)
        }
        return datagram
    }

    /// Ends the connection; its readers come to their end.
    public func close() { self.link.eventLoop.execute { self.link.close() } }

    private func onLoop(_ body: @escaping @Sendable () -> Void) async {
        // The loop is that of a group that is never shut down.
        _ = try? await self.link.eventLoop.submit(body).get()
    }

    // MARK: - Messages

    public func send(_ message: SDPMessage) async throws(SpallocError) {
        var datagram = ByteBuffer()
        message.writeDatagram(into: &datagram)
        try await self.send(datagram)
    }

    public func receiveSDP(timeout: Duration) async throws(SpallocError) -> SDPMessage {
        try self.decode(try await self.receive(timeout: timeout)) { (datagram) throws(WireError) in
            try SDPMessage(datagram: datagram)
        }
    }

    public func send(_ message: EIEIOMessage) async throws(SpallocError) {
        var datagram = ByteBuffer()
        message.write(into: &datagram)
        try await self.send(datagram)
    }

    /// Sends EIEIO to a core, inside SDP as SC&MP's port takes it.
    public func send(_ message: EIEIOMessage, to core: CoreID) async throws(SpallocError) {
        try await self.send(SDPMessage.carrying(message, to: core))
    }

    public func receiveEIEIO(timeout: Duration) async throws(SpallocError) -> EIEIOMessage {
        try self.decode(try await self.receive(timeout: timeout)) { (datagram) throws(WireError) in
            try EIEIOMessage(datagram: datagram)
        }
    }

    /// Sends boot datagrams, with the pause after each that boards need.
    public func send(_ messages: [BootMessage], pause: Duration = .milliseconds(100)) async throws(SpallocError) {
        for message in messages {
            var datagram = ByteBuffer()
            message.write(into: &datagram)
            try await self.send(datagram)
            do {
                try await Task.sleep(for: pause)
            } catch {
                throw SpallocError(.cancelled, "cancelled while booting", job: self.job, underlying: error)
            }
        }
    }

    public func receiveBoot(timeout: Duration) async throws(SpallocError) -> BootMessage {
        try self.decode(try await self.receive(timeout: timeout)) { (datagram) throws(WireError) in
            try BootMessage(datagram: datagram)
        }
    }

    private func decode<Message>(
        _ datagram: ByteBuffer, _ body: (ByteBuffer) throws(WireError) -> Message
    ) throws(SpallocError) -> Message {
        do {
            return try body(datagram)
        } catch {
            throw SpallocError(
                .unexpectedResponse, "board \(self.chip) port \(self.port) sent another kind of message: \(error)",
                job: self.job,
                underlying: error)
        }
    }
}

extension SDPMessage {
    /// EIEIO for a core: SDP port 1, no reply, no source.
    static func carrying(_ message: EIEIOMessage, to core: CoreID) -> SDPMessage {
        var data = ByteBuffer()
        message.write(into: &data)
        var header = SDPHeader(
            flags: .replyNotExpected, destination: SDPAddress(port: 1, cpu: core.p), destinationChip: core.chip)
        header.tag = 0
        header.source = SDPAddress(byte: 0)
        header.sourceChip = .origin
        return SDPMessage(header: header, data: data)
    }
}
