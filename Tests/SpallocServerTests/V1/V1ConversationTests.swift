//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocServer
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct V1ConversationTests {
    /// What becomes of some bytes, each request being answered at once.
    private func steps(_ pieces: [String], limit: Int = 200, end: Bool = false) -> [V1Conversation.Step] {
        var conversation = V1Conversation(limit: limit)
        var steps: [V1Conversation.Step] = []
        func go() {
            while true {
                let step = conversation.next()
                switch step {
                case .wait: return
                case .ask: conversation.answered()
                case .refuse: break
                case .close:
                    steps.append(step)
                    return
                }
                steps.append(step)
            }
        }
        for piece in pieces {
            conversation.received(ByteBuffer(string: piece))
            go()
        }
        if end {
            conversation.ended()
            go()
        }
        return steps
    }

    private func ask(_ line: String) throws -> V1Conversation.Step { .ask(try V1Question(line: ByteBuffer(string: line))) }

    private static let version = #"{"command":"version"}"#

    @Test func linesAreAskedInTheirOrder() throws {
        let state = #"{"command":"get_job_state","args":[3]}"#
        #expect(
            self.steps([V1ConversationTests.version + "\n" + state + "\n"])
                == [try self.ask(V1ConversationTests.version), try self.ask(state)])
    }

    @Test func aLineMayComeByteByByteAndEndInCRLF() throws {
        let bytes = (V1ConversationTests.version + "\r\n").map { String($0) }
        #expect(self.steps(bytes) == [try self.ask(V1ConversationTests.version)])
    }

    @Test func emptyLinesAreNothing() throws {
        #expect(self.steps(["\n\r\n\n" + V1ConversationTests.version + "\n\n"]) == [try self.ask(V1ConversationTests.version)])
    }

    @Test func theSecondRequestWaitsForTheAnswerToTheFirst() throws {
        var conversation = V1Conversation()
        conversation.received(ByteBuffer(string: "\(V1ConversationTests.version)\n\(V1ConversationTests.version)\n"))
        let version = try self.ask(V1ConversationTests.version)
        #expect(conversation.next() == version)
        #expect(conversation.isBusy)
        #expect(conversation.next() == .wait)
        conversation.answered()
        #expect(conversation.next() == version)
    }

    /// What the original closes without a word; nothing behind it is looked at.
    @Test(arguments: [
        "not JSON", "[]", "3", "{}", #"{"command":5}"#, #"{"command":"make_tea"}"#, #"{"command":"version","args":{}}"#,
        #"{"command":"version","kwargs":[]}"#, #"{"command":"version""#,
    ])
    func whatIsNoCallCloses(_ line: String) {
        let steps = self.steps([line + "\n" + V1ConversationTests.version + "\n"])
        #expect(steps.count == 1)
        guard case .close(.some)? = steps.first else {
            Issue.record("\(steps)")
            return
        }
    }

    @Test func whatIsNotUTF8Closes() {
        var conversation = V1Conversation()
        conversation.received(ByteBuffer(bytes: [0x22, 0xFF, 0xFE, 0x22, 0x0A]))
        guard case .close(.some) = conversation.next() else {
            Issue.record("not closed")
            return
        }
        #expect(conversation.next() == .close(nil))
    }

    /// Wrong arguments are for the caller to know; the connection goes on.
    @Test(arguments: [
        #"{"command":"version","args":[1]}"#, #"{"command":"get_job_state"}"#, #"{"command":"create_job","args":[1]}"#,
        #"{"command":"where_is","kwargs":{"machine":"m"}}"#, #"{"command":"get_job_state","args":[1],"kwargs":{"job_id":1}}"#,
    ])
    func wrongArgumentsAreRefused(_ line: String) throws {
        let steps = self.steps([line + "\n" + V1ConversationTests.version + "\n"])
        let version = try self.ask(V1ConversationTests.version)
        #expect(steps.count == 2 && steps.last == version)
        guard case .refuse(let reason)? = steps.first else {
            Issue.record("\(steps)")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test func aLineHasALimitWhetherItEndsOrNot() {
        let long = String(repeating: "x", count: 500)
        for text in [long, long + "\n"] {
            #expect(self.steps([text]) == [.close(.lineTooLong(limit: 200))])
        }
        let fits = #"{"command":"version""# + String(repeating: " ", count: 150) + "}\n"
        #expect(self.steps([fits]).count == 1)
    }

    @Test func afterTheEndWhatWasAskedIsAnswered() throws {
        let version = V1ConversationTests.version
        #expect(self.steps([version + "\n" + version], end: true) == [try self.ask(version), .close(nil)])
        #expect(self.steps([], end: true) == [.close(nil)])
    }
}

@Suite(.timeLimit(.minutes(3))) struct V1WatchTests {
    @Test func nothingThenSomeThenAll() {
        var watch = V1Watch<Int>()
        #expect(!watch.covers(1))
        let isTaken = (watch.add(1), watch.add(2))
        #expect(isTaken == (true, true))
        #expect(watch.covers(1) && watch.covers(2) && !watch.covers(3))
        watch.drop(1)
        #expect(!watch.covers(1) && watch.covers(2))
        #expect(watch.add(nil) == true)
        #expect(watch.covers(3))
        watch.drop(nil)
        #expect(!watch.covers(2) && !watch.covers(3))
    }

    /// As the original has it: who watches all can not drop one, and does not come to watch only one by asking for one.
    @Test func allIsAll() {
        var watch = V1Watch<String>()
        _ = watch.add(nil)
        _ = watch.add("a")
        watch.drop("a")
        #expect(watch.covers("a") && watch.covers("b"))
    }

    @Test func thereIsALimit() {
        var watch = V1Watch<Int>()
        for id in 0..<V1Watch<Int>.limit { #expect(watch.add(id) == true) }
        #expect(watch.add(-1) == false)
        #expect(watch.add(0) == true)
        #expect(!watch.covers(-1))
        #expect(watch.add(nil) == true)
        #expect(watch.covers(-1))
    }

    @Test func aChangeWaitsOnceHoweverOftenItComes() {
        let subscriber = V1Subscriber()
        #expect(subscriber.watch(job: nil) && subscriber.watch(machine: "m"))
        // Only the first calls the event loop.
        #expect(subscriber.note(job: 3))
        #expect(!subscriber.note(job: 1) && !subscriber.note(job: 3) && !subscriber.note(machine: "m"))
        #expect(!subscriber.note(machine: "other"))
        #expect(subscriber.heard())
        #expect(subscriber.take() == [.jobsChanged([3, 1]), .machinesChanged(["m"])])
        #expect(subscriber.take().isEmpty)
        #expect(subscriber.note(machine: "m"))
    }

    @Test func whatIsNoLongerWatchedIsNotTold() {
        let subscriber = V1Subscriber()
        #expect(subscriber.watch(job: 1) && subscriber.watch(job: 2))
        _ = (subscriber.note(job: 1), subscriber.note(job: 2))
        subscriber.unwatch(job: 1)
        #expect(subscriber.take() == [.jobsChanged([2])])
        _ = subscriber.note(job: 2)
        subscriber.unwatch(job: nil)
        #expect(subscriber.take().isEmpty)
    }

    /// Names that no machine can have are taken and forgotten.
    @Test func longNamesCostNothing() {
        let subscriber = V1Subscriber()
        for number in 0..<(V1Watch<String>.limit + 10) {
            #expect(subscriber.watch(machine: String(repeating: "x", count: 60) + "\(number)"))
        }
    }

    @Test func whoNeverReadsIsFoundOut() {
        let subscriber = V1Subscriber()
        #expect(subscriber.watch(job: nil))
        for job in 0..<V1Subscriber.limit { _ = subscriber.note(job: job) }
        #expect(subscriber.heard())
        _ = subscriber.note(job: -1)
        #expect(!subscriber.heard())
    }
}
