//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerWire
import Synchronization

/// Live output: the EIEIO messages among the datagrams that boards send by their IP tags.
///
/// ```swift
/// for await message in EIEIOReceiver(listener) {
///     for event in message.presentElements { … }
/// }
/// ```
///
/// The datagrams may come from a ``UDPListener``, a link, or the listener of a job's proxy; they wait there, in a bounded
/// buffer. Commands and what is no EIEIO are left out and counted: see ``counts``.
public struct EIEIOReceiver<Datagrams: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Datagrams.Element == ByteBuffer {
    public typealias Element = EIEIODataMessage
    public typealias Failure = Datagrams.Failure

    /// What has been received so far.
    public struct Counts: Hashable, Sendable {
        public var messages = 0
        public var commands = 0
        /// Datagrams that are no EIEIO.
        public var malformed = 0
        /// Messages with fewer elements than they announce; they are among ``messages``.
        public var truncated = 0
    }

    fileprivate final class Box: Sendable { let counts = Mutex(Counts()) }
    private let datagrams: Datagrams
    private let box = Box()

    public init(_ datagrams: Datagrams) { self.datagrams = datagrams }

    public var counts: Counts { self.box.counts.withLock { $0 } }

    public struct AsyncIterator: AsyncIteratorProtocol {
        var datagrams: Datagrams.AsyncIterator
        fileprivate let box: Box

        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(Datagrams.Failure) -> EIEIODataMessage? {
            while let datagram = try await self.datagrams.next(isolation: actor) {
                guard let message = try? EIEIOMessage(datagram: datagram) else {
                    self.box.counts.withLock { $0.malformed += 1 }
                    continue
                }
                guard case .data(let data) = message else {
                    self.box.counts.withLock { $0.commands += 1 }
                    continue
                }
                self.box.counts.withLock { counts in
                    counts.messages += 1
                    if !data.isComplete { counts.truncated += 1 }
                }
                return data
            }
            return nil
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(datagrams: self.datagrams.makeAsyncIterator(), box: self.box)
    }
}

extension EIEIOReceiver where Datagrams == UDPListener.Payloads {
    public init(_ listener: UDPListener) { self.init(listener.payloads) }
}
