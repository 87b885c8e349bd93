//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import SpallocCommands

/// The commands that ask for a place or switch boards: what they ask the service, and what they show of its answer.
extension CommandTests {
    /// A service that answers one path, and the questions that it was asked there.
    private func answering(_ path: String, _ json: String) -> (service: FakeService, asked: NIOLockedValueBox<[String]>) {
        let asked = NIOLockedValueBox<[String]>([])
        let service = FakeService(
            { $0.jobState = "READY" },
            special: { request in
                guard request.path == "/spalloc/srv/spalloc/" + path else { return nil }
                let query = request.query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
                asked.withLockedValue { $0.append("\(request.method) \(query)\(request.text)") }
                return .json(json)
            })
        return (service, asked)
    }

    private static let place = """
        {"machine":"M","chip":[9,5],"board-chip":[8,4],"logical-board-coordinates":[0,0,1],\
        "physical-board-coordinates":[0,1,2],"job-id":42,"job-chip":[1,1]}
        """
    private static let shown =
        #"{"machine":"M","board":"0,0,1","physical":"0,1,2","chip":"9,5","board-chip":"8,4","job":42,"job-chip":"1,1"}"#

    @Test(arguments: [
        (["--job", "42", "--chip", "1,1"], "jobs/42/chip", "x=1&y=1"),
        (["--machine", "M", "--chip", "9,5"], "machines/M/chip", "x=9&y=5"),
        (["--machine", "M", "--board", "0,0,1"], "machines/M/logical-board", "x=0&y=0&z=1"),
        (["--machine", "M", "--physical", "0,1,2"], "machines/M/physical-board", "board=2&cabinet=0&frame=1"),
        (["--machine", "M", "--ip", "10.0.0.9"], "machines/M/board-ip", "address=10.0.0.9"),
    ])
    func aPlaceIsAskedForByAnyOfItsNames(_ arguments: [String], _ path: String, _ query: String) async throws {
        let (service, asked) = self.answering(path, Self.place)
        let outcome = try await self.spalloc(["where-is", "--json"] + arguments, service: service)
        #expect(outcome.code == 0 && outcome.out == Self.shown, "\(outcome)")
        #expect(asked.withLockedValue { $0 } == ["GET \(query)"])
    }

    /// A board that nobody has, on a table.
    @Test func whatIsNotKnownOfAPlaceIsNotShown() async throws {
        let (service, _) = self.answering(
            "machines/M/chip", #"{"machine":"M","chip":[0,0],"physical-board-coordinates":[1,2,3]}"#)
        let outcome = try await self.spalloc(["where-is", "--machine", "M", "--chip", "0,0"], service: service)
        #expect(
            outcome.out.split(separator: "\n").map { $0.split(separator: " ").joined(separator: "=") } == [
                "machine=M", "physical=1,2,3", "chip=0,0",
            ])
    }

    @Test func aPlaceThatIsNotThereIsAnErrorAndAQueuedJobHasNone() async throws {
        let nowhere = try await self.spalloc(["where-is", "--machine", "M", "--chip", "99,0"], service: FakeService())
        #expect(nowhere.code == 1 && nowhere.out == "" && nowhere.err.contains("has no"), "\(nowhere.err)")
        let queued = FakeService(special: { $0.path.hasSuffix("jobs/42/chip") ? .reply(status: 204) : nil })
        let outcome = try await self.spalloc(["where-is", "--job", "42", "--chip", "0,0"], service: queued)
        #expect(outcome.code == 1 && outcome.err == "spalloc: job 42: it has no boards yet")
    }

    @Test(arguments: [
        ["--machine", "M", "--job", "1", "--chip", "0,0"], ["--machine", "M"], ["--machine", "M", "--chip", "0"],
        ["--machine", "M", "--chip", "0,0,0"], ["--machine", "M", "--chip", "0,0", "--ip", "10.0.0.1"],
        ["--job", "1", "--board", "0,0,0"], ["--machine", "M", "--ip", "10.0.0"], ["--machine", "M", "--physical", "1,2"],
    ])
    func placesThatSayTooLittleOrTooMuchAreWrongUsage(_ arguments: [String]) async {
        let outcome = await self.run(["where-is"] + arguments)
        #expect(outcome.code == 2 && outcome.out == "", "\(outcome)")
    }

