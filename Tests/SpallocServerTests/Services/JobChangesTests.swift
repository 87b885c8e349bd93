//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI
import SpallocServer
import Testing

@Suite(.timeLimit(.minutes(3))) struct JobChangesTests {
    private func change(_ job: Int, _ revision: Int64, _ state: JobState = .ready) -> JobChange {
        JobChange(job: job, revision: revision, state: state)
    }

    /// The lost wake-up of the reference: a change between reading and waiting.
    @Test func aChangeBeforeTheWaitIsNotMissed() async {
        let changes = JobChanges()
        // Revision 1 was read; before the wait begins, revision 2 is there.
        changes.publish([self.change(7, 2)])
        await changes.next(.job(7), after: 1, within: .seconds(600))
        #expect(changes.waiterCount == 0)
    }

    @Test func aWaiterIsWokenByItsJobOnly() async throws {
        let changes = JobChanges()
        async let woken: Void = changes.next(.job(7), after: 3, within: .seconds(600))
        try await eventually("the waiter to wait") { changes.waiterCount == 1 }
        changes.publish([self.change(8, 9)])
        changes.publish([self.change(7, 3)])
        changes.publish(machine: "m")
        // 7 has no new revision, but it was published: whoever waits looks again, which is harmless.
        changes.publish([self.change(7, 4)])
        await woken
        #expect(changes.waiterCount == 0)
    }

    @Test func timeAndCancellationEndAWait() async throws {
        let changes = JobChanges()
        await changes.next(.job(1), after: 0, within: .milliseconds(5))
        #expect(changes.waiterCount == 0)
        let task = Task { await changes.next(.job(1), after: 0, within: .seconds(600)) }
        try await eventually("the waiter to wait") { changes.waiterCount == 1 }
        task.cancel()
        await task.value
        #expect(changes.waiterCount == 0)
    }

    @Test func aCancelledTaskDoesNotWait() async {
        let changes = JobChanges()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await changes.next(.job(1), after: 0, within: .seconds(600))
        }
        await task.value
        #expect(changes.waiterCount == 0)
    }

    @Test func theListHasANumberOfItsOwn() async {
        let changes = JobChanges()
        let known = changes.current(.jobs)
        changes.publish([self.change(1, 5)])
        #expect(changes.current(.jobs) == known)
        changes.publish([self.change(2, 1, .queued)])
        #expect(changes.current(.jobs) == known + 1)
        changes.publish([self.change(1, 6, .destroyed)])
        #expect(changes.current(.jobs) == known + 2)
        await changes.next([(.job(99), 0), (.jobs, known)], within: .seconds(600))
    }

    @Test func atTheEndNobodyWaits() async throws {
        let changes = JobChanges()
        async let waiter: Void = changes.next(.job(1), after: 0, within: .seconds(600))
        try await eventually("the waiter to wait") { changes.waiterCount == 1 }
        changes.end()
        await waiter
        await changes.next(.job(1), after: 0, within: .seconds(600))
    }

    @Test func aThousandWaitersAllWake() async throws {
        let changes = JobChanges()
        await withTaskGroup(of: Void.self) { group in
            for job in 0..<1000 { group.addTask { await changes.next(.job(job % 10), after: 0, within: .seconds(600)) } }
            try? await eventually("all to wait") { changes.waiterCount == 1000 }
            changes.publish((0..<10).map { self.change($0, 1) })
        }
        #expect(changes.waiterCount == 0)
    }

    @Test func nudgesCoalesceAndEnd() async {
        let nudge = Nudge()
        nudge.signal()
        nudge.signal()
        #expect(await nudge.wait())
        // Both were one: this one waits for its time.
        #expect(await nudge.wait(.milliseconds(5)))
        nudge.end()
        #expect(await nudge.wait() == false)
    }
}
