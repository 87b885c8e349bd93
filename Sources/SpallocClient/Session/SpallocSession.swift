//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOSSL
import SpallocAPI

/// A logged-in conversation with one Spalloc service: cookies, CSRF token, perhaps a bearer token.
///
/// It logs in at the first request, and again whenever the service answers 401 or sends us to its login page: once for all
/// tasks that meet this, then each repeats its request once. A password that was refused is not tried again by itself,
/// since the service locks a user out after three failures.
public final class SpallocSession: Sendable {
    /// One login's fruits. `generation` counts logins, so that a late 401 does not spoil a fresh login.
    struct Login: Sendable {
        var generation: UInt64
        var cookies: Cookies
        /// Header name and token.
        var csrf: (name: String, token: Secret)?
        var bearer: Secret?
        var root: ServiceDescription?
    }

    struct State: Sendable {
        var credentials: SpallocCredentials.Kind
        var login: Login?
        var generation: UInt64 = 0
        /// The refusal that must not be provoked again.
        var refused: SpallocError?
        var isClosed = false
    }

    public let serviceURL: SpallocURL
    let configuration: SpallocClientConfiguration
    let tls: TLSConfiguration
    let transport: HTTPTransport
    let logger: Logger?
    let state: NIOLockedValueBox<State>
    let renewals = SingleFlight<Login>()

    /// Does no I/O. See ``withSpallocClient(url:credentials:configuration:logger:_:)`` for the usual way.
    init(
        address: SpallocServiceAddress, credentials: SpallocCredentials, configuration: SpallocClientConfiguration,
        tls: TLSConfiguration, httpClient: HTTPClient, logger: Logger?
    ) throws(SpallocError) {
        guard address.url.scheme == .https || address.url.isLoopback else {
            throw SpallocError(
                .insecureURL,
                "\(address.url.origin) is plain http: passwords and session cookies go over the network by https only",
                url: address.url)
        }
        var kind = credentials.kind
        if case .inURL = kind {
            guard let user = address.user, let password = address.password else {
                throw SpallocError(
                    .credentialsMissing, "no user and password for \(address.url.origin): neither given nor in the URL",
                    url: address.url)
            }
            kind = .password(user: user, password)
        }
        self.serviceURL = address.url
        self.configuration = configuration
        self.tls = tls
        self.transport = HTTPTransport(client: httpClient, logger: logger)
        self.logger = logger
        var state = State(credentials: kind)
        if case .restored(let stored, _) = kind {
            let csrf = stored.headers.first { $0.key.lowercased() != "authorization" }
            state.login = Login(
                generation: 0, cookies: Cookies(stored.cookies), csrf: csrf.map { ($0.key, Secret($0.value)) }, bearer: nil,
                root: nil)
        }
        self.state = NIOLockedValueBox(state)
    }

    /// `srv/spalloc/`: the root of the REST API.
    var rootURL: SpallocURL { self.serviceURL.appending("srv", "spalloc").asFolder }

    // MARK: - Requests

    public func get(
        _ url: SpallocURL, query: [(name: String, value: String)] = [], timeout: Duration? = nil
    ) async throws(SpallocError) -> SpallocReply {
        try await self.send(HTTPCall(.GET, query.isEmpty ? url : url.withQuery(query)), timeout: timeout)
    }

    public func post(
        _ url: SpallocURL, query: [(name: String, value: String)] = [], body: ByteBuffer, contentType: String,
        timeout: Duration? = nil
    ) async throws(SpallocError) -> SpallocReply {
        let url = query.isEmpty ? url : url.withQuery(query)
        return try await self.send(
            HTTPCall(.POST, url, headers: ["content-type": contentType], body: body), timeout: timeout)
    }

    public func put(
        _ url: SpallocURL, text: String, timeout: Duration? = nil
    ) async throws(SpallocError) -> SpallocReply {
        try await self.send(
            HTTPCall(.PUT, url, headers: ["content-type": "text/plain; charset=UTF-8"], body: ByteBuffer(string: text)),
            timeout: timeout)
    }

    public func delete(
        _ url: SpallocURL, query: [(name: String, value: String)] = [], timeout: Duration? = nil
    ) async throws(SpallocError) -> SpallocReply {
        try await self.send(HTTPCall(.DELETE, query.isEmpty ? url : url.withQuery(query)), timeout: timeout)
    }

    /// Logs in again now, even after a refusal.
    public func renew() async throws(SpallocError) {
        self.state.withLockedValue { $0.refused = nil }
        let generation = self.state.withLockedValue { $0.login?.generation }
        _ = try await self.login(after: generation)
    }

