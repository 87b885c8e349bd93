//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Synchronization

/// Live input: sends events to a core that takes them, in messages as full as they may be, no faster than the core's buffer
/// is emptied.
///
/// It goes over any link to the core's board. Several tasks may send by one sender: the pace holds for all of them together,
/// and each one's events stay in order.
public final class EIEIOSender: Sendable {
    /// How fast messages go.
    public struct Pacing: Hashable, Sendable {
        /// Messages that go at once.
        public var burst: Int
        /// The pause after each burst.
        public var pause: Duration

        public init(burst: Int, pause: Duration) {
            self.burst = burst
            self.pause = pause
        }

        /// The toolchain's: 0.1 s after every 6 messages.
        public static let toolchain = Pacing(burst: LiveInput.burst, pause: LiveInput.pause)
        /// For a receiver that keeps up with anything.
        public static let unlimited = Pacing(burst: .max, pause: .zero)
    }

    public let core: CoreID
    /// The SDP port of the receiver.
    public let port: UInt8
    private let link: any DatagramLink
    private let pacer: Mutex<SendPacer>

    /// - Parameters:
    ///   - link: to UDP port 17893 of the core's board.
    ///   - port: 1...7; the usual receiver takes any.
    public init(
        over link: any DatagramLink, to core: CoreID, port: UInt8 = LiveInput.port, pacing: Pacing = .toolchain
    ) {
        self.core = core
        self.port = port
        self.link = link
        self.pacer = Mutex(SendPacer(burst: pacing.burst, pause: TimeAmount(pacing.pause)))
    }

    /// Sends keys, or atoms where the type is of 16 bits: 127 or 63 to a message.
    ///
    /// Returns when the last message has left.
    /// - Throws: ``TransceiverError/Code/invalidArgument`` when a key is too wide for the type, or the type has payloads;
    ///   nothing is sent then.
    public func send(keys: some Sequence<UInt32>, as type: EIEIOType = .key32) async throws(TransceiverError) {
        let datagrams: [ByteBuffer]
        do throws(WireError) {
            datagrams = try LiveInput.datagrams(keys: keys, type: type, to: self.core, port: self.port)
        } catch {
            throw TransceiverError(error, chip: self.core.chip)
        }
        try await self.send(datagrams)
    }

    /// Sends keys with payloads: 31 to a message, or 63 of 16 bits.
    public func send(
        events: some Sequence<(key: UInt32, payload: UInt32)>, as type: EIEIOType = .keyPayload32
    ) async throws(TransceiverError) {
        let datagrams: [ByteBuffer]
        do throws(WireError) {
            datagrams = try LiveInput.datagrams(events: events, type: type, to: self.core, port: self.port)
        } catch {
            throw TransceiverError(error, chip: self.core.chip)
        }
        try await self.send(datagrams)
    }

    /// Sends a message as it is: data with a prefix, a command.
    public func send(_ message: EIEIOMessage) async throws(TransceiverError) {
        var datagram = ByteBuffer()
        datagram.writeInteger(UInt16(0))
        LiveInput.header(to: self.core, port: self.port).write(into: &datagram)
        message.write(into: &datagram)
        try await self.send([datagram])
    }

    private func send(_ datagrams: [ByteBuffer]) async throws(TransceiverError) {
        var rest = datagrams[...]
        while !rest.isEmpty {
            let (count, at) = self.pacer.withLock { $0.reserve(rest.count, now: .now()) }
            do {
                let now = NIODeadline.now()
                if at > now { try await Task.sleep(for: Duration(at - now)) }
                try Task.checkCancellation()
            } catch {
                throw TransceiverError(SCPError(.cancelled, link: self.link.linkDescription, core: self.core))
            }
            await self.link.send(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
    }
}

extension Transceiver {
    /// Sends live input to a core, by the most direct link.
    public func eventSender(
        to core: CoreID, port: UInt8 = LiveInput.port, pacing: EIEIOSender.Pacing = .toolchain
    ) -> EIEIOSender {
        EIEIOSender(over: self.connection(to: core.chip).link, to: core, port: port, pacing: pacing)
    }
}
