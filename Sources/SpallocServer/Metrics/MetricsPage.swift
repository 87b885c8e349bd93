//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import SpallocAPI

/// The page that Prometheus reads.
package struct MetricsPage: Sendable {
    let core: ServiceCore
    let registry: ProxyRegistry
    let v1: V1Service?

    package func text() async throws -> String {
        let figures = try await self.core.store.figures()
        var text = PrometheusText()
        text.family("spalloc_jobs", .gauge, "Live jobs by state.")
        for (state, count) in figures.jobs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            text.sample("spalloc_jobs", [("state", state.rawValue)], Double(count))
        }
        text.value("spalloc_jobs_created_total", .counter, "Jobs created since the database was made.", figures.jobsCreated)
        text.family("spalloc_boards", .gauge, "Boards by machine and state.")
        for boards in figures.boards {
            for (state, count) in [
                ("free", boards.free), ("allocated", boards.allocated), ("out_of_service", boards.outOfService),
            ] {
                text.sample("spalloc_boards", [("machine", boards.machine), ("state", state)], Double(count))
            }
        }
        text.family("spalloc_boards_powered", .gauge, "Boards that are on, as their BMPs last confirmed.")
        for boards in figures.boards {
            text.sample("spalloc_boards_powered", [("machine", boards.machine)], Double(boards.powered))
        }
        text.value("spalloc_power_changes_waiting", .gauge, "Boards that are still to be switched.", figures.powerChanges)
        text.value("spalloc_long_polls", .gauge, "Requests that wait for a change.", self.core.changes.waiterCount)
        if let v1 { text.value("spalloc_v1_connections", .gauge, "Connections of the v1 port.", v1.connectionCount) }
        self.proxy(self.registry.totals.counters, &text)
        self.core.metrics.registry.write(to: &text)
        return text.text
    }

    private func proxy(_ counters: ProxyCounters, _ text: inout PrometheusText) {
        text.value("spalloc_proxy_websockets", .gauge, "Open websockets of jobs.", counters.sessionsOpen)
        text.value("spalloc_proxy_websockets_opened_total", .counter, "Websockets opened.", counters.sessionsOpened)
        text.value("spalloc_proxy_channels", .gauge, "Open channels to boards.", counters.channelsOpen)
        text.value("spalloc_proxy_channels_opened_total", .counter, "Channels opened.", counters.channelsOpened)
        text.family("spalloc_proxy_datagrams_total", .counter, "Datagrams passed on.")
        text.sample("spalloc_proxy_datagrams_total", [("to", "board")], Double(counters.datagramsToBoards))
        text.sample("spalloc_proxy_datagrams_total", [("to", "client")], Double(counters.datagramsToClients))
        text.family("spalloc_proxy_bytes_total", .counter, "Bytes of the datagrams passed on.")
        text.sample("spalloc_proxy_bytes_total", [("to", "board")], Double(counters.bytesToBoards))
        text.sample("spalloc_proxy_bytes_total", [("to", "client")], Double(counters.bytesToClients))
        text.family("spalloc_proxy_dropped_total", .counter, "Datagrams dropped, by reason.")
        for (reason, count) in [
            ("no_channel", counters.droppedWithoutChannel), ("board_socket", counters.droppedAtBoards),
            ("slow_client", counters.droppedAtClients), ("foreign_sender", counters.droppedForeign),
        ] {
            text.sample("spalloc_proxy_dropped_total", [("reason", reason)], Double(count))
        }
        text.value(
            "spalloc_proxy_violations_total", .counter, "Websockets closed for what the client sent.", counters.violations)
    }

    private func response() async throws -> Response {
        Response.text(try await self.text(), type: PrometheusText.contentType)
    }

    /// On the service's own port: for administrators only, whose password Prometheus can send.
    func addRoute(to router: RouterGroup<SpallocRequestContext>) {
        router.get("metrics") { _, context in
            let caller = try context.requireCaller()
            try caller.require(caller.user.trustLevel.administers)
            return try await self.response()
        }
    }

    /// A listener that has nothing but this page, without a login: who can reach its address can read it.
    ///
    /// - Parameter onReady: called with its port.
    func listener(
        _ settings: SpallocServerConfiguration.Metrics, port: Int, logger: Logger,
        onReady: @escaping @Sendable (Int) -> Void
    ) -> Application<RouterResponder<SpallocRequestContext>> {
        let router = Router(context: SpallocRequestContext.self)
        router.add(middleware: ProblemsMiddleware())
        router.get("metrics") { _, _ in try await self.response() }
        return Application(
            responder: router.buildResponder(),
            configuration: ApplicationConfiguration(address: .hostname(settings.host, port: port), serverName: nil),
            onServerRunning: { channel in onReady(channel.localAddress?.port ?? 0) }, logger: logger)
    }
}

/// Counts requests and how long they took.
struct RequestMetrics: RouterMiddleware {
    typealias Context = SpallocRequestContext

    let metrics: ServiceMetrics

    // The protocol is of a module where an async function leaves its caller's executor.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let started = ContinuousClock.now
        func count(_ status: Int) {
            self.metrics.request(
                method: Self.methods.contains(request.method) ? request.method.rawValue : "OTHER",
                // The pattern, not the path: a client must not be able to make as many metrics as it likes.
                route: context.endpointPath ?? "none", status: status, took: started.duration(to: .now))
        }
        do {
            let response = try await next(request, context)
            count(response.status.code)
            return response
        } catch {
            // Whoever asked is gone, or the service ends.
            count(499)
            throw error
        }
    }

    private static let methods: Set<HTTPRequest.Method> = [.get, .head, .put, .post, .delete, .options, .patch]
}
