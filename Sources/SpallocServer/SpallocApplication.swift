//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import ServiceLifecycle
import SpallocAPI

/// One allocation service, put together and not yet running: what `spallocd`, the demonstration and the tests use alike.
///
/// ```swift
/// let service = try await SpallocApplication.build(configuration: configuration, logger: logger)
/// try await service.run { port in print("ready on port \(port)") }
/// ```
public struct SpallocApplication: Sendable {
    package let core: ServiceCore
    package let sessions: Sessions
    package let logins: Logins
    package let registry: ProxyRegistry
    private let connections: BoardConnections
    private let factory: BMPControllerFactory
    /// nil: there is no legacy port.
    package let v1: V1Service?
    private let tls: TLSConfiguration?
    private let templates: PageTemplates
    package let liveStreams = LiveStreams()
    /// Where the metrics' own listener listens, once it does.
    private let metricsListener = NIOLockedValueBox<Int?>(nil)

    /// Opens the database, adds the machines and users of the configuration, and reads the certificate. Nothing runs or listens yet.
    ///
    /// - Throws: ``SpallocServerError`` that names what is wrong.
    public static func build(
        configuration: SpallocServerConfiguration, logger: Logger
    ) async throws(SpallocServerError) -> SpallocApplication {
        try await self.build(configuration: configuration, logger: logger, clock: SystemClock.now, bmps: nil)
    }

    /// - Parameters:
    ///   - bmps: how BMPs are reached; nil: by SCP over UDP.
    ///   - fetch: how the issuer of tokens is asked; nil: by HTTP.
    package static func build(
        configuration: SpallocServerConfiguration, logger: Logger, clock: @escaping WallClock, bmps: BMPControllerFactory?,
        fetch: IssuerFetch? = nil
    ) async throws(SpallocServerError) -> SpallocApplication {
        try configuration.validate()
        let tls = try configuration.tls.map { tls throws(SpallocServerError) in try self.tlsConfiguration(tls) }
        let fetch = if let fetch { fetch } else { try IssuerHTTP(configuration.oidc).fetch }
        let store = try Store(path: configuration.databasePath)
        let core = ServiceCore(configuration: configuration, store: store, clock: clock, logger: logger)
        let v1: V1Service?
        do {
            try await store.importMachines(configuration.machines)
            for user in configuration.users { try await store.ensureUser(user, rounds: configuration.passwordRounds) }
            for group in configuration.groups { try await store.ensureGroup(group, now: clock()) }
            v1 = configuration.v1.enabled ? try await V1Service(core: core) : nil
        } catch let error as SpallocServerError {
            throw error
        } catch {
            throw SpallocServerError(.database, "cannot write the configuration to \(configuration.databasePath): \(error)")
        }
        return SpallocApplication(
            core: core, v1: v1, tls: tls, templates: try PageTemplates(),
            factory: bmps ?? SCPBMPController.factory(power: configuration.power), fetch: fetch)
    }

