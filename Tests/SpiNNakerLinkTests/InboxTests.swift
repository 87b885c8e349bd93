//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import Testing

@Suite(.timeLimit(.minutes(3))) struct InboxTests {
    @Test func inOrderAndBounded() async {
        let inbox = SpiNNakerLink.Inbox<Int>(limit: 3)
        for number in 0..<5 { inbox.put(number) }
        #expect(inbox.dropped == 2)
        inbox.finish()
        inbox.put(9)
        var all: [Int] = []
        for await number in inbox { all.append(number) }
        #expect(all == [0, 1, 2])
        #expect(inbox.dropped == 3)
    }

    /// An inbox that could hold nothing would lose whatever comes between two waits.
    @Test(arguments: [0, -1, 1]) func anInboxHoldsOneAtLeast(_ limit: Int) async {
        let inbox = SpiNNakerLink.Inbox<Int>(limit: limit)
        for number in 0..<3 { inbox.put(number) }
        #expect(await inbox.next() == 0)
        #expect(inbox.dropped == 2)
    }

    @Test func aWaitMayEndWithoutTheRest() async {
        let inbox = SpiNNakerLink.Inbox<Int>(limit: 3)
        guard case .late = await inbox.next(within: .zero) else { return #expect(Bool(false), "nothing had come") }
        inbox.put(1)
        guard case .element(1) = await inbox.next(within: .seconds(30)) else { return #expect(Bool(false), "1 had come") }
        inbox.finish()
        guard case .ended = await inbox.next(within: .seconds(30)) else { return #expect(Bool(false), "it had ended") }
    }

    @Test func cancellationEndsTheWaitAndNothingElse() async {
        let inbox = SpiNNakerLink.Inbox<Int>(limit: 3)
        let task = Task { await inbox.next() }
        task.cancel()
        #expect(await task.value == nil)
        inbox.put(7)
        #expect(await inbox.next() == 7)
        #expect(inbox.dropped == 0)
    }

    @Test func whoeverWaitsIsServed() async {
        let inbox = SpiNNakerLink.Inbox<Int>(limit: 1)
        await withTaskGroup(of: Int?.self) { tasks in
            for _ in 0..<10 { tasks.addTask { await inbox.next() } }
            var got: [Int] = []
            var next = 0
            // However the readers come: one element at a time, so that none is dropped.
            while got.count < 10 {
                inbox.put(next)
                next += 1
                if let number = await tasks.next() { got.append(number ?? -1) }
            }
            #expect(got.sorted() == Array(0..<10))
        }
    }
}
