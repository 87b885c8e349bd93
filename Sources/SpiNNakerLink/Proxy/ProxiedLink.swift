//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// A proxy's channel to one port of one board: a ``DatagramLink`` like any other.
///
/// When the websocket is lost, what is written is dropped and counted until the channel is open again, as on a cable that is
/// pulled for a while; only when there will be no other websocket does the link end.
package final class ProxiedLink: DatagramLink {
    package let eventLoop: any EventLoop
    package let linkDescription: String
    package let endpoint: ProxyEndpoint
    private let inside: NIOLoopBound<(core: ProxyClientCore, port: ProxyPort)>

    init(core: ProxyClientCore, port: ProxyPort, endpoint: ProxyEndpoint) {
        self.eventLoop = core.eventLoop
        self.linkDescription = port.description
        self.endpoint = endpoint
        self.inside = NIOLoopBound((core, port), eventLoop: core.eventLoop)
    }

    package func setReceiver(_ receiver: (any DatagramReceiver)?) { self.inside.value.port.setReceiver(receiver) }

    package func write(_ datagram: ByteBuffer) {
        let inside = self.inside.value
        inside.core.write(datagram, by: inside.port)
    }

    package func flush() { self.inside.value.core.flush() }

    /// A request's way through TLS and the proxy costs enough processor without watching; the caller of a lone one has only its time.
    package var replyWatch: ReplyWatch { SocketWatch.hasProcessorToSpare ? .forLoneRequest : .never }

    package func watch(for time: TimeAmount) { self.inside.value.core.watch(for: time) }

    /// Tells the service, but does not wait for its answer: see ``closeAndWait()``. From any thread.
    package func close() {
        self.eventLoop.execute { self.inside.value.core.close(self.inside.value.port, promise: nil) }
    }

    /// Closes and waits until the service says so.
    package func closeAndWait() async throws {
        try await self.eventLoop.flatSubmit {
            let promise = self.eventLoop.makePromise(of: Void.self)
            self.inside.value.core.close(self.inside.value.port, promise: promise)
            return promise.futureResult
        }.get()
    }

    /// Datagrams dropped at this end: those that came while nobody took them, and those that could not be sent.
    package func drops() async throws -> (incoming: Int, outgoing: Int) {
        try await self.eventLoop.submit { (self.inside.value.port.droppedIncoming, self.inside.value.port.droppedOutgoing) }
            .get()
    }
}

/// A proxy's unconnected channel: it hears every board of the job, at an address that boards can be told.
package final class ProxiedListener: Sendable {
    package let eventLoop: any EventLoop
    package let listenerDescription: String
    private let inside: NIOLoopBound<(core: ProxyClientCore, port: ProxyPort)>

    init(core: ProxyClientCore, port: ProxyPort) {
        self.eventLoop = core.eventLoop
        self.listenerDescription = port.description
        self.inside = NIOLoopBound((core, port), eventLoop: core.eventLoop)
    }

    /// Where boards reach it: an address of the service's host, for their IP tags. It changes when the websocket had to
    /// be opened again.
    package func localAddress() async throws -> (address: IPv4Address, port: Int) {
        try await self.eventLoop.submit {
            guard let local = self.inside.value.port.local else { throw ProxyError.closed }
            return (local.address, Int(local.port))
        }.get()
    }

    /// Called on the event loop with each new address: the tags have to be set again.
    package func onMove(_ body: @escaping @Sendable (IPv4Address, Int) -> Void) {
        self.eventLoop.execute { self.inside.value.port.onMove = { body($0, Int($1)) } }
    }

    /// On the event loop.
    package func setReceiver(_ receiver: (any DatagramReceiver)?) { self.inside.value.port.setReceiver(receiver) }

    /// On the event loop. The service ends the websocket if the chip is no Ethernet chip of the job.
    package func write(_ datagram: ByteBuffer, to chip: ChipID, port: Int) {
        let inside = self.inside.value
        inside.core.write(datagram, to: ProxyEndpoint(chip: chip, port: port), by: inside.port)
    }

    /// On the event loop.
    package func flush() { self.inside.value.core.flush() }

    package func close() {
        self.eventLoop.execute { self.inside.value.core.close(self.inside.value.port, promise: nil) }
    }

    package func closeAndWait() async throws {
        try await self.eventLoop.flatSubmit {
            let promise = self.eventLoop.makePromise(of: Void.self)
            self.inside.value.core.close(self.inside.value.port, promise: promise)
            return promise.futureResult
        }.get()
    }
}
