//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine

/// What one websocket of the proxy may do, decided when its upgrade is.
package struct ProxySessionConfiguration: Sendable {
    package var admission: ProxyAdmission
    /// The job's Ethernet chips, job-relative, and the boards they are on.
    package var boards: [ChipID: IPv4Address]
    /// Where unconnected channels listen, which is the address that their reply names. nil: on all, and the reply names the
    /// one from which this host reaches the job's boards.
    package var localHost: IPv4Address?
    package var maximumChannels: Int
    package var webSocket: WebSocketConfiguration
    package var logger: Logger

    package init(
        admission: ProxyAdmission, boards: [ChipID: IPv4Address], localHost: IPv4Address? = nil, maximumChannels: Int = 1024,
        webSocket: WebSocketConfiguration = .server, logger: Logger
    ) {
        self.admission = admission
        self.boards = boards
        self.localHost = localHost
        self.maximumChannels = maximumChannels
        self.webSocket = webSocket
        self.logger = logger
    }
}

/// A handle on a websocket of the proxy, for the rest of the service: from any thread.
package final class ProxySession: Sendable {
    package let job: Int
    private let relay: NIOLoopBound<ProxyRelay>

    init(job: Int, relay: NIOLoopBound<ProxyRelay>) {
        self.job = job
        self.relay = relay
    }

    /// Closes the UDP channels at once, and the websocket with this code.
    ///
    /// The future is done when no datagram of this websocket reaches a board any more.
    @discardableResult
    package func close(_ code: WebSocketCloseCode, reason: String) -> EventLoopFuture<Void> {
        self.relay.eventLoop.submit { self.relay.value.close(code, reason: reason) }
    }

    /// The future is done when nothing but these can be opened any more.
    @discardableResult
    package func updateBoards(_ boards: [ChipID: IPv4Address]) -> EventLoopFuture<Void> {
        self.relay.eventLoop.submit { self.relay.value.updateBoards(boards) }
    }

    /// This session's own figures.
    package func counters() async throws -> ProxyCounters {
        try await self.relay.eventLoop.submit { self.relay.value.counters }.get()
    }
}
