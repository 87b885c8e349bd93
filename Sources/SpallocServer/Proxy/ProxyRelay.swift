//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// The proxy's end of one websocket: between its frames and the UDP sockets of its channels.
///
/// The UDP sockets live on the websocket's event loop. What one read of the websocket brought leaves each UDP socket in one
/// flush, and what the UDP sockets brought in one tick leaves the websocket in one write. A client that reads too slowly loses
/// datagrams, which are counted, and not the service its memory.
package final class ProxyRelay: WebSocketUser {
    private let configuration: ProxySessionConfiguration
    private let eventLoop: any EventLoop
    private let opener: BoardSocketOpener
    private var machine: ProxyServerMachine<BoardSocket>
    private var socket: WebSocketHandler?
    private var ended = false
    /// The UDP sockets with datagrams that were not flushed yet.
    private var unflushed: [BoardSocket] = []
    private var fresh = ProxyCounters()
    private var sum = ProxyCounters()

    package init(_ configuration: ProxySessionConfiguration, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.opener = BoardSocketOpener(eventLoop: eventLoop)
        self.machine = ProxyServerMachine(boards: configuration.boards, maximumChannels: configuration.maximumChannels)
    }

    var counters: ProxyCounters {
        self.settle()
        return self.sum
    }

    func close(_ code: WebSocketCloseCode, reason: String) { self.socket?.close(code, reason: reason) }

    func updateBoards(_ boards: [ChipID: IPv4Address]) {
        if self.machine.updateBoards(boards) { self.close(.jobEnded, reason: "a board in use is no longer this job's") }
    }

    // MARK: WebSocketUser

    package func webSocketOpened(_ socket: WebSocketHandler) {
        self.socket = socket
        self.fresh.sessionsOpen += 1
        self.fresh.sessionsOpened += 1
        self.settle()
        let session = ProxySession(
            job: self.configuration.admission.job, relay: NIOLoopBound(self, eventLoop: self.eventLoop))
        self.configuration.admission.attach(session)
        self.configuration.logger.debug("proxy websocket opened", metadata: ["job": "\(session.job)"])
    }

    package func webSocketReceived(_ message: ByteBuffer) {
        switch self.machine.received(message) {
        case .send(let port, let datagram):
            self.countSent(port.write(datagram), datagram)
            self.noteUnflushed(port)
        case .sendTo(let port, let board, let number, let datagram):
            self.countSent(port.write(datagram, to: board, port: number), datagram)
            self.noteUnflushed(port)
        case .connect(let correlation, let endpoint, let board):
            self.connect(correlation, endpoint, board)
        case .bind(let correlation):
            self.bind(correlation)
        case .close(let port, let reply):
            port.close()
            self.fresh.channelsOpen -= 1
            self.send(reply)
        case .reply(let reply):
            self.send(reply)
        case .drop:
            self.fresh.droppedWithoutChannel += 1
        case .violation(let violation):
            self.fresh.violations += 1
            self.close(violation.code, reason: violation.reason)
        }
    }

    package func webSocketReadComplete() {
        for port in self.unflushed { port.flush() }
        self.unflushed.removeAll(keepingCapacity: true)
        self.settle()
    }

    package func webSocketClosed(_ ending: WebSocketEnding) {
        self.ended = true
        self.socket = nil
        for port in self.unflushed { port.flush() }
        self.unflushed.removeAll()
        let ports = self.machine.removeAll()
        for port in ports { port.close() }
        self.fresh.channelsOpen -= ports.count
        self.fresh.sessionsOpen -= 1
        if case .violation = ending { self.fresh.violations += 1 }
        self.settle()
        self.configuration.admission.detach()
        self.configuration.logger.debug(
            "proxy websocket ended",
            metadata: [
                "job": "\(self.configuration.admission.job)", "ending": "\(ending)",
                "to-boards": "\(self.sum.datagramsToBoards)", "to-client": "\(self.sum.datagramsToClients)",
                "dropped": "\(self.sum.droppedAtClients + self.sum.droppedAtBoards)",
            ])
    }

    // MARK: From the boards

    /// A datagram of a channel: from its board and port, or, if it is unconnected, from any board of the job.
    func received(_ datagram: ByteBuffer, from source: SocketAddress, by port: BoardSocket) {
        guard let socket = self.socket, port.channelID != 0 else { return }
        guard let sender = IPv4Endpoint(source),
            port.peer.map({ $0.endpoint == sender }) ?? self.machine.isOfJob(sender.address)
        else {
            self.fresh.droppedForeign += 1
            return
        }
        guard socket.isWritable else {
            self.fresh.droppedAtClients += 1
            return
        }
        self.fresh.datagramsToClients += 1
        self.fresh.bytesToClients += datagram.readableBytes
        socket.putProxyMessage(channel: port.channelID, datagram)
    }

    func readComplete() {
        self.socket?.flush()
        self.settle()
    }

    // MARK: Opening

    private func connect(_ correlation: UInt32, _ endpoint: ProxyEndpoint, _ board: IPv4Address) {
        let peer = IPv4Endpoint(board, UInt16(truncatingIfNeeded: endpoint.port))
        let address: SocketAddress
        do { address = try peer.socketAddress } catch { return self.openFailed(correlation, error) }
        let port = BoardSocket(relay: self, peer: (address, peer))
        self.opener.open(port) { result in
            switch result {
            case .failure(let error):
                self.openFailed(correlation, error)
            case .success where self.ended:
                port.close()
            case .success where !self.machine.reaches(endpoint, board):
                port.close()
                self.send(self.machine.openFailed(correlation: correlation, because: "the board is no longer this job's"))
            case .success:
                port.channelID = self.nextChannel()
                self.countOpened()
                self.send(self.machine.opened(port, channel: port.channelID, endpoint: endpoint, correlation: correlation))
            }
            self.readComplete()
        }
    }

    private func bind(_ correlation: UInt32) {
        let port = BoardSocket(relay: self, peer: nil)
        let towards = self.machine.boards.min { $0.key < $1.key }?.value
        self.opener.bind(port, host: self.configuration.localHost, towards: towards) { result in
            switch result {
            case .failure(let error):
                self.openFailed(correlation, error)
            case .success where self.ended:
                port.close()
            case .success(let local):
                port.channelID = self.nextChannel()
                self.countOpened()
                self.send(
                    self.machine.openedUnconnected(
                        port, channel: port.channelID, address: local.address, port: local.port, correlation: correlation))
            }
            self.readComplete()
        }
    }

    private func openFailed(_ correlation: UInt32, _ error: any Error) {
        self.configuration.logger.warning("proxy socket failed", metadata: ["error": "\(error)"])
        // The reason is this host's business; the client learns that there is none to be had.
        self.send(self.machine.openFailed(correlation: correlation, because: "the service has no socket for this"))
    }

    private func nextChannel() -> UInt32 {
        // After four thousand million channels an old one of this websocket may still be open.
        while true {
            let id = self.configuration.admission.totals.nextChannel()
            if !self.machine.isOpen(channel: id) { return id }
        }
    }

    // MARK: Helpers

    private func send(_ reply: ProxyReply) {
        guard let socket = self.socket else { return }
        var message = ByteBuffer()
        reply.write(into: &message)
        socket.putMessage(message)
    }

    private func noteUnflushed(_ port: BoardSocket) {
        guard !port.isNoted else { return }
        port.isNoted = true
        self.unflushed.append(port)
    }

    private func countSent(_ wasSent: Bool, _ datagram: ByteBuffer) {
        if wasSent {
            self.fresh.datagramsToBoards += 1
            self.fresh.bytesToBoards += datagram.readableBytes
        } else {
            self.fresh.droppedAtBoards += 1
        }
    }

    private func countOpened() {
        self.fresh.channelsOpen += 1
        self.fresh.channelsOpened += 1
    }

    private func settle() {
        guard self.fresh != ProxyCounters() else { return }
        self.sum += self.fresh
        self.configuration.admission.totals.add(self.fresh)
        self.fresh = ProxyCounters()
    }
}

@available(*, unavailable)
extension ProxyRelay: Sendable {}
