//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Synchronization

/// The visualiser's end of the notification protocol: hears where a simulation's database is, and when it starts and stops.
///
/// ```swift
/// try await NotificationListener.with { toolchain in
///     for await event in toolchain {
///         switch event {
///         case .database(let notice):
///             … open notice.path, read what is needed …
///             await notice.acknowledge()
///         case .started: …
///         case .stopped: …
///         }
///     }
/// }
/// ```
///
/// Any of the messages may be missing or come twice, as UDP has it: an event is told once, a DATABASE that comes again is
/// acknowledged again, and a start without a database is told too.
public final class NotificationListener: AsyncSequence, Sendable {
    public typealias Element = Event

    public enum Event: Sendable {
        /// The database is written. The toolchain waits, some seconds, until it is acknowledged.
        case database(Notice)
        case started
        case stopped
    }

    public struct Notice: Sendable {
        /// On the toolchain's host; nil: there is no database.
        public let path: String?
        /// Who wrote it.
        public let source: IPv4Address
        let number: Int
        let listener: NotificationListener

        /// Tells the toolchain that the database has been read. A notice that a newer one has replaced is not answered.
        public func acknowledge() async { await self.listener.acknowledge(self.number) }
    }

    private struct Peer: Hashable, Sendable {
        var address: IPv4Address
        var port: Int
    }

    private struct State: Sendable {
        var machine = VisualiserMachine<Peer>()
        var ignored = 0
    }

    private let listener: UDPListener
    private let state = Mutex(State())

    private init(_ listener: UDPListener) { self.listener = listener }

    /// Opens the port, runs `body`, closes it.
    public static func with<Output>(
        address: IPv4Address = .any, port: Int = NotificationMessage.port,
        _ body: (NotificationListener) async throws -> Output
    ) async throws -> Output {
        // The longest that UDP has: a path may be long.
        try await UDPListener.with(address: address, port: port, bufferSize: 64, maximumDatagram: 65536) { listener in
            try await body(NotificationListener(listener))
        }
    }

    /// The port it got, when 0 was asked for.
    public var port: Int { self.listener.port }
    /// Datagrams that were no notification, or told nothing new.
    public var ignored: Int { self.state.withLock { $0.ignored } }

    /// The next event, if it comes in time.
    ///
    /// - Throws: ``NotificationError/Code/nothingCame``, and then it can be asked again.
    public func next(within timeout: Duration) async throws(NotificationError) -> Event {
        let end = ContinuousClock.now + timeout
        while true {
            switch await self.listener.datagrams.next(within: Swift.max(.zero, end - .now)) {
            case .element(let datagram): if let event = await self.event(of: datagram) { return event }
            case .late: throw NotificationError(.nothingCame, "nothing was notified within \(timeout)")
            case .ended: throw NotificationError(.ended, "the listener for notifications has ended")
            }
        }
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let listener: NotificationListener
        public mutating func next() async -> Event? { await self.next(isolation: nil) }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
            while let datagram = await self.listener.listener.datagrams.next() {
                if let event = await self.listener.event(of: datagram) { return event }
            }
            return nil
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }

    /// What a datagram tells; nil: nothing that is to be told.
    private func event(of datagram: UDPListener.Datagram) async -> Event? {
        let peer = Peer(address: datagram.source, port: datagram.sourcePort)
        let action = self.state.withLock { state in
            let message = try? NotificationMessage(datagram: datagram.data)
            let action = message.flatMap { state.machine.received($0, from: peer) }
            if action == nil { state.ignored += 1 }
            return action
        }
        switch action {
        case .database(let notice):
            return .database(Notice(path: notice.path, source: peer.address, number: notice.number, listener: self))
        case .acknowledge(let peer):
            await self.acknowledge(peer)
            return nil
        case .started: return .started
        case .stopped: return .stopped
        case nil: return nil
        }
    }

    private func acknowledge(_ number: Int) async {
        if let peer = self.state.withLock({ $0.machine.databaseRead(number) }) { await self.acknowledge(peer) }
    }

    private func acknowledge(_ peer: Peer) async {
        var datagram = ByteBuffer()
        NotificationMessage.acknowledgement.write(into: &datagram)
        // To where the notification came from, whatever port the toolchain uses. A toolchain that is gone is no failure.
        try? await self.listener.send(datagram, to: peer.address, port: peer.port)
    }
}
