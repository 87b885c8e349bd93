//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Lets one task at a time do a piece of work that many want done, and tells the others how it went.
///
/// No unstructured task: the first to come works in its own task. When that one is cancelled, the next in line takes over;
/// any other failure is everybody's, so that a refused password is sent once and not once per waiter.
actor SingleFlight<Value: Sendable> {
    private enum Turn {
        case work
        case outcome(Result<Value, SpallocError>)
    }

    private var isBusy = false
    private var nextTicket: UInt64 = 0
    private var waiting: [(ticket: UInt64, continuation: CheckedContinuation<Turn, Never>)] = []

    /// Runs `work`, or waits for the run that is under way.
    func run(_ work: @Sendable () async throws(SpallocError) -> Value) async throws(SpallocError) -> Value {
        switch await self.turn() {
        case .outcome(let result):
            return try result.get()
        case .work:
            let result: Result<Value, SpallocError>
            do throws(SpallocError) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            self.finish(result)
            return try result.get()
        }
    }

    private func turn() async -> Turn {
        guard self.isBusy else {
            self.isBusy = true
            return .work
        }
        let ticket = self.nextTicket
        self.nextTicket += 1
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume(returning: .outcome(.failure(SpallocError(.cancelled, "cancelled while logging in"))))
                } else {
                    self.waiting.append((ticket, continuation))
                }
            }
        } onCancel: {
            Task { await self.cancel(ticket) }
        }
    }

    private func cancel(_ ticket: UInt64) {
        guard let index = self.waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        let waiter = self.waiting.remove(at: index)
        waiter.continuation.resume(returning: .outcome(.failure(SpallocError(.cancelled, "cancelled while logging in"))))
    }

    private func finish(_ result: Result<Value, SpallocError>) {
        if case .failure(let error) = result, error.code == .cancelled {
            if self.waiting.isEmpty {
                self.isBusy = false
            } else {
                self.waiting.removeFirst().continuation.resume(returning: .work)
            }
            return
        }
        self.isBusy = false
        let waiting = self.waiting
        self.waiting = []
        for waiter in waiting { waiter.continuation.resume(returning: .outcome(result)) }
    }
}
