//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

@testable import SpallocClient

/// A Spalloc service of a few lines for ``ScriptedPeer``: login, root, machines, one job whose state the test moves. The test
/// may answer any call differently.
final class FakeService: Sendable {
    struct State: Sendable {
        var user = "alice"
        var password = "s3cret pass&word"
        var token = "TOKEN-1"
        /// The sessions that are valid.
        var sessions: Set<String> = []
        var logins = 0
        var attempts = 0
        var csrf = "5b1c-01"
        var loginPage = #"<form><input type="hidden" name="_csrf" value="form-csrf" /></form>"#
        var jobState = "QUEUED"
        var reason: String?
        var keepalives = 0
        var destroyReasons: [String] = []
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    let state: NIOLockedValueBox<State>
    /// Asked first; nil: as usual.
    let special: @Sendable (PeerRequest) async -> PeerAnswer?

    init(
        _ change: (inout State) -> Void = { _ in },
        special: @escaping @Sendable (PeerRequest) async -> PeerAnswer? = { _ in nil }
    ) {
        var state = State()
        change(&state)
        self.state = NIOLockedValueBox(state)
        self.special = special
    }

    var now: State { self.state.withLockedValue { $0 } }

    /// All sessions end; passwords stay good.
    func expireSessions() { self.state.withLockedValue { $0.sessions = [] } }

