//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Synchronization

/// The toolchain's end of the notification protocol: tells visualisers that the database of a simulation is written, waits
/// until they have read it, and tells them when the simulation starts and stops.
///
/// ```swift
/// try await NotificationSender.with([.init(host: "localhost")]) { visualisers in
///     try await visualisers.databaseIsWritten(at: path)
///     …
///     await visualisers.started()
///     …
///     await visualisers.stopped()
/// }
/// ```
public final class NotificationSender: Sendable {
    /// Where a visualiser listens.
    public struct Visualiser: Hashable, Sendable, CustomStringConvertible {
        /// A name or a dotted quad. 0.0.0.0 means this host.
        public var host: String
        public var port: Int
        public init(host: String, port: Int = NotificationMessage.port) {
            self.host = host
            self.port = port
        }
        public var description: String { "\(self.host):\(self.port)" }
    }

    private struct Line: Sendable {
        var visualiser: Visualiser
        var link: UDPLink
        var inbox: LinkInbox
    }

    public let visualisers: [Visualiser]
    private let lines = Mutex<[Line]>([])
    /// What a UDP datagram takes over IPv4, less the command's word.
    private static let maximumPathBytes = 65507 - 2

    private init(_ visualisers: [Visualiser]) { self.visualisers = visualisers }

    /// Runs `body` with a sender, and closes its sockets.
    public static func with<Output>(
        _ visualisers: [Visualiser], _ body: (NotificationSender) async throws -> Output
    ) async throws -> Output {
        let sender = NotificationSender(visualisers)
        defer { sender.replaceLines(by: []) }
        return try await body(sender)
    }

    private func replaceLines(by lines: [Line]) {
        let old = self.lines.withLock { current in
            let old = current
            current = lines
            return old
        }
        for line in old { line.link.close() }
    }

    /// Tells all visualisers where the database is, and waits until each has read it.
    ///
    /// Sent once: the reference visualiser takes a second one for something else, and stops. Each part of a run begins with
    /// this, and has sockets of its own, as a late answer to an earlier part is no answer to this one.
    ///
    /// - Parameters:
    ///   - path: of the SQLite file; visualisers on other hosts will not find it. nil: there is none.
    ///   - deadline: for all acknowledgements together; nil: do not wait for any.
    /// - Throws: ``NotificationError``, which names the visualisers that have not answered.
    public func databaseIsWritten(
        at path: String?, acknowledgedWithin deadline: Duration? = NotificationMessage.acknowledgementWait
    ) async throws(NotificationError) {
        if let path {
            guard path.count <= NotificationMessage.maximumPathLength,
                path.utf8.count <= NotificationSender.maximumPathBytes
            else {
                throw NotificationError(.pathTooLong, "a database's path of \(path.count) characters fits no notification")
            }
        }
        var lines: [Line] = []
        for visualiser in self.visualisers {
            do {
                let host = visualiser.host == "0.0.0.0" ? "localhost" : visualiser.host
                let link = try await UDPLink.connect(to: UDPLink.resolve(host), port: visualiser.port)
                lines.append(
                    Line(visualiser: visualiser, link: link, inbox: await LinkInbox.attach(to: link, bufferSize: 16)))
            } catch {
                for line in lines { line.link.close() }
                throw NotificationError(
                    .unreachable, "the visualiser at \(visualiser) can not be told: \(error)", visualisers: [visualiser])
            }
        }
        self.replaceLines(by: lines)
        await self.send(.database(path: path))
        guard let deadline else { return }
        let end = ContinuousClock.now + deadline
        var silent: [Visualiser] = []
        // One after the other: what comes meanwhile waits in its inbox.
        for line in lines {
            switch await self.isAcknowledged(line, by: end) {
            case .some(true): break
            case .some(false): silent.append(line.visualiser)
            case nil:
                throw NotificationError(.ended, "waiting for \(line.visualiser) was cancelled", visualisers: [line.visualiser])
            }
        }
        if !silent.isEmpty {
            let names = silent.map(\.description).joined(separator: ", ")
            throw NotificationError(
                .notAcknowledged, "the database was not acknowledged within \(deadline) by \(names)", visualisers: silent)
        }
    }

    /// nil: the wait was cancelled.
    private func isAcknowledged(_ line: Line, by end: ContinuousClock.Instant) async -> Bool? {
        while true {
            switch await line.inbox.datagrams.next(within: max(.zero, end - .now)) {
            case .element(let datagram):
                // Anything else is not for us to judge, nor an answer.
                if (try? NotificationMessage(datagram: datagram)) == NotificationMessage.acknowledgement { return true }
            case .late: return false
            case .ended: return nil
            }
        }
    }

    /// The simulation has started, or goes on.
    public func started() async { await self.send(.startResume) }

    /// The simulation has stopped, or pauses.
    public func stopped() async { await self.send(.stopPause) }

    private func send(_ message: NotificationMessage) async {
        var datagram = ByteBuffer()
        message.write(into: &datagram)
        for line in self.lines.withLock({ $0 }) { await line.link.send([datagram]) }
    }
}