    /// Sends with what the session has; logs in first, or again, where needed. Answers are 2xx, all else is an error.
    func send(_ call: HTTPCall, timeout: Duration? = nil) async throws(SpallocError) -> SpallocReply {
        let timeout = timeout ?? self.configuration.requestTimeout
        var login = try await self.login(after: nil)
        var reply = try await self.exchange(call, with: login, timeout: timeout)
        if reply.status == 401 || reply.isRedirect {
            // A redirect here is the login page's: the API has none.
            login = try await self.login(after: login.generation)
            reply = try await self.exchange(call, with: login, timeout: timeout)
            if reply.status == 401 || reply.isRedirect {
                throw SpallocError(
                    .notLoggedIn, "the service does not accept the session it has just opened, on \(call.url.path)",
                    serverMessage: reply.words, status: reply.status, url: call.url)
            }
        } else if reply.status == 403, call.method != .GET, let fresh = try await self.refreshCSRF(of: login) {
            // The session lives on with another CSRF token.
            reply = try await self.exchange(call, with: fresh, timeout: timeout)
        }
        guard reply.isSuccess else { throw SpallocError.status(reply, call: call) }
        return reply
    }

    private func exchange(
        _ call: HTTPCall, with login: Login, timeout: Duration
    ) async throws(SpallocError) -> SpallocReply {
        var call = call
        call.headers.replaceOrAdd(name: "accept", value: "application/json, text/plain, application/octet-stream")
        for (name, value) in self.authentication(login, forWriting: call.method != .GET) {
            call.headers.replaceOrAdd(name: name, value: value)
        }
        let reply: SpallocReply
        do throws(SpallocError) {
            reply = try await self.transport.execute(call, timeout: timeout)
        } catch {
            // A pooled connection may have been closed by the service just as we wrote: worth one more try.
            guard error.code == .connectionClosed, call.mayRepeat else { throw error }
            reply = try await self.transport.execute(call, timeout: timeout)
        }
        if reply.headers.contains(name: "set-cookie") {
            self.state.withLockedValue { state in
                guard state.login?.generation == login.generation, reply.status != 401 else { return }
                state.login?.cookies.take(from: reply.headers)
            }
        }
        return reply
    }

    /// The headers that prove who we are. Writing takes the CSRF token, and the bearer token where there is one.
    func authentication(_ login: Login, forWriting: Bool) -> [(String, String)] {
        var headers: [(String, String)] = []
        if !login.cookies.isEmpty { headers.append(("cookie", login.cookies.header)) }
        if forWriting {
            if let csrf = login.csrf { headers.append((csrf.name, csrf.token.text)) }
            if let bearer = login.bearer { headers.append(("authorization", "Bearer \(bearer.text)")) }
        }
        return headers
    }

    // MARK: - State

    /// The present login when it is newer than `generation`; otherwise one that is made now, once for all who ask.
    func login(after generation: UInt64?) async throws(SpallocError) -> Login {
        if let login = try self.current(newerThan: generation) { return login }
        return try await self.renewals.run { () async throws(SpallocError) -> Login in
            // Another's renewal may have ended between our look and our turn.
            if let login = try self.current(newerThan: generation) { return login }
            return try await self.logIn()
        }
    }

    private func current(newerThan generation: UInt64?) throws(SpallocError) -> Login? {
        let state = self.state.withLockedValue { $0 }
        if state.isClosed { throw SpallocError(.closed, "the client is closed", url: self.serviceURL) }
        if let login = state.login, generation.map({ login.generation > $0 }) ?? true { return login }
        if let refused = state.refused { throw refused }
        return nil
    }

    func install(_ make: (UInt64) -> Login) -> Login {
        self.state.withLockedValue { state in
            state.generation += 1
            let login = make(state.generation)
            state.login = login
            state.refused = nil
            return login
        }
    }

    /// Forgets cookies, tokens and passwords. Requests fail from now on.
    func close() {
        self.state.withLockedValue { state in
            state.isClosed = true
            state.login = nil
            state.credentials = .inURL
        }
    }

    /// What a second process needs to act in this session. As good as a password: store it only where that may lie.
    public func storedSession() async throws(SpallocError) -> SpallocStoredSession {
        let login = try await self.login(after: nil)
        return SpallocStoredSession(
            cookies: login.cookies.values.mapValues(\.text),
            headers: login.csrf.map { [$0.name: $0.token.text] } ?? [:])
    }
}