    /// Moves the job, and answers those who wait for that.
    func setJob(_ state: String, reason: String? = nil) {
        let waiters = self.state.withLockedValue { now in
            now.jobState = state
            now.reason = reason
            defer { now.waiters = [] }
            return now.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Runs `body` with a logged-in client of this service.
    func run<Result>(
        credentials: SpallocCredentials = .password(user: "alice", "s3cret pass&word"),
        configuration: SpallocClientConfiguration = FakeService.patient,
        _ body: (SpallocClient, ScriptedPeer) async throws -> Result
    ) async throws -> Result {
        try await ScriptedPeer.run({ await self.answer($0) }) { peer in
            defer { self.setJob("DESTROYED") }
            return try await withSpallocClient(
                url: "http://127.0.0.1:\(peer.port)/spalloc", credentials: credentials, configuration: configuration
            ) { client in
                try await body(client, peer)
            }
        }
    }

    /// Deadlines that pass only when something hangs, however busy the machine is; repetitions that come at once. A test of
    /// a deadline sets its own.
    static var patient: SpallocClientConfiguration {
        var configuration = SpallocClientConfiguration()
        configuration.requestTimeout = .seconds(30)
        configuration.createTimeout = .seconds(30)
        configuration.longPollTimeout = .seconds(120)
        configuration.retries = .init(first: .milliseconds(5), longest: .milliseconds(20), attempts: 4)
        return configuration
    }

    func answer(_ request: PeerRequest) async -> PeerAnswer {
        if let answer = await self.special(request) { return answer }
        switch request.call {
        case "GET /spalloc/system/login.html":
            return self.loginPage(request)
        case "POST /spalloc/system/perform_login":
            return self.logIn(request)
        default:
            break
        }
        guard let session = request.cookie?.firstMatch(of: /JSESSIONID=(\w+)/)?.1,
            self.now.sessions.contains(String(session))
        else { return .text(401, "please log in") }
        if request.method != .GET, request.headers.first(name: "X-CSRF-TOKEN") != self.now.csrf {
            return .text(403, "no CSRF token")
        }
        return await self.api(request)
    }

    private func newSession() -> String {
        self.state.withLockedValue { state in
            state.logins += 1
            let session = "SESSION\(state.logins)"
            state.sessions.insert(session)
            return session
        }
    }

    private func loginPage(_ request: PeerRequest) -> PeerAnswer {
        var cookie = "TMP"
        if let authorization = request.headers.first(name: "authorization") {
            self.state.withLockedValue { $0.attempts += 1 }
            guard authorization == "Bearer \(self.now.token)" else { return .text(401, "bad token") }
            cookie = self.newSession()
        }
        return .reply(
            status: 200,
            headers: [("Set-Cookie", "JSESSIONID=\(cookie); Path=/spalloc; HttpOnly"), ("Content-Type", "text/html")],
            body: self.now.loginPage)
    }

    private func logIn(_ request: PeerRequest) -> PeerAnswer {
        self.state.withLockedValue { $0.attempts += 1 }
        let now = self.now
        let expected =
            "_csrf=form-csrf&username=\(SpallocURL.encode(now.user))&password=\(SpallocURL.encode(now.password))&submit=submit"
        guard request.text == expected, request.cookie == "JSESSIONID=TMP" else {
            return .json(#"{"message":"bad user","timestamp":"2026-01-01T00:00:00Z"}"#, status: 401)
        }
        return .reply(
            status: 302,
            headers: [("Location", "/spalloc/system/"), ("Set-Cookie", "JSESSIONID=\(self.newSession()); Path=/; HttpOnly")])
    }

    private func api(_ request: PeerRequest) async -> PeerAnswer {
        let root = "https://elsewhere.example/spalloc/srv/spalloc"
        switch request.call {
        case "GET /spalloc/srv/spalloc/":
            return .json(
                """
                {"version":{"major-version":7,"minor-version":4,"revision":2,"extra":1},"jobs-ref":"\(root)/jobs",\
                "machines-ref":"\(root)/machines","csrf-header":"X-CSRF-TOKEN","csrf-token":"\(self.now.csrf)","new":[1]}
                """)
        case "GET /spalloc/srv/spalloc/machines/":
            return .json(
                """
                {"machines":[{"name":"M","tags":["default"],"uri":"\(root)/machines/M","width":2,"height":1,\
                "dead-boards":[{"x":0,"y":0,"z":1,"cabinet":0,"frame":0,"board":1,"address":"10.0.0.2"}],"dead-links":[],"new":0}]}
                """)
        case "POST /spalloc/srv/spalloc/jobs/":
            return .reply(status: 201, headers: [("Location", "\(root)/jobs/42")], body: "")
        case "PUT /spalloc/srv/spalloc/jobs/42/keepalive":
            self.state.withLockedValue { $0.keepalives += 1 }
            return .text(200, "ok")
        case "DELETE /spalloc/srv/spalloc/jobs/42/":
            self.state.withLockedValue { $0.destroyReasons.append(request.query["reason"] ?? "") }
            self.setJob("DESTROYED", reason: request.query["reason"])
            return .reply(status: 204)
        case "GET /spalloc/srv/spalloc/jobs/42/":
            if request.query["wait"]?.lowercased() == "true", self.now.jobState != "DESTROYED" { await self.change() }
            let now = self.now
            let reason = now.reason.map { ",\"reason\":\"\($0)\"" } ?? ""
            return .json(
                """
                {"state":"\(now.jobState)","owner":"alice","start-time":"2026-01-02T03:04:05Z","proxy-ref":"wss://h/spalloc/proxy/42",\
                "original-request":{"keepalive-interval":120.0,"num-boards":1,"unheard-of":true}\(reason)}
                """)
        case "GET /spalloc/srv/spalloc/jobs/42/machine":
            if self.now.jobState == "QUEUED" { return .reply(status: 204) }
            return .json(
                """
                {"width":1,"height":1,"depth":3,"machine-name":"M","connections":[[[0,0],"10.0.0.1"],[[4,8],"10.0.0.9"]],\
                "boards":[[0,0,0],[0,0,2]],"power":"\(root)/jobs/42/machine/power"}
                """)
        default:
            return .text(404, "no such thing")
        }
    }

    /// Until the next ``setJob(_:reason:)``.
    private func change() async {
        await withCheckedContinuation { continuation in
            self.state.withLockedValue { $0.waiters.append(continuation) }
        }
    }
}
