//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Something one task waits at until it is opened: by a change, by time, or by the task's cancellation. It stays open.
final class WaitGate: Sendable {
    private enum State {
        case closed
        case waiting(CheckedContinuation<Void, Never>)
        case open
    }

    private let state = NIOLockedValueBox(State.closed)

    func open() {
        let waiter = self.state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            defer { state = .open }
            guard case .waiting(let waiter) = state else { return nil }
            return waiter
        }
        waiter?.resume()
    }

    /// One task only, once.
    func wait(within limit: Duration?) async {
        let timer = limit.map { limit in
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .milliseconds(max(0, limit.milliseconds))) {
                self.open()
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isOpen = self.state.withLockedValue { state in
                    if case .open = state { return true }
                    state = .waiting(continuation)
                    return false
                }
                if isOpen { continuation.resume() }
            }
        } onCancel: {
            self.open()
        }
        timer?.cancel()
    }
}