    /// Everything that can be found wrong without opening the database or listening: out of range settings, a certificate that cannot be
    /// used, a directory for the database that is not there.
    ///
    /// - Throws: ``SpallocServerError`` that names what is wrong.
    package static func check(_ configuration: SpallocServerConfiguration) throws(SpallocServerError) {
        try configuration.validate()
        if let tls = configuration.tls { _ = try self.tlsConfiguration(tls) }
        _ = try IssuerHTTP(configuration.oidc)
        for program in configuration.notify.programs where !FileManager.default.isExecutableFile(atPath: program) {
            throw SpallocServerError(.configuration, "notify: \(program) is no program that can be run")
        }
        let path = configuration.databasePath
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
            guard !isDirectory.boolValue else { throw SpallocServerError(.database, "the database \(path) is a directory") }
            return
        }
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw SpallocServerError(.database, "there is no directory \(directory) for the database")
        }
    }

    private init(
        core: ServiceCore, v1: V1Service?, tls: TLSConfiguration?, templates: PageTemplates,
        factory: @escaping BMPControllerFactory, fetch: @escaping IssuerFetch
    ) {
        self.templates = templates
        self.core = core
        self.v1 = v1
        self.tls = tls
        self.factory = factory
        self.sessions = Sessions(store: core.store, clock: core.clock, idle: core.configuration.timings.sessionIdle)
        let bearer = core.configuration.oidc.map { oidc in
            BearerLogins(
                configuration: oidc, store: core.store, clock: core.clock,
                keys: IssuerKeys(oidc, clock: core.clock, fetch: fetch), logger: core.logger)
        }
        self.logins = Logins(
            store: core.store, clock: core.clock, lockout: { core.configuration.lockout },
            rounds: core.configuration.passwordRounds, bearer: bearer,
            browser: bearer.flatMap { bearer in
                bearer.configuration.login.map { BrowserLogins($0, bearer: bearer, fetch: fetch) }
            })
        let (registry, connections) = (ProxyRegistry(), BoardConnections())
        self.registry = registry
        self.connections = connections
        core.observe { change in
            // One that is new may be told of after it has been given boards, and had nothing before.
            guard change.state == .destroyed || change.state == .queued && change.revision > 1 else { return }
            registry.closeAll(job: change.job)
            // Unstructured: a change is told synchronously, and nobody waits for sockets to close.
            Task { await connections.close(job: change.job) }
        }
    }

    private static func tlsConfiguration(
        _ tls: SpallocServerConfiguration.TLS
    ) throws(SpallocServerError) -> TLSConfiguration {
        for path in [tls.certificateChainPath, tls.privateKeyPath] where !FileManager.default.isReadableFile(atPath: path) {
            throw SpallocServerError(.tls, "cannot read \(path)")
        }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(tls.certificateChainPath)
            let key = try NIOSSLPrivateKey(file: tls.privateKeyPath, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            // A key that does not belong to the certificate is found here, not at the first client.
            _ = try NIOSSLContext(configuration: configuration)
            return configuration
        } catch {
            throw SpallocServerError(
                .tls, "the certificate \(tls.certificateChainPath) and the key \(tls.privateKeyPath) cannot be used: \(error)")
        }
    }

    // MARK: - Running

    /// Runs until the task is cancelled or the service is shut down gracefully (as a `Service` of a group, for one).
    ///
    /// - Parameter onReady: called with the port once the service listens.
    /// - Throws: ``SpallocServerError`` when it cannot listen.
    public func run(onReady: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let isReady = NIOLockedValueBox(false)
        let application = try self.application { port in
            isReady.withLockedValue { $0 = true }
            await onReady(port)
        }
        let (core, connections) = (self.core, self.connections)
        do {
            try await withGracefulShutdownHandler {
                try await application.run()
            } onGracefulShutdown: {
                // Those who wait for a change would hold the server up.
                core.changes.end()
            }
        } catch {
            await connections.closeAll()
            // Before it is ready, the one thing that can fail is the socket: in use, not permitted, no such host.
            guard !isReady.withLockedValue({ $0 }), !(error is CancellationError), !(error is SpallocServerError) else {
                throw error
            }
            let place = "\(core.configuration.host):\(core.configuration.port)"
            if let error = error as? IOError { throw SpallocServerError.cannotListen(place, error) }
            throw SpallocServerError(.cannotListen, "cannot listen on \(place): \(error)")
        }
        await connections.closeAll()
        try? core.store.close()
    }

    /// A user may have been disabled by another process, which cannot reach the websockets.
    package func closeWebSocketsOfTheDisabled() async throws {
        for user in try await self.core.store.disabled(among: self.registry.users) {
            self.registry.closeAll(user: user, reason: "the account is disabled")
        }
    }

    /// A websocket ends with the session or the token that opened it. An open one is a use of its session, which does not idle meanwhile.
    ///
    /// - Returns: when the next one ends.
    package func closeWebSocketsWithoutAccess() async throws -> Timestamp? {
        for session in self.registry.sessions where try await !self.sessions.keep(key: session) {
            self.registry.closeAll(session: session)
        }
        return self.registry.closeEnded(now: self.core.clock())
    }

    /// The port of the metrics' own listener; nil if there is none, and until it listens.
    package var metricsPort: Int? { self.metricsListener.withLockedValue { $0 } }

    private var metricsPage: MetricsPage { MetricsPage(core: self.core, registry: self.registry, v1: self.v1) }

    /// The port of the legacy protocol; nil if there is none, and until the service is ready.
    public var v1Port: Int? { self.v1?.port }

    /// Hummingbird's application, its services with it. Services are shut down in the reverse order.
    package func application(
        onReady: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws -> Application<RouterResponder<SpallocRequestContext>> {
        let authoriser = ProxyAuthoriser(core: self.core, sessions: self.sessions, logins: self.logins, registry: self.registry)
        let v1 = self.v1
        var services: [any Service] = [
            PowerService(core: self.core, factory: self.factory),
            AllocatorService(core: self.core),
            ExpiryService(core: self.core) { [sessions] in
                // First those that a websocket uses are used.
                let next = try await self.closeWebSocketsWithoutAccess()
                try await sessions.sweep()
                try await self.closeWebSocketsOfTheDisabled()
                return next
            },
        ]
        services.append(HistoryService(core: self.core))
        services.append(NotifyService(core: self.core))
        services.append(BoardSweepService(care: BoardCare(core: self.core, factory: self.factory)))
        if let v1 { services.append(v1) }
        let metrics = self.core.configuration.metrics
        if let port = metrics.port {
            let listener = self.metricsListener
            services.append(
                self.metricsPage.listener(metrics, port: port, logger: self.core.logger) { port in
                    listener.withLockedValue { $0 = port }
                })
        }
        return Application(
            responder: self.router().buildResponder(),
            server: try .http1WithWebSocket(authoriser: { head, _ in await authoriser.decide(head) }, tls: self.tls),
            configuration: ApplicationConfiguration(
                address: .hostname(self.core.configuration.host, port: self.core.configuration.port), serverName: nil),
            services: services,
            onServerRunning: { channel in
                await v1?.waitUntilListening()
                await onReady(channel.localAddress?.port ?? 0)
            },
            logger: self.core.logger)
    }

    package func router() -> Router<SpallocRequestContext> {
        let router = Router(context: SpallocRequestContext.self, options: [.autoGenerateHeadEndpoints])
        let tls = self.tls != nil
        router.add(middleware: RequestMetrics(metrics: self.core.metrics))
        router.add(middleware: ProblemsMiddleware())
        router.add(middleware: ForwardedMiddleware(core: self.core))
        let base = router.group(RouterPath(self.core.configuration.basePath))
        OperationsController(core: self.core).addPublicRoutes(to: base)
        OpenAPIController(basePath: self.core.configuration.basePath).addRoutes(to: base)

        if self.core.configuration.metrics.enabled {
            self.metricsPage.addRoute(
                to: router.group().add(middleware: Authenticator(sessions: self.sessions, logins: self.logins)))
        }

        let api = base.group("srv/spalloc").add(middleware: Authenticator(sessions: self.sessions, logins: self.logins))
        let seen = SeenRevisions()
        RootController(core: self.core, sessions: self.sessions, logins: self.logins, tls: tls).addRoutes(to: api)
        MachineController(core: self.core, tls: tls).addRoutes(to: api)
        JobCollectionController(core: self.core, tls: tls, seen: seen).addRoutes(to: api)
        JobController(core: self.core, tls: tls, seen: seen).addRoutes(to: api)
        let memory = MemoryController(core: self.core, connections: self.connections)
        memory.addRoutes(to: api)
        FastDataController(memory: memory).addRoutes(to: api)
        let care = BoardCare(core: self.core, factory: self.factory)
        BoardHealthController(core: self.core, factory: self.factory).addRoutes(to: api)
        BlacklistController(care: care).addRoutes(to: api)
        HistoryController(core: self.core, tls: tls).addRoutes(to: api)
        OperationsController(core: self.core).addRoutes(to: api)
        GroupController(core: self.core).addRoutes(to: api)
        AdminController(service: AdminService(core: self.core, registry: self.registry), tls: tls).addRoutes(to: api)
        self.addPages(to: base, tls: tls)
        return router
    }

    private func addPages(to base: RouterGroup<SpallocRequestContext>, tls: Bool) {
        let pages = Pages(core: self.core, sessions: self.sessions, logins: self.logins, tls: tls, templates: self.templates)
        LoginController(pages: pages).addRoutes(to: base)
        ResourceController().addRoutes(to: base)
        base.get("") { request, _ in pages.redirect(request, to: SpallocPath.webRoot, status: .found) }
        let gate = base.group().add(middleware: PageGate(pages: pages))
        MachinePages(pages: pages).addRoutes(to: gate)
        JobPages(pages: pages, connections: self.connections).addRoutes(to: gate)
        AccountPages(pages: pages).addRoutes(to: gate)
        LiveEvents(pages: pages, streams: self.liveStreams).addRoutes(to: gate)
        let service = AdminService(core: self.core, registry: self.registry)
        let admin = gate.group("system/admin").add(middleware: AdministratorsOnly())
        AdminUserPages(pages: pages, service: service).addRoutes(to: admin)
        AdminGroupPages(pages: pages, service: service).addRoutes(to: admin)
        AdminMachinePages(
            pages: pages, service: service, health: BoardHealthController(core: self.core, factory: self.factory)
        ).addRoutes(to: admin)
    }
}

extension SpallocApplication: Service {
    public func run() async throws { try await self.run(onReady: { _ in }) }
}
