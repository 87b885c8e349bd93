//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOHTTP1
import SpallocAPI
import SpiNNakerEngine
import Testing

@testable import SpallocServer

/// A websocket, or a poll, ends with the session or the token that began it, and no earlier.
@Suite(.timeLimit(.minutes(3))) struct WebSocketAccessTests {
    private typealias Access = ProxyRegistry.Access
    private static let job = #"{"num-boards":1,"keepalive-interval":300}"#

    private func admission(_ application: SpallocApplication, _ job: Int, _ headers: HTTPHeaders) async throws -> ProxyAdmission
    {
        let authoriser = ProxyAuthoriser(
            core: application.core, sessions: application.sessions, logins: application.logins,
            registry: application.registry)
        let decision = await authoriser.decide(
            HTTPRequestHead(version: .http1_1, method: .GET, uri: "/spalloc/proxy/\(job)", headers: headers))
        guard case .accept(let configuration) = decision else { throw TimedOut(what: "a websocket: \(decision)") }
        return configuration.admission
    }

    /// A job that is kept alive whatever the clock says.
    private func readyJob(_ session: Session) async throws -> Int {
        let job = try await session.create(Self.job)
        _ = try await session.wait(job, for: [.ready])
        return job
    }

    // MARK: - The registry, in given time

    @Test func eachEndsInItsTime() throws {
        let (registry, start) = (ProxyRegistry(), TurnedClock().now())
        func admit(_ access: Access) throws -> ProxyAdmission {
            try #require(registry.admit(job: 1, user: 7, limit: 9, access: access))
        }
        let soon = try admit(.init(until: start + .seconds(10)))
        let later = try admit(.init(session: "a", until: start + .seconds(20)))
        let never = try admit(.init(session: "b"))
        #expect(registry.sessions == ["a", "b"])
        #expect(registry.closeEnded(now: start) == start + .seconds(10))
        #expect(registry.closeEnded(now: start + .milliseconds(9_999)) == start + .seconds(10) && !soon.isEnded)
        #expect(registry.closeEnded(now: start + .seconds(10)) == start + .seconds(20))
        #expect(soon.isEnded && !later.isEnded)
        registry.closeAll(session: "b")
        #expect(never.isEnded && !later.isEnded)
        #expect(registry.closeEnded(now: start + .seconds(3600)) == nil)
        #expect(later.isEnded)
    }

    @Test func theClientIsToldByACodeOfItsOwn() {
        #expect(WebSocketCloseCode.accessEnded.rawValue == 4401 && WebSocketCloseCode.accessEnded.mayBeSent)
        #expect("\(WebSocketCloseCode.accessEnded)" == "4401 (session or token ended)")
    }

    // MARK: - In the service

    @Test func loggingOutEndsItsOwn() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let other = try await Session.logIn(client, as: "alice")
            let job = try await self.readyJob(alice)
            let held = [
                try await self.admission(harness.application, job, ["cookie": "JSESSIONID=\(alice.cookie)"]),
                try await self.admission(harness.application, job, ["cookie": "JSESSIONID=\(other.cookie)"]),
            ]
            #expect(try await alice.submit("perform_logout").status == .found)
            try await eventually("the websocket to end") { held[0].isEnded }
            #expect(!held[1].isEnded, "the other session goes on")
            // "End my other sessions", too.
            let third = try await Session.logIn(client, as: "alice")
            #expect(try await third.submit("end_sessions").status == .seeOther)
            try await eventually("the other to end") { held[1].isEnded }
        }
    }

    /// The stock clients' keepalives use the session; where somebody else keeps the job alive, the websocket itself does.
    @Test func anOpenOneIsAUseOfItsSession() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let idle = try await Session.logIn(client, as: "alice")
            let job = try await self.readyJob(alice)
            let held = try await self.admission(harness.application, job, ["cookie": "JSESSIONID=\(alice.cookie)"])
            for _ in 0..<20 {
                clock.advance(.seconds(200))
                #expect(try await harness.application.closeWebSocketsWithoutAccess() == nil)
                try await harness.application.sessions.sweep()
            }
            #expect(!held.isEnded)
            #expect(try await harness.application.sessions.isAlive(alice.cookie))
            #expect(try await !harness.application.sessions.isAlive(idle.cookie))
        }
    }

    @Test func aSessionThatHasAnEndEndsIt() async throws {
        let clock = TurnedClock()
        try await withService(clock: clock.now) { harness, client in
            let application = harness.application
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await self.readyJob(alice)
            let user = try #require(try await harness.store.user(named: "alice")).user
            let end = clock.now() + .seconds(100)
            let cookie = try await application.sessions.logIn(user, expiry: end).cookie
            let held = try await self.admission(application, job, ["cookie": "JSESSIONID=\(cookie)"])
            clock.advance(.milliseconds(99_999))
            #expect(try await application.closeWebSocketsWithoutAccess() == end && !held.isEnded)
            clock.advance(.milliseconds(1))
            #expect(try await application.closeWebSocketsWithoutAccess() == nil && held.isEnded)
        }
    }

    @Test(arguments: [false, true])
    func aTokenEndsIt(outlives: Bool) async throws {
        try await withIssuer({ $0.oidc?.sessionsOutliveTokens = outlives }) { stage in
            let application = stage.harness.application
            let token = try stage.token(life: .seconds(100))
            #expect(try await stage.ask(.post, "jobs/", token: token, body: Self.job).status == .created)
            let job = try #require(try await stage.harness.store.liveJobs().first).id
            try await eventually("the job") { try await stage.harness.store.job(job)?.state == .ready }
            let held = try await self.admission(application, job, ["authorization": "Bearer \(token)"])
            // As long as requests with the token are answered: to its end, and the leeway.
            stage.clock.advance(.milliseconds(129_999))
            #expect(try await stage.ask(.get, "machines", token: token).status == .ok)
            _ = try await application.closeWebSocketsWithoutAccess()
            #expect(!held.isEnded)
            stage.clock.advance(.milliseconds(1))
            #expect(try await stage.ask(.get, "machines", token: token).status == .unauthorized)
            _ = try await application.closeWebSocketsWithoutAccess()
            #expect(held.isEnded == !outlives)
        }
    }

    // MARK: - Polls

    @Test func aPollOfSomebodyWhoLogsOutEndsAtOnce() async throws {
        try await withService { harness, client in
            let alice = try await Session.logIn(client, as: "alice")
            let job = try await self.readyJob(alice)
            async let poll = alice.execute(.get, "jobs/\(job)?wait=true")
            async let list = alice.execute(.get, "jobs?wait=true")
            async let machine = alice.execute(.get, "machines/m1?wait=true")
            try await eventually("all to wait") { harness.core.changes.waiterCount >= 3 }
            let start = ContinuousClock.now
            _ = try await alice.submit("perform_logout")
            for reply in [try await poll, try await list, try await machine] {
                #expect(reply.status == .unauthorized && reply.text == "please log in\n")
            }
            #expect(ContinuousClock.now - start < .seconds(15), "the long-poll's own time is 20 s")
        }
    }

    @Test func aPollWaitsNoLongerThanItsToken() async throws {
        try await withIssuer { stage in
            let token = try stage.token(life: .seconds(100))
            let core = stage.harness.core
            async let reply = stage.ask(.get, "machines/m1?wait=true", token: token)
            try await eventually("the poll to wait") { core.changes.waiterCount > 0 }
            stage.clock.advance(.seconds(130))
            // Whatever wakes it: the token, and its leeway, are over.
            core.changes.publish(machine: "m1")
            #expect(try await reply.status == .unauthorized)

            // And whose time is over does not wait at all: the long-poll's own time is 20 s.
            var caller = Caller(user: try #require(try await stage.user("openid.ada")))
            caller.until = stage.clock.now()
            let start = ContinuousClock.now
            await core.next([(.jobs, core.changes.current(.jobs))], for: caller)
            #expect(ContinuousClock.now - start < .seconds(15))
        }
    }

    @Test func nobodyWaitsLongerThanIsAllowed() async throws {
        try await withService { harness, _ in
            let now = TurnedClock().now()
            var caller = Caller(user: try #require(try await harness.store.user(named: "alice")).user)
            #expect(caller.patience(.seconds(30), now: now) == .seconds(30))
            caller.until = now + .seconds(10)
            #expect(caller.patience(.seconds(30), now: now) == .seconds(10))
            #expect(caller.patience(.seconds(5), now: now) == .seconds(5))
            #expect(caller.patience(.seconds(30), now: now + .seconds(11)) == .zero)
        }
    }
}
