//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerLink
import SpiNNakerMachine

/// Lets the owner of a job, and who acts for others, have the job's websocket.
struct ProxyAuthoriser: Sendable {
    let core: ServiceCore
    let sessions: Sessions
    let logins: Logins
    let registry: ProxyRegistry

    func decide(_ head: HTTPRequestHead) async -> UpgradeDecision {
        let path = head.uri.prefix { $0 != "?" && $0 != "#" }
        let place = self.core.configuration.basePath + SpallocPath.proxy
        guard path.hasPrefix(place) else { return .router }
        guard self.core.configuration.proxyEnabled else { return .refuse(.notFound, body: "there is no proxy here\n") }
        do {
            guard let caller = try await self.caller(of: head) else {
                return .refuse(
                    .unauthorized, headers: HTTPHeaders(self.logins.challenges.map { ("WWW-Authenticate", $0) }),
                    body: "please log in\n")
            }
            let name = path.dropFirst(place.count).drop(while: { $0 == "/" }).prefix { $0 != "/" }
            guard let id = Int(name), id > 0 else { return .refuse(.notFound, body: "no such job\n") }
            // First admitted, then looked at: see ``ProxyRegistry``.
            let limit = self.core.configuration.websocketsPerUser
            let access = ProxyRegistry.Access(session: caller.session.map(Sessions.key), until: caller.until)
            guard let admission = self.registry.admit(job: id, user: caller.user.id, limit: limit, access: access) else {
                return .refuse(.tooManyRequests, body: "you have \(limit) websockets, which is the most\n")
            }
            // A session that has ended meanwhile ends this one, too: at once, not when the service looks next.
            if caller.session != nil || caller.until != nil { self.core.expiryNudge.signal() }
            let jobs = JobService(core: self.core)
            let job = try await jobs.job(id, for: caller)
            guard let boards = try await jobs.boards(of: job) else {
                return .refuse(.serviceUnavailable, body: "job \(id) has no boards\n")
            }
            var addresses: [ChipID: IPv4Address] = [:]
            for board in boards.boards {
                guard let chip = board.chip.chip, let address = IPv4Address(board.address) else { continue }
                addresses[chip] = address
            }
            var logger = self.core.logger
            logger[metadataKey: "job"] = "\(id)"
            var session = ProxySessionConfiguration(admission: admission, boards: addresses, logger: logger)
            session.webSocket.pingInterval = .milliseconds(self.core.configuration.timings.websocketPing.milliseconds)
            return .accept(session)
        } catch let error as APIError {
            let status: HTTPResponseStatus =
                switch error.status {
                case .forbidden: .forbidden
                case .serviceUnavailable: .serviceUnavailable
                default: .notFound
                }
            return .refuse(status, body: error.message + "\n")
        } catch {
            self.core.logger.error("proxy authorisation failed", metadata: ["error": "\(error)"])
            return .refuse(.internalServerError, body: "failed\n")
        }
    }

    private func caller(of head: HTTPRequestHead) async throws -> Caller? {
        for cookie in head.headers[canonicalForm: "cookie"] {
            let parts = cookie.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0] == SpallocHTTP.sessionCookie else { continue }
            let value = String(parts[1])
            if case .user(let user, let csrf, let expiry)? = try await self.sessions.find(value) {
                return Caller(user: user, csrf: csrf, session: value, until: expiry)
            }
        }
        // Not in canonical form, which would cut the value at commas.
        if let header = head.headers["authorization"].first, let (name, password) = Authenticator.credentials(header),
            let user = try await self.logins.verify(name: name, password: password)
        {
            return Caller(user: user)
        }
        if let token = head.headers["authorization"].first.flatMap(Authenticator.bearerToken) {
            return try await self.logins.bearer?.logIn(token)?.caller
        }
        return nil
    }
}
