//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct JobTests {
    @Test func aJobFromItsCreationToItsEnd() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let created = try await session.execute(
                .post, "jobs/", body: #"{"num-boards":3,"tags":["default"],"keepalive-interval":"PT120S"}"#)
            #expect(created.status == .created)
            #expect(created.headers[.location] == "http://localhost/spalloc/srv/spalloc/jobs/1")
            #expect(created.text == #"{"job-id":1,"job-ref":"http://localhost/spalloc/srv/spalloc/jobs/1"}"#)

            let ready = try await session.wait(1, for: [.ready])
            #expect(ready.owner == "alice" && ready.reason == nil && ready.finishTime == nil)
            #expect(ready.proxyRef == "ws://localhost/spalloc/proxy/1")
            #expect(ready.powerRef == "http://localhost/spalloc/srv/spalloc/jobs/1/machine/power")
            #expect(ready.originalRequest?.request.owner == "alice")
            #expect(ready.originalRequest?.request.keepaliveInterval?.seconds == 120)
            #expect(harness.bmp.on == [0, 1, 2])

            let machine = try await session.get(JobMachine.self, "jobs/1/machine")
            #expect(machine.width == 1 && machine.height == 1 && machine.depth == 3 && machine.machineName == "m1")
            #expect(
                machine.connections.map(\.chip) == [
                    ChipPosition(x: 0, y: 0), ChipPosition(x: 8, y: 4), ChipPosition(x: 4, y: 8),
                ])
            #expect(machine.connections.map(\.hostname) == ["127.10.0.10", "127.10.0.11", "127.10.0.12"])
            #expect(machine.boards == [BoardCoordinates(0, 0, 0), BoardCoordinates(0, 0, 1), BoardCoordinates(0, 0, 2)])
            #expect(try await session.get(PowerDescription.self, "jobs/1/machine/power").power == .on)

            let chip = try await session.get(WhereIs.self, "jobs/1/chip?x=9&y=5")
            #expect(chip.physicalBoardCoordinates == PhysicalCoordinates(cabinet: 0, frame: 0, board: 1))
            #expect(chip.boardChip == ChipPosition(x: 8, y: 4))

            let destroyed = try await session.execute(.delete, "jobs/1/?reason=finished")
            #expect(destroyed.status == .noContent)
            let end = try await session.get(JobDescription.self, "jobs/1?wait=true")
            #expect(end.state == .destroyed && end.reason == "finished" && end.finishTime != nil)
            #expect(end.keepaliveTime == nil && end.keepaliveHost == nil && end.proxyRef == nil)
            try await eventually("the boards to be off") { harness.bmp.on.isEmpty }
            // The first reason stays.
            #expect(try await session.execute(.delete, "jobs/1/?reason=again").status == .noContent)
            #expect(try await session.get(JobDescription.self, "jobs/1").reason == "finished")
        }
    }

    /// Strictly the keys of allocation-service.md §1.7: the Java client refuses any other.
    @Test func keysOfTheReplies() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let state = try await session.execute(.get, "jobs/\(job)")
            let always: Set<String> = [
                "state", "owner", "start-time", "keep-alive-time", "keepalive-ref", "machine-ref", "power-ref", "chip-ref",
                "proxy-ref",
                "original-request",
            ]
            #expect(try state.keys.subtracting(["keepalive-host"]) == always)
            #expect(state.text.contains(#""group":null"#) && state.text.contains(#""dimensions":null"#))
            let machine = try await session.execute(.get, "jobs/\(job)/machine")
            #expect(
                try machine.keys == [
                    "width", "height", "depth", "machine-name", "connections", "boards", "power", "machine-ref",
                ])
            #expect(machine.text.contains(#""connections":[[[0,0],"127.10.0.10"]]"#))
            #expect(try await session.execute(.get, "jobs/\(job)/machine/power").text == #"{"power":"ON"}"#)
        }
    }

    /// Quirks of the stock clients: slashes, doubled slashes, capital booleans. No answer is a redirect.
    @Test func quirksAreAccepted() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            for path in [
                "jobs/\(job)", "jobs/\(job)/", "jobs//\(job)/", "jobs//\(job)/?wait=False", "jobs", "jobs/",
                "jobs/?deleted=true", "machines",
                "machines/", "", "jobs/\(job)/machine", "jobs/\(job)/chip?x=255&y=255",
            ] {
                #expect(try await session.execute(.get, path).status == .ok, "\(path)")
            }
            let root = try await client.execute(
                uri: "/spalloc/srv/spalloc", method: .get, headers: [.cookie: "JSESSIONID=\(session.cookie)"])
            #expect(root.status == .ok)
        }
    }

    @Test(arguments: [
        (#"{"num-boards":2,"tags":["default"],"keepalive-interval":60.000000000}"#, 2, 3),
        (#"{"dimensions":{"width":1,"height":2},"machine-name":"m1","keepalive-interval":"PT1M"}"#, 6, 3),
        (#"{"board":{"x":1,"y":1,"z":2},"keepalive-interval":60}"#, 1, 1),
        (#"{"board":{"cabinet":0,"frame":0,"board":5},"keepalive-interval":60}"#, 1, 1),
        (#"{"board":{"address":"127.10.0.13"},"keepalive-interval":60}"#, 1, 1),
        (#"{"board":{"x":1,"y":0,"z":0},"dimensions":{"width":1,"height":1},"keepalive-interval":60}"#, 3, 3),
        (#"{"keepalive-interval":60}"#, 1, 1),
    ])
    func everySizeAndDurationForm(_ body: String, _ boards: Int, _ depth: Int) async throws {
        try await withService(machines: [machineDefinition(2, 2)]) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(body)
            _ = try await session.wait(job, for: [.ready])
            let machine = try await session.get(JobMachine.self, "jobs/\(job)/machine")
            #expect(machine.boards.count == boards && machine.depth == depth)
            // The root is where a client boots.
            #expect(machine.connections.contains { $0.chip == ChipPosition(x: 0, y: 0) })
        }
    }

    @Test(arguments: [
        (#"{"num-boards":4,"keepalive-interval":60}"#, "4 boards were asked for, but machine \"m1\" has only 3"),
        (
            #"{"dimensions":{"width":1,"height":2},"keepalive-interval":60}"#,
            "1 x 2 triads were asked for, but machine \"m1\" is 1 x 1"
        ),
        (#"{"num-boards":1}"#, "keepalive-interval is missing"),
        (#"{"keepalive-interval":29}"#, "keepalive-interval is to be 30.0 to 300.0 s"),
        (#"{"keepalive-interval":"PT301S"}"#, "keepalive-interval is to be 30.0 to 300.0 s"),
        (
            #"{"keepalive-interval":"soon"}"#,
            "keepalive-interval: \"soon\" is neither an ISO-8601 duration nor a number of seconds"
        ),
        (#"{"num-boards":0,"keepalive-interval":60}"#, "num-boards is not positive"),
        (
            #"{"num-boards":1,"dimensions":{"width":1,"height":1},"keepalive-interval":60}"#,
            "num-boards excludes dimensions and board"
        ),
        (#"{"machine-name":"m1","tags":["default"],"keepalive-interval":60}"#, "machine-name and tags exclude each other"),
        (#"{"tags":["none"],"keepalive-interval":60}"#, "there is no machine in service with the tags \"none\""),
        (#"{"machine-name":"m2","keepalive-interval":60}"#, "there is no machine \"m2\" in service"),
        (#"{"board":{"x":0,"y":0},"keepalive-interval":60}"#, "board: x, y and z (0...2) are needed together"),
        (#"{"board":{"address":"10.1.1.1"},"keepalive-interval":60}"#, "machine \"m1\" has no board 10.1.1.1"),
        (#"{"owner":"bob","keepalive-interval":60}"#, "you may not create jobs for others"),
        (#"{"group":"a","nmpi-collab":"b","keepalive-interval":60}"#, "group, nmpi-collab and nmpi-job-id exclude each other"),
        (#"{"boards":1,"keepalive-interval":60}"#, "unknown key \"boards\""),
    ])
    func everyRefusalHasItsReason(_ body: String, _ reason: String) async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let reply = try await session.execute(.post, "jobs", body: body)
            #expect(reply.status == .badRequest)
            #expect(reply.text == reason + "\n")
            #expect(reply.headers[.contentType] == "text/plain; charset=UTF-8")
            // In the reference some of these create the job all the same.
            #expect(try await session.get(JobList.self, "jobs?deleted=true").jobs.isEmpty)
        }
    }

    @Test(arguments: [
        "{", "[]", "", "null", "\"x\"", #"{"num-boards":"many","keepalive-interval":60}"#, #"{"num-boards":1e99}"#,
    ])
    func malformedJSONIs400(_ body: String) async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            #expect(try await session.execute(.post, "jobs", body: body).status == .badRequest)
        }
    }

    @Test func anotherContentTypeIs415() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let reply = try await session.execute(
                .post, "jobs", body: #"{"keepalive-interval":60}"#, headers: [.contentType: "text/plain"])
            #expect(reply.status == .unsupportedMediaType)
        }
    }

    /// allocation-service.md §9.1: other people's jobs are not there.
    @Test func visibility() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await alice.create()
            _ = try await alice.wait(job, for: [.ready])
            let bob = try await Session.logIn(client, as: "bob")
            let calls: [(HTTPRequest.Method, String, String?)] = [
                (.get, "", nil), (.delete, "", nil), (.put, "/keepalive", "alive"), (.get, "/machine", nil),
                (.get, "/machine/power", nil),
                (.post, "/machine/power", #"{"power":"OFF"}"#), (.get, "/chip?x=0&y=0", nil), (.get, "/memory?size=4", nil),
                (.post, "/memory", "abcd"), (.delete, "/router", nil), (.post, "/report-issue", #"{"issue":"x","boards":[]}"#),
            ]
            for (method, path, body) in calls {
                let theirs = try await bob.execute(method, "jobs/\(job)\(path)", body: body)
                let nobodys = try await bob.execute(method, "jobs/999\(path)", body: body)
                #expect(theirs.status == .notFound && theirs.text == nobodys.text, "\(method) \(path): \(theirs.status)")
            }
            #expect(harness.bmp.on == [0])
            // That there are jobs, all may see.
            #expect(try await bob.get(JobList.self, "jobs").jobs.count == 1)
            let admin = try await Session.logIn(client, as: "root")
            #expect(try await admin.get(JobDescription.self, "jobs/\(job)").owner == "alice")
            for name in ["x", "0", "-1", "99999999999999999999"] {
                #expect(try await alice.execute(.get, "jobs/\(name)").status == .notFound)
            }
        }
    }

    @Test func adminsCreateJobsForOthers() async throws {
        try await withService { _, client in
            let admin = try await Session.logIn(client, as: "root")
            let job = try await admin.create(#"{"owner":"bob","keepalive-interval":60}"#)
            let bob = try await Session.logIn(client, as: "bob")
            #expect(try await bob.get(JobDescription.self, "jobs/\(job)").owner == "bob")
            let unknown = try await admin.execute(.post, "jobs", body: #"{"owner":"zoe","keepalive-interval":60}"#)
            #expect(unknown.status == .badRequest && unknown.text == "there is no user \"zoe\"\n")
        }
    }

    @Test func nothingIsThereBeforeTheAllocation() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let first = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(first, for: [.ready])
            let second = try await session.create(#"{"num-boards":1,"keepalive-interval":60}"#)
            for path in ["machine", "machine/power", "chip?x=0&y=0"] {
                #expect(try await session.execute(.get, "jobs/\(second)/\(path)").status == .noContent, "\(path)")
            }
            let power = try await session.execute(.post, "jobs/\(second)/machine/power", body: #"{"power":"ON"}"#)
            #expect(power.status == .noContent)
            // And nothing after it: the reference says 200 with empty lists, and that the power is on.
            #expect(try await session.execute(.delete, "jobs/\(first)").status == .noContent)
            for path in ["machine", "machine/power", "chip?x=0&y=0"] {
                #expect(try await session.execute(.get, "jobs/\(first)/\(path)").status == .noContent, "\(path)")
            }
            _ = try await session.wait(second, for: [.ready])
        }
    }

    @Test func powerOffAndOnAgain() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let off = try await session.execute(.post, "jobs/\(job)/machine/power", body: #"{"power":"OFF"}"#)
            #expect(off.status == .accepted && off.body.readableBytes == 0)
            // READY with the power off is a normal state.
            _ = try await session.wait(job, for: [.ready])
            #expect(try await session.get(PowerDescription.self, "jobs/\(job)/machine/power").power == .off)
            #expect(harness.bmp.on.isEmpty)
            // The Java client's way.
            let on = try await session.execute(.put, "jobs/\(job)/power", body: #"{"power":"ON"}"#)
            #expect(on.text == #"{"power":"ON"}"#)
            _ = try await session.wait(job, for: [.ready])
            #expect(harness.bmp.on == [0])
            // In the reference this brings a destroyed job back.
            #expect(try await session.execute(.delete, "jobs/\(job)").status == .noContent)
            #expect(
                try await session.execute(.post, "jobs/\(job)/machine/power", body: #"{"power":"ON"}"#).status == .noContent)
            #expect(try await session.get(JobDescription.self, "jobs/\(job)").state == .destroyed)
        }
    }

    @Test func chipsOfAJobAcrossTheEdge() async throws {
        try await withService(machines: [machineDefinition(3, 2)]) { _, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(
                #"{"board":{"x":2,"y":1,"z":0},"dimensions":{"width":2,"height":1},"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            let machine = try await session.get(JobMachine.self, "jobs/\(job)/machine")
            #expect(machine.connections.map(\.chip).contains(ChipPosition(x: 20, y: 4)))
            let found = try await session.get(WhereIs.self, "jobs/\(job)/chip?x=23&y=7")
            #expect(found.logicalBoardCoordinates == BoardCoordinates(0, 1, 1))
            #expect(found.chip == ChipPosition(x: 23, y: 7) && found.jobChip == ChipPosition(x: 23, y: 7))
            // Chip (30, 0) is on a board of nobody.
            #expect(try await session.execute(.get, "jobs/\(job)/chip?x=30&y=0").status == .noContent)
        }
    }

    @Test func pagesOfJobs() async throws {
        try await withService { _, client in
            let session = try await Session.logIn(client, as: "alice")
            for _ in 0..<5 { _ = try await session.create() }
            func ids(_ list: JobList) -> [String] { list.jobs.map { String($0.split(separator: "/").last ?? "") } }
            let first = try await session.execute(.get, "jobs?limit=2&wait=false")
            let page = try JSONDecoder().decode(JobList.self, from: Data(first.body.readableBytesView))
            #expect(ids(page) == ["5", "4"] && page.prev == nil)
            #expect(page.next == "http://localhost/spalloc/srv/spalloc/jobs?wait=false&deleted=false&limit=2&start=2")
            #expect(first.headers[values: .linkHeader] == ["<\(page.next ?? "")>; rel=\"next\""])
            let second = try await session.get(JobList.self, "jobs?limit=2&start=2")
            #expect(ids(second) == ["3", "2"] && second.prev != nil && second.next != nil)
            let last = try await session.get(JobList.self, "jobs?limit=2&start=4")
            #expect(ids(last) == ["1"] && last.next == nil)
            // A last page that is full has a next, which is empty.
            let full = try await session.get(JobList.self, "jobs?limit=5")
            #expect(full.next != nil)
            #expect(try await session.get(JobList.self, "jobs?limit=5&start=5").jobs.isEmpty)
            for query in ["limit=0", "limit=201", "start=-1", "limit=x"] {
                #expect(try await session.execute(.get, "jobs?\(query)").status == .badRequest, "\(query)")
            }
            #expect(try await session.execute(.get, "jobs?limit=200").status == .ok)
            // Ended jobs are listed when asked for.
            #expect(try await session.execute(.delete, "jobs/3").status == .noContent)
            #expect(try await session.get(JobList.self, "jobs").jobs.count == 4)
            #expect(try await session.get(JobList.self, "jobs?deleted=True").jobs.count == 5)
        }
    }

    @Test func keepalivesAndWhatElseKeepsAlive() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            let start = try #require(try await harness.store.job(job)).keepaliveAt
            for (method, path, body, refreshes) in [
                (HTTPRequest.Method.put, "keepalive", "alive" as String?, true), (.get, "machine", nil, true),
                (.get, "machine/power", nil, true),
                (.get, "chip?x=0&y=0", nil, true), (.get, "", nil, false),
                (.post, "report-issue", #"{"issue":"x","boards":[]}"#, false),
            ] {
                clock.advance(.seconds(1))
                let before = try #require(try await harness.store.job(job)).keepaliveAt
                let reply = try await session.execute(
                    method, "jobs/\(job)/\(path)", body: body,
                    headers: method == .put ? [.contentType: "text/plain; charset=UTF-8"] : [:])
                #expect(reply.status == .ok)
                let after = try #require(try await harness.store.job(job)).keepaliveAt
                #expect((after > before) == refreshes, "\(method) \(path)")
            }
            #expect(start < clock.now())
            #expect(try await session.execute(.put, "jobs/\(job)/keepalive", body: "alive").text == "ok")
        }
    }

    @Test func aJobThatNobodyKeepsAliveEnds() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let kept = try await session.create(#"{"keepalive-interval":60}"#)
            let lost = try await session.create(#"{"keepalive-interval":30}"#)
            _ = try await session.wait(lost, for: [.ready])
            clock.advance(.seconds(30))
            harness.core.expiryNudge.signal()
            _ = try await session.execute(.put, "jobs/\(kept)/keepalive", body: "alive")
            clock.advance(.seconds(1))
            harness.core.expiryNudge.signal()
            let end = try await session.wait(lost, for: [.destroyed])
            #expect(end.reason == "keepalive expired")
            #expect(try await session.get(JobDescription.self, "jobs/\(kept)").state != .destroyed)
        }
    }

    @Test func issuesTakeABoardOutAtTheSecondReport() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let first = try await alice.create(#"{"board":{"x":0,"y":0,"z":1},"keepalive-interval":60}"#)
            _ = try await alice.wait(first, for: [.ready])
            let report = #"{"issue":"does not boot","boards":[{"machine":"m1","chip":[0,0]}]}"#
            for _ in 0..<2 {
                // A second report by the same user for the same job is no second complaint, and no error.
                #expect(
                    try await alice.execute(.post, "jobs/\(first)/report-issue", body: report).text
                        == #"{"action":"report noted"}"#)
            }
            let wrong = #"{"issue":"x","boards":[{"machine":"m1","x":0,"y":0,"z":0}]}"#
            let refused = try await alice.execute(.post, "jobs/\(first)/report-issue", body: wrong)
            #expect(refused.status == .ok && refused.text.contains("nothing was noted"))
            _ = try await alice.execute(.delete, "jobs/\(first)")
            let second = try await alice.create(#"{"board":{"x":0,"y":0,"z":1},"keepalive-interval":60}"#)
            _ = try await alice.wait(second, for: [.ready])
            let acted = try await alice.execute(
                .post, "jobs/\(second)/report-issue",
                body: #"{"issue":"x","boards":[{"machine":"m1","address":"127.10.0.11"}]}"#)
            #expect(acted.text == #"{"action":"1 boards taken out of service"}"#)
            #expect(try await harness.store.boardsOutOfService().count == 1)
            #expect(try await alice.get(MachineDetail.self, "machines/m1").downBoards.map(\.z) == [1])
        }
    }

    @Test func emergencyStop() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            #expect(try await session.execute(.get, "emergencyStop?commandCode=blue").status == .forbidden)
            #expect(try await session.execute(.get, "emergencyStop?commandCode=red").status == .ok)
            #expect(try await session.get(JobDescription.self, "jobs/\(job)").reason == "emergency stop")
            try await eventually("all boards to be off") { harness.bmp.on.isEmpty }
            #expect(try await session.execute(.post, "jobs", body: #"{"keepalive-interval":60}"#).status == .serviceUnavailable)
        }
    }
}

extension HTTPField.Name {
    static var linkHeader: Self { Self("Link") ?? .accept }
}
