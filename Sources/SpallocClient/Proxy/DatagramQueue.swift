//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerWire

/// What has arrived on a link and nobody has taken yet: bounded, the overflow dropped and counted, so that a slow reader
/// holds up nobody but itself.
///
/// Everything may be called from anywhere; the lock is held for a few instructions.
final class DatagramQueue: DatagramReceiver, Sendable {
    private struct State {
        var waiting = CircularBuffer<ByteBuffer>()
        var readers: [(id: UInt64, continuation: CheckedContinuation<Result<ByteBuffer?, SpallocError>, Never>)] = []
        var nextID: UInt64 = 0
        var dropped = 0
        /// Set once: nil inside says that it was closed here.
        var ending: SpallocError??
    }

    private let state: NIOLockedValueBox<State>
    private let limit: Int
    private let eventLoop: any EventLoop
    private let describe: @Sendable (any Error) -> SpallocError
    /// Looks at each datagram first, on the event loop; true: it was for someone else.
    private let filter: NIOLockedValueBox<(@Sendable (ByteBuffer) -> Bool)?>

    init(limit: Int = 1024, on eventLoop: any EventLoop, describe: @escaping @Sendable (any Error) -> SpallocError) {
        self.state = NIOLockedValueBox(State())
        self.limit = limit
        self.eventLoop = eventLoop
        self.describe = describe
        self.filter = NIOLockedValueBox(nil)
    }

    var dropped: Int { self.state.withLockedValue { $0.dropped } }

    func setFilter(_ filter: @escaping @Sendable (ByteBuffer) -> Bool) { self.filter.withLockedValue { $0 = filter } }

    func datagramReceived(_ datagram: ByteBuffer) {
        if let filter = self.filter.withLockedValue({ $0 }), filter(datagram) { return }
        let reader = self.state.withLockedValue { state -> CheckedContinuation<Result<ByteBuffer?, SpallocError>, Never>? in
            if !state.readers.isEmpty { return state.readers.removeFirst().continuation }
            if state.waiting.count < self.limit { state.waiting.append(datagram) } else { state.dropped += 1 }
            return nil
        }
        reader?.resume(returning: .success(datagram))
    }

    func datagramReadComplete() {}

    func linkClosed(_ error: (any Error)?) {
        let ending = error.map(self.describe)
        let readers = self.state.withLockedValue { state in
            if state.ending == nil { state.ending = .some(ending) }
            defer { state.readers = [] }
            return state.readers
        }
        for reader in readers { reader.continuation.resume(returning: ending.map { .failure($0) } ?? .success(nil)) }
    }

    /// The next datagram; nil once the link was closed here and everything was taken.
    /// - Parameter timeout: nil: for as long as it takes, or until the task is cancelled.
    func next(timeout: Duration?, or late: @autoclosure () -> SpallocError) async throws(SpallocError) -> ByteBuffer? {
        let id = self.state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        let late = late()
        let timer = timeout.map { timeout in
            self.eventLoop.scheduleTask(in: TimeAmount(max(timeout, .zero))) { self.giveUp(id, late) }
        }
        defer { timer?.cancel() }
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = self.state.withLockedValue { state -> Result<ByteBuffer?, SpallocError>? in
                    if let datagram = state.waiting.popFirst() { return .success(datagram) }
                    if let ending = state.ending { return ending.map { .failure($0) } ?? .success(nil) }
                    // A cancellation that came before this has found nobody to wake.
                    if Task.isCancelled { return .failure(SpallocError(.cancelled, "cancelled while receiving")) }
                    state.readers.append((id, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            self.giveUp(id, SpallocError(.cancelled, "cancelled while receiving"))
        }.get()
    }

    private func giveUp(_ id: UInt64, _ error: SpallocError) {
        let reader = self.state.withLockedValue { state in
            state.readers.firstIndex { $0.id == id }.map { state.readers.remove(at: $0).continuation }
        }
        reader?.resume(returning: .failure(error))
    }
}

/// What arrives, in order; ends when the connection is closed here, throws when it is lost. For one reader.
public struct SpallocDatagrams: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = SpallocError

    let queue: DatagramQueue

    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: DatagramQueue
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SpallocError) -> ByteBuffer? {
            do throws(SpallocError) {
                return try await self.queue.next(timeout: nil, or: SpallocError(.timeout, ""))
            } catch {
                // As with every sequence, cancellation ends it.
                guard error.code != .cancelled else { return nil }
                throw error
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self.queue) }
}
