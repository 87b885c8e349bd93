//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOConcurrencyHelpers
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import Testing

/// The document, the router and the replies say the same.
@Suite(.timeLimit(.minutes(3))) struct OpenAPITests {
    private static let uri = "/spalloc/srv/openapi.json"

    private static func contract(_ client: any TestClientProtocol) async throws -> OpenAPIContract {
        let reply = try await client.execute(uri: Self.uri, method: .get)
        #expect(reply.status == .ok && reply.headers[.contentType] == "application/json")
        return try OpenAPIContract(Data(reply.body.readableBytesView))
    }

    private static func contract(basePath: String = "/spalloc/") throws -> OpenAPIContract {
        try OpenAPIContract(JSONEncoder().encode(OpenAPIDocument.json(basePath: basePath)))
    }

    // MARK: - The table and the router

    @Test func everyRouteIsDescribedAndEveryDescriptionIsARoute() async throws {
        try await withService { harness, _ in
            let base = harness.core.configuration.basePath
            let routes = harness.application.router().routes.compactMap { route -> String? in
                let path = route.path.description
                guard path.hasPrefix(base + "srv/") else { return nil }
                let names = path.dropFirst(base.count).split(separator: "/").map {
                    $0.hasPrefix(":") ? "{\($0.dropFirst())}" : $0
                }
                return "\(route.method) \(names.joined(separator: "/"))"
            }
            let described = APIOperation.all.filter(\.isRoute).map { operation in
                "\(operation.method) \(operation.path.split(separator: "/").joined(separator: "/"))"
            }
            #expect(Set(routes).subtracting(described).sorted() == [], "routes that the document lacks")
            #expect(Set(described).subtracting(routes).sorted() == [], "descriptions of nothing")
            #expect(Set(described).count == described.count, "each once")
        }
    }

    // MARK: - The document by itself

    @Test func everybodyCanReadIt() async throws {
        try await withService(configure: { $0.basePath = "/lab/spalloc/" }) { _, client in
            let reply = try await client.execute(uri: "/lab/spalloc/srv/openapi.json", method: .get)
            #expect(reply.status == .ok)
            let contract = try OpenAPIContract(Data(reply.body.readableBytesView))
            #expect(contract.document["openapi"] as? String == "3.1.0")
            let servers = contract.document["servers"] as? [[String: String]]
            #expect(servers?.map { $0["url"] } == ["/lab/spalloc"])
            #expect(contract.operation(.get, "/lab/spalloc/srv/spalloc/jobs/7")?.template == "/srv/spalloc/jobs/{id}")
        }
    }

    @Test func everyReferenceLeadsSomewhereAndEverySchemaIsUsed() throws {
        let contract = try Self.contract()
        var references: Set<String> = []
        func collect(_ value: Any) {
            if let members = value as? [String: Any] {
                if let reference = members["$ref"] as? String { references.insert(reference) }
                members.values.forEach(collect)
            } else if let elements = value as? [Any] {
                elements.forEach(collect)
            }
        }
        collect(contract.document)
        for reference in references { #expect(contract.resolve(reference) != nil, "\(reference)") }
        for schema in APISchema.allCases {
            #expect(references.contains("#/components/schemas/\(schema.rawValue)"), "\(schema) is not used")
        }
    }

    @Test func operationsAreWholeAndNamedApart() throws {
        let contract = try Self.contract()
        let schemes = Set(["session", "csrf", "basic", "bearer"])
        var identifiers: Set<String> = []
        for (path, operations) in contract.paths {
            let braces = Set(path.matches(of: /\{([a-z]+)\}/).map { String($0.1) })
            for (method, operation) in operations {
                let parameters = operation["parameters"] as? [[String: Any]] ?? []
                let inPath = Set(parameters.filter { $0["in"] as? String == "path" }.compactMap { $0["name"] as? String })
                #expect(inPath == braces, "\(method) \(path)")
                let names = parameters.map { "\($0["in"] ?? "") \($0["name"] ?? "")" }
                #expect(Set(names).count == names.count, "\(method) \(path): a parameter twice")
                let identifier = try #require(operation["operationId"] as? String)
                #expect(identifiers.insert(identifier).inserted, "\(identifier) twice")
                let security = try #require(operation["security"] as? [[String: Any]])
                for way in security { #expect(schemes.isSuperset(of: way.keys), "\(way)") }
                let replies = Set((operation["responses"] as? [String: Any] ?? [:]).keys)
                #expect(replies.contains("401") == !security.isEmpty, "\(method) \(path): 401 is for what asks for a login")
                if method != "get" {
                    #expect(
                        security.allSatisfy { $0["csrf"] != nil || $0["bearer"] != nil }, "\(method) \(path) needs the token")
                }
                #expect((operation["summary"] as? String)?.isEmpty == false)
            }
        }
    }

    // MARK: - Replies

    /// Asks, and holds the answer to the document.
    private struct Witness: Sendable {
        let contract: @Sendable () throws -> OpenAPIContract
        /// Method, template and status of all that was seen.
        let seen = NIOLockedValueBox<Set<String>>([])

        @discardableResult
        func ask(
            _ session: Session, _ method: HTTPRequest.Method, _ path: String, _ status: Int, body: String? = nil,
            headers: HTTPFields = [:]
        ) async throws -> TestResponse {
            let reply = try await session.execute(method, path, body: body, headers: headers)
            let contract = try self.contract()
            let faults = contract.faults(method, Session.api + path, reply)
            #expect(faults == [], "\(method) \(path): \(reply.status.code) \(reply.text)")
            #expect(reply.status.code == status, "\(method) \(path): \(reply.text)")
            if let (template, _) = contract.operation(method, Session.api + path) {
                self.seen.withLockedValue { _ = $0.insert("\(method) \(template) \(status)") }
            }
            return reply
        }
    }

    private func askAdministration(_ root: Session, _ witness: Witness) async throws {
        let text: HTTPFields = [.contentType: "text/plain"]
        try await witness.ask(root, .get, "admin", 200)
        try await witness.ask(root, .get, "admin/import", 200)
        try await witness.ask(root, .post, "admin/import", 400, body: "{}")
        let definition = """
            {"machines":[{"name":"m9","tags":["new"],"width":1,"height":1,"board-locations":{"[x:0,y:0,z:0]":[0,0,0]},
            "spinnaker-ips":{"[x:0,y:0,z:0]":"127.77.0.1"},"bmp-ips":{"[c:0,f:0]":"127.77.0.2"}}]}
            """
        try await witness.ask(root, .post, "admin/import", 204, body: definition)
        try await witness.ask(root, .post, "admin/import", 409, body: definition)
        try await witness.ask(root, .get, "admin/board?machine=m9&x=0&y=0&z=0", 200)
        try await witness.ask(root, .get, "admin/board?machine=m9&x=9&y=0&z=0", 404)
        try await witness.ask(root, .get, "admin/board?machine=m9", 400)
        try await witness.ask(root, .put, "admin/board?machine=m9&board=0", 200, body: "true", headers: text)
        try await witness.ask(root, .put, "admin/board?machine=m9&board=0", 400, body: "?", headers: text)
        let user = #"{"user-name":"zoe","password":"p","trust-level":"USER"}"#
        let zoe = try await witness.ask(root, .post, "admin/users", 201, body: user)
        try await witness.ask(root, .post, "admin/users", 304, body: user)
        try await witness.ask(root, .post, "admin/users", 400, body: "{}")
        try await witness.ask(root, .get, "admin/users", 200)
        let member = "admin/users/" + (zoe.headers[.location]?.split(separator: "/").last.map(String.init) ?? "")
        try await witness.ask(root, .get, member, 200)
        try await witness.ask(root, .get, "admin/users/999", 404)
        try await witness.ask(root, .put, member, 200, body: #"{"enabled":true}"#)
        let made = try await witness.ask(root, .post, "admin/groups", 201, body: #"{"group-name":"g2","quota":5}"#)
        try await witness.ask(root, .post, "admin/groups", 409, body: #"{"group-name":"g2"}"#)
        try await witness.ask(root, .get, "admin/groups", 200)
        let group = "admin/groups/" + (made.headers[.location]?.split(separator: "/").last.map(String.init) ?? "")
        try await witness.ask(root, .get, group, 200)
        try await witness.ask(root, .put, group, 200, body: "{}")
        let joined = try await witness.ask(root, .post, "\(group)/members", 201, body: #"{"user-name":"zoe"}"#)
        try await witness.ask(root, .post, "\(group)/members", 400, body: #"{"user-name":"zoe"}"#)
        let membership = "\(group)/members/" + (joined.headers[.location]?.split(separator: "/").last.map(String.init) ?? "")
        try await witness.ask(root, .get, membership, 200)
        try await witness.ask(root, .delete, membership, 204)
        try await witness.ask(root, .get, membership, 404)
        try await witness.ask(root, .delete, group, 200)
        try await witness.ask(root, .delete, member, 200)
    }

    @Test func repliesAreAsDescribed() async throws {
        let machine = machineDefinition(
            2, 2, deadBoards: [BoardCoordinates(1, 1, 2)],
            deadLinks: [.init(board: BoardCoordinates(0, 0, 0), side: .north)])
        try await withService(machines: [machine]) { harness, client in
            let document = try await client.execute(uri: Self.uri, method: .get)
            let bytes = Data(document.body.readableBytesView)
            let witness = Witness { try OpenAPIContract(bytes) }
            let (alice, rita) = (try await Session.logIn(client, as: "alice"), try await Session.logIn(client, as: "rita"))
            let root = try await Session.logIn(client, as: "root")

            for session in [alice, rita, root] { try await witness.ask(session, .get, "", 200) }
            try await self.askAdministration(root, witness)
            let group = try #require(
                try await harness.store.addGroup("lab", quota: 7200, by: "test", now: SystemClock.now())
            ).id
            try await harness.store.setMember(
                true, user: try #require(try await harness.store.user(named: "rita")).user.id, of: group)
            try await witness.ask(rita, .get, "groups", 200)
            try await witness.ask(root, .get, "groups", 200)
            try await witness.ask(rita, .get, "groups/lab/account", 200)
            try await witness.ask(rita, .get, "groups/lab/account?limit=0", 400)
            try await witness.ask(alice, .get, "groups/lab/account", 404)
            let list = try await witness.ask(rita, .get, "machines", 200)
            #expect(list.text.contains(#""dead-links":[["#) && list.text.contains(#""address":null"#) == false)
            try await witness.ask(rita, .get, "machines/m1", 200)
            try await witness.ask(rita, .get, "machines/m2", 404)
            for place in ["logical-board?x=1&y=0", "physical-board?board=3", "chip?x=9&y=5", "board-ip?address=127.10.0.11"] {
                try await witness.ask(rita, .get, "machines/m1/\(place)", 200)
                try await witness.ask(rita, .get, "machines/m1/\(place.prefix { $0 != "?" })", 400)
            }
            try await witness.ask(rita, .get, "machines/m1/board-ip?address=127.9.9.9", 404)
            try await witness.ask(root, .get, "machines/m1/board-health?x=0&y=0", 200)
            try await witness.ask(rita, .get, "machines/m1/board-health?x=0&y=0", 403)

            for (status, body) in [
                (400, #"{"num-boards":1}"#), (400, "["), (400, #"{"keepalive-interval":60,"num-boards":99}"#),
                (201, #"{"keepalive-interval":60,"board":{"x":0,"y":1,"z":0},"machine-name":"m1","nmpi-job-id":3}"#),
                (
                    201,
                    #"{"keepalive-interval":"PT60S","num-boards":2,"max-dead-boards":1,"tags":["default"],"nmpi-collab":"g"}"#
                ),
                (201, #"{"keepalive-interval":60,"dimensions":{"width":2,"height":2},"max-dead-boards":1,"owner":"alice"}"#),
            ] { try await witness.ask(alice, .post, "jobs", status, body: body) }
            try await witness.ask(alice, .post, "jobs", 415, body: "{}", headers: [.contentType: "text/plain"])
            try await witness.ask(rita, .post, "jobs", 403, body: #"{"keepalive-interval":60}"#)

            for job in 1...2 {
                _ = try await alice.wait(job, for: [.ready])
                for path in ["", "/machine", "/machine/power", "/power", "/chip?x=0&y=0"] {
                    try await witness.ask(alice, .get, "jobs/\(job)\(path)", 200)
                }
            }
            // The third waits for the other two.
            for (path, status) in [
                ("", 200), ("/queue", 200), ("/machine", 204), ("/machine/power", 204), ("/power", 204), ("/chip", 204),
                ("/memory", 409),
            ] { try await witness.ask(alice, .get, "jobs/3\(path)", status) }
            // What is wrong is told all the same.
            try await witness.ask(alice, .get, "jobs/3/chip?x=-1", 400)
            try await witness.ask(alice, .get, "jobs/3/memory?x=a", 400)
            try await witness.ask(alice, .post, "jobs/3/machine/power", 400, body: #"{"power":"UP"}"#)
            try await witness.ask(alice, .put, "jobs/3/power", 400, body: "[]")
            try await witness.ask(alice, .delete, "jobs/3/router", 409)
            try await witness.ask(alice, .delete, "jobs/3/router?16=1", 400)
            try await witness.ask(alice, .post, "jobs/3/memory", 409, body: "x")
            try await witness.ask(alice, .get, "jobs/1/chip?x=a", 400)
            try await witness.ask(alice, .get, "jobs/1/queue", 204)
            for path in ["", "/queue", "/machine", "/power", "/memory"] {
                try await witness.ask(alice, .get, "jobs/99\(path)", 404)
                try await witness.ask(rita, .get, "jobs/1\(path)", 403)
            }

            try await witness.ask(alice, .put, "jobs/1/keepalive", 200, body: "alive", headers: [.contentType: "text/plain"])
            try await witness.ask(alice, .post, "jobs/1/machine/power", 202, body: #"{"power":"OFF"}"#)
            try await witness.ask(alice, .put, "jobs/1/power", 200, body: #"{"power":"ON"}"#)
            try await witness.ask(alice, .post, "jobs/1/machine/power", 400, body: #"{"power":"UP"}"#)
            try await witness.ask(
                alice, .post, "jobs/1/report-issue", 200, body: #"{"issue":"it smokes","boards":[{"chip":[0,0]}]}"#)
            try await witness.ask(alice, .get, "jobs?limit=1&start=1", 200)
            try await witness.ask(alice, .get, "jobs?limit=0", 400)
            try await witness.ask(alice, .delete, "jobs/1?reason=done", 204)
            let ended = try await witness.ask(alice, .get, "jobs/1", 200)
            #expect(ended.text.contains("finish-time") && ended.text.contains(#""reason":"done""#))
            try await witness.ask(alice, .get, "emergencyStop?commandCode=blue", 403)
            try await witness.ask(root, .get, "emergencyStop?commandCode=red", 200)
            try await witness.ask(alice, .post, "jobs", 503, body: #"{"keepalive-interval":60}"#)

            try await witness.ask(
                root, .put, "admin/blacklist?machine=m1&x=0&y=0", 200, body: #"{"chips":[{"x":1,"y":1,"dead":true}]}"#)
            try await witness.ask(root, .get, "admin/blacklist?machine=m1&x=0&y=0", 200)
            try await witness.ask(root, .get, "machines/m1/last-board-health?x=0&y=0", 200)
            try await witness.ask(root, .get, "history", 200)
            try await witness.ask(alice, .get, "history?limit=1&from=2020-01-01", 200)
            try await witness.ask(alice, .get, "history?from=yesterday", 400)

            // Nobody.
            let nobody = Session(client: client, cookie: "0", csrf: "")
            for operation in APIOperation.all where operation.isRoute && operation.path.hasPrefix(SpallocPath.serviceRoot) {
                let path = String(operation.path.dropFirst(SpallocPath.serviceRoot.count))
                    .replacing("{id}", with: "1").replacing("{name}", with: "m1")
                try await witness.ask(nobody, operation.method, path, 401)
            }

            // Each operation was seen to succeed, but for memory, which needs boards (MemoryTests).
            let seen = witness.seen.withLockedValue { $0 }
            for operation in APIOperation.all
            where operation.isRoute && operation.tag != "memory" && operation.path.hasPrefix(SpallocPath.serviceRoot) {
                let succeeded = seen.contains { $0.hasPrefix("\(operation.method) /\(operation.path) 20") }
                #expect(succeeded, "\(operation.method) \(operation.path) was not tried")
            }
        }
    }

    /// What the test above would see if a type of SpallocAPI and its schema differed.
    @Test(arguments: [
        ("JobDescription", #"{"state":"READY"}"#, true),
        ("JobDescription", #"{"state":"UNKNOWN"}"#, false),
        ("JobDescription", #"{"owner":"a"}"#, false),
        ("JobDescription", #"{"state":"READY","color":"red"}"#, false),
        ("JobDescription", #"{"state":"READY","start-time":"yesterday"}"#, false),
        ("JobDescription", #"{"state":"READY","proxy-ref":"proxy/1"}"#, false),
        ("BoardCoords", #"{"x":0,"y":0,"z":0,"cabinet":0,"frame":0,"board":null,"address":null}"#, true),
        ("BoardCoords", #"{"x":0,"y":0,"z":3,"cabinet":0,"frame":0,"board":null,"address":null}"#, false),
        ("Chip", "[1,2]", true), ("Chip", "[1,2,3]", false), ("Chip", "[1,-2]", false), ("Chip", "[1,true]", false),
        ("PowerDescription", #"{"power":"on"}"#, false),
        ("CreateJobRequest", #"{"keepalive-interval":"PT60S"}"#, true),
        ("CreateJobRequest", #"{"keepalive-interval":"60s"}"#, false),
    ])
    func schemasTellRightFromWrong(schema: String, json: String, isRight: Bool) throws {
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
        let faults = try Self.contract().faults(of: value, schema: schema)
        #expect(faults.isEmpty == isRight, "\(json): \(faults)")
    }

    /// What the client's types write, with every key that they have.
    @Test func whatTheClientWritesIsAsDescribed() throws {
        let contract = try Self.contract()
        func check(_ value: some Encodable, _ schema: String) throws {
            let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value), options: .fragmentsAllowed)
            #expect(contract.faults(of: json, schema: schema) == [])
        }
        let request = CreateJobRequest(
            owner: "a", group: "g", nmpiCollab: "c", nmpiJobID: 1, keepaliveInterval: WireDuration(seconds: 60), numBoards: 2,
            dimensions: .init(width: 1, height: 1),
            board: .init(x: 0, y: 0, z: 0, cabinet: 0, frame: 0, board: 0, address: "127.0.0.1"), machineName: "m", tags: ["t"],
            maxDeadBoards: 0)
        try check(request, "CreateJobRequest")
        try check(
            IssueReport(
                issue: "i",
                boards: [
                    .init(
                        machine: "m", chip: ChipPosition(x: 0, y: 0), x: 0, y: 0, z: 0, cabinet: 0, frame: 0, board: 0,
                        address: "127.0.0.1")
                ]), "IssueReport")
        try check(PowerDescription(power: .off), "PowerDescription")
        let now = WireInstant(secondsSince1970: 1_700_000_000)
        let uri = "http://127.0.0.1/x"
        try check(
            JobDescription(
                state: .destroyed, owner: "a", startTime: now, finishTime: now, reason: "r", keepaliveHost: "h",
                keepaliveTime: now, keepaliveRef: uri, machineRef: uri, powerRef: uri, chipRef: uri, proxyRef: uri,
                originalRequest: OriginalRequest(request)), "JobDescription")
        try check(JobList(jobs: [uri], prev: uri, next: uri), "JobList")
    }

    /// While the issuer is down no token can be checked, on any route that takes one.
    @Test func tokensThatCannotBeCheckedAreDescribed() throws {
        for operation in APIOperation.all {
            guard case .object(let json) = operation.json, case .object(let replies)? = json["responses"] else {
                Issue.record("\(operation.path) has no replies")
                continue
            }
            if case .everybody = operation.access {
                #expect(replies["503"] == nil, "\(operation.path)")
            } else {
                #expect(replies["503"] != nil && replies["401"] != nil, "\(operation.method) \(operation.path)")
            }
        }
    }
}