    @Test func oneMachineIsToldAboutInFull() async throws {
        let board = { (z: Int) in #"{"x":0,"y":0,"z":\#(z),"cabinet":0,"frame":0,"board":\#(z),"address":null}"# }
        let (service, asked) = self.answering(
            "machines/M",
            """
            {"name":"M","tags":["default","lab"],"width":2,"height":1,"down-boards":[\(board(2))],\
            "down-links":[[{"board":\(board(0)),"direction":"N"},{"board":\(board(1)),"direction":"SE"}]]}
            """)
        let outcome = try await self.spalloc(["machines", "M", "--json"], service: service)
        #expect(
            outcome.out == """
                {"name":"M","tags":["default","lab"],"width":2,"height":1,"boards":6,"dead-boards":["0,0,2"],\
                "dead-links":["0,0,0:N-0,0,1:SE"]}
                """, "\(outcome)")
        #expect(asked.withLockedValue { $0.count } == 1)
        let unknown = try await self.spalloc(["machines", "X"], service: FakeService())
        #expect(unknown.code == 1 && unknown.err.contains("X"), "\(unknown.err)")
    }

    /// Switching waits until the job is ready again, and shows what the service then says.
    @Test(arguments: ["on", "off"]) func powerIsSwitchedAndWaitedFor(_ order: String) async throws {
        let wanted = order.uppercased()
        let steps = NIOLockedValueBox<[String]>([])
        let usual = FakeService { $0.jobState = "READY" }
        let service = FakeService(special: { request in
            if request.path.hasSuffix("/jobs/42/machine/power") {
                steps.withLockedValue { $0.append("\(request.method) \(request.text)") }
                if request.method != .GET { usual.setJob("POWER") }
                return .json(#"{"power":"\#(wanted)"}"#)
            }
            if request.path.hasSuffix("/jobs/42/"), request.query["wait"] != nil {
                steps.withLockedValue { $0.append("wait") }
                usual.setJob("READY")
                return .json(#"{"state":"READY","owner":"alice"}"#)
            }
            return await usual.answer(request)
        })
        let outcome = try await self.spalloc(["power", order, "42", "--json"], service: service)
        #expect(outcome.out == #"{"power":"\#(wanted)","id":42}"#, "\(outcome)")
        #expect(steps.withLockedValue { $0 } == [#"POST {"power":"\#(wanted)"}"#, "wait", "GET "])
    }

    @Test func showingPowerChangesNothing() async throws {
        let (service, asked) = self.answering("jobs/42/machine/power", #"{"power":"OFF"}"#)
        let outcome = try await self.spalloc(["power", "show", "42", "--quiet"], service: service)
        #expect(outcome.out == "OFF")
        #expect(asked.withLockedValue { $0 } == ["GET "])
    }

    @Test func aListIsCutAtItsLimitAndMayHoldWhatIsOver() async throws {
        let list = #"{"jobs":["https://x/spalloc/srv/spalloc/jobs/43","https://x/spalloc/srv/spalloc/jobs/42"]}"#
        let (service, asked) = self.answering("jobs/", list)
        let first = try await self.spalloc(["jobs", "--everybody", "--quiet", "--limit", "1"], service: service)
        #expect(first.out == "43")
        let all = try await self.spalloc(["jobs", "--quiet", "--destroyed"], service: service)
        #expect(all.out == "42")
        let questions = asked.withLockedValue { $0 }
        #expect(questions.count == 2 && !questions[0].contains("deleted=true") && questions[1].contains("deleted=true"))
    }

    /// The first failure ends it: what comes behind is still there.
    @Test func severalJobsAreDestroyedInTheirOrder() async throws {
        let service = FakeService { $0.jobState = "READY" }
        let outcome = try await self.spalloc(["destroy", "42", "7", "42"], service: service)
        #expect(outcome.code == 1 && outcome.err.contains("job 7:"))
        #expect(service.now.destroyReasons == ["destroyed by its user"])
    }
}
