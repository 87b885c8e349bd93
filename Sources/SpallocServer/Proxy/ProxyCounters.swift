//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization

/// What the proxy did: since it started, but for the two `open` figures.
package struct ProxyCounters: Hashable, Sendable {
    package var sessionsOpen = 0
    package var sessionsOpened = 0
    package var channelsOpen = 0
    package var channelsOpened = 0
    package var datagramsToBoards = 0
    package var bytesToBoards = 0
    package var datagramsToClients = 0
    package var bytesToClients = 0
    /// Sent by a client to a channel that was not open.
    package var droppedWithoutChannel = 0
    /// Not taken by the UDP socket.
    package var droppedAtBoards = 0
    /// Come from a board while its client read too slowly.
    package var droppedAtClients = 0
    /// Come from an address that is no board of the job.
    package var droppedForeign = 0
    /// Websockets closed because of what the client sent.
    package var violations = 0

    package init() {}

    package static func += (sum: inout ProxyCounters, more: ProxyCounters) {
        sum.sessionsOpen += more.sessionsOpen
        sum.sessionsOpened += more.sessionsOpened
        sum.channelsOpen += more.channelsOpen
        sum.channelsOpened += more.channelsOpened
        sum.datagramsToBoards += more.datagramsToBoards
        sum.bytesToBoards += more.bytesToBoards
        sum.datagramsToClients += more.datagramsToClients
        sum.bytesToClients += more.bytesToClients
        sum.droppedWithoutChannel += more.droppedWithoutChannel
        sum.droppedAtBoards += more.droppedAtBoards
        sum.droppedAtClients += more.droppedAtClients
        sum.droppedForeign += more.droppedForeign
        sum.violations += more.violations
    }
}

/// The sums over all sessions, and the number that the next channel gets. A session adds to them once per read, not per
/// datagram.
package final class ProxyTotals: Sendable {
    private let sums = Mutex(ProxyCounters())
    /// The wire knows one counter for the whole process: 1, 2, …, and never 0.
    private let lastChannel = Atomic<UInt32>(0)

    package init() {}

    package var counters: ProxyCounters { self.sums.withLock { $0 } }

    func add(_ counters: ProxyCounters) { self.sums.withLock { $0 += counters } }

    func nextChannel() -> UInt32 {
        while true {
            let id = self.lastChannel.wrappingAdd(1, ordering: .relaxed).newValue
            if id != 0 { return id }
        }
    }
}
