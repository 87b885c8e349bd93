//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerWire

/// One client: where it is, what it watches, and the request that waits for an answer. V1Handler is its side on the event
/// loop; serve(_:) its task.
package final class V1Connection: Sendable {
    /// What is under way between the event loop, which reads requests, and the task, which answers them. One request at a time.
    private enum Slot {
        case empty
        /// The task waits.
        case waiting(CheckedContinuation<V1Question?, Never>)
        case question(V1Question)
        case ended
    }

    package let channel: any Channel
    /// The peer's address, as the jobs that it keeps alive have it.
    package let host: String?
    package let subscriber = V1Subscriber()
    private let slot = NIOLockedValueBox(Slot.empty)
    private let heardAt: NIOLockedValueBox<NIODeadline>

    package init(channel: any Channel, now: NIODeadline) {
        self.channel = channel
        self.heardAt = NIOLockedValueBox(now)
        self.host = channel.remoteAddress?.ipAddress.map { address in
            // A listener on "::" sees IPv4 peers so.
            address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
        }
    }

    /// When the peer last asked for something.
    package var lastHeard: NIODeadline {
        get { self.heardAt.withLockedValue { $0 } }
        set { self.heardAt.withLockedValue { $0 = newValue } }
    }

    // MARK: - On the event loop

    /// The conversation gives no second request before the answer to the first.
    package func ask(_ question: V1Question) {
        let waiter = self.slot.withLockedValue { slot -> CheckedContinuation<V1Question?, Never>? in
            switch slot {
            case .waiting(let waiter):
                slot = .empty
                return waiter
            case .empty, .question:
                slot = .question(question)
                return nil
            case .ended: return nil
            }
        }
        waiter?.resume(returning: question)
    }

    /// The connection is closed.
    package func end() {
        let waiter = self.slot.withLockedValue { slot -> CheckedContinuation<V1Question?, Never>? in
            defer { slot = .ended }
            guard case .waiting(let waiter) = slot else { return nil }
            return waiter
        }
        waiter?.resume(returning: nil)
    }

    // MARK: - The task

    /// Answers requests until the connection is closed.
    package func serve(_ answer: (V1Question, String?) async -> ByteBuffer, deliver: (ByteBuffer) -> Void) async {
        while let question = await self.next() { deliver(await answer(question, self.host)) }
    }

    private func next() async -> V1Question? {
        await withCheckedContinuation { continuation in
            let ready: V1Question?? = self.slot.withLockedValue { slot in
                switch slot {
                case .question(let question):
                    slot = .empty
                    return .some(question)
                case .ended: return .some(nil)
                case .empty, .waiting:
                    slot = .waiting(continuation)
                    return nil
                }
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }
}
