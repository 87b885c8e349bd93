//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore

/// What has arrived and nobody has taken yet, in order: bounded, the overflow dropped and counted.
///
/// An `AsyncStream` ends for good when a task that waits for it is cancelled; this does not, so that one can wait for the
/// next element with a deadline, and then wait again.
public final class Inbox<Element: Sendable>: AsyncSequence, Sendable {
    private typealias Reader = CheckedContinuation<Element?, Never>
    private struct State {
        var waiting = CircularBuffer<Element>()
        var readers: [(id: UInt64, continuation: Reader)] = []
        var nextID: UInt64 = 0
        var dropped = 0
        var isFinished = false
    }

    private let state = NIOLockedValueBox(State())
    private let limit: Int

    /// - Parameter limit: so many wait at most.
    public init(limit: Int) { self.limit = Swift.max(1, limit) }

    /// How many were dropped because nobody took them in time.
    public var dropped: Int { self.state.withLockedValue { $0.dropped } }

    /// Hands an element to who waits longest, or keeps it.
    package func put(_ element: Element) {
        let reader = self.state.withLockedValue { state -> Reader? in
            if !state.readers.isEmpty { return state.readers.removeFirst().continuation }
            if state.waiting.count < self.limit, !state.isFinished {
                state.waiting.append(element)
            } else {
                state.dropped += 1
            }
            return nil
        }
        reader?.resume(returning: element)
    }

    /// Nothing comes any more; what is there can still be taken.
    package func finish() {
        let readers = self.state.withLockedValue { state in
            state.isFinished = true
            defer { state.readers = [] }
            return state.readers
        }
        for reader in readers { reader.continuation.resume(returning: nil) }
    }

    /// The next element; nil when there is none any more, or the task is cancelled.
    public func next() async -> Element? {
        let id = self.state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = self.state.withLockedValue { state -> Element?? in
                    if let element = state.waiting.popFirst() { return .some(element) }
                    // A cancellation that came before this has found nobody to wake.
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    state.readers.append((id, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let reader = self.state.withLockedValue { state in
                state.readers.firstIndex { $0.id == id }.map { state.readers.remove(at: $0).continuation }
            }
            reader?.resume(returning: nil)
        }
    }

    /// How a wait with a deadline ends.
    public enum Arrival: Sendable {
        case element(Element)
        /// Nothing came in time.
        case late
        /// Nothing comes any more, or the task was cancelled.
        case ended
    }

    private enum Signal: Sendable { case arrived(Element?), late }

    /// The next element, if it comes within `timeout`.
    public func next(within timeout: Duration) async -> Arrival {
        await withTaskGroup(of: Signal.self) { tasks in
            tasks.addTask { .arrived(await self.next()) }
            tasks.addTask {
                try? await Task.sleep(for: timeout)
                return .late
            }
            var isLate = false
            var result: Arrival?
            for await signal in tasks {
                switch signal {
                // One that comes as the time is over is not lost: it was taken, so it is returned.
                case .arrived(let element?): result = .element(element)
                case .arrived(nil): if result == nil, !isLate { result = .ended }
                case .late: isLate = true
                }
                tasks.cancelAll()
            }
            return result ?? (Task.isCancelled ? .ended : .late)
        }
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let inbox: Inbox
        public mutating func next() async -> Element? { await self.inbox.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> Element? { await self.inbox.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(inbox: self) }
}

/// What arrives on a ``DatagramLink``, for whoever reads it: an ``Inbox`` as the link's receiver.
public final class LinkInbox: DatagramReceiver, Sendable {
    public let datagrams: Inbox<ByteBuffer>

    private init(bufferSize: Int) { self.datagrams = Inbox(limit: bufferSize) }

    /// Becomes the link's receiver.
    public static func attach(to link: any DatagramLink, bufferSize: Int = 1024) async -> LinkInbox {
        let inbox = LinkInbox(bufferSize: bufferSize)
        await withCheckedContinuation { continuation in
            link.eventLoop.execute {
                link.setReceiver(inbox)
                continuation.resume()
            }
        }
        return inbox
    }

    public func datagramReceived(_ datagram: ByteBuffer) { self.datagrams.put(datagram) }
    public func datagramReadComplete() {}
    public func linkClosed(_ error: (any Error)?) { self.datagrams.finish() }
}

extension DatagramLink {
    /// Sends datagrams together, from any task. That they have left does not mean that they arrive.
    package func send(_ datagrams: [ByteBuffer]) async {
        await withCheckedContinuation { continuation in
            self.eventLoop.execute {
                for datagram in datagrams { self.write(datagram) }
                self.flush()
                continuation.resume()
            }
        }
    }
}
