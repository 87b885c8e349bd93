//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import VirtualSpiNNaker

/// The far end of a job's proxy with virtual boards behind it, on a clock that moves a millisecond with every datagram.
///
/// Reason for unchecked: websockets come on several event loops; everything is touched under the lock.
final class BoardPeer: @unchecked Sendable {
    private let lock = NIOLock()
    private let machine: InMemoryMachine
    private var websockets = 0
    private var kill: (@Sendable () -> Void)?
    /// Datagrams until the websocket breaks.
    private var cutAfter: Int?
    private var refused: ChipID?
    private var received = 0

    /// - Parameter isSilent: its boards have no power, and answer nothing.
    init(
        _ kind: VirtualMachineDescription.Kind = .spinn5, faults: HardwareFaults = .none, isSilent: Bool = false
    ) throws {
        self.machine = try InMemoryMachine(
            VirtualMachineDescription(kind, faults: faults, bootTimeScale: 0, isPoweredAtStart: !isSilent))
    }

    var websocketCount: Int { self.lock.withLock { self.websockets } }
    /// Datagrams that came for boards.
    var datagramCount: Int { self.lock.withLock { self.received } }

    /// The websocket breaks, as a bad network breaks it, when so many more datagrams have come.
    func cut(after datagrams: Int) { self.lock.withLock { self.cutAfter = datagrams } }
    /// OPEN for this chip is refused.
    func refuse(_ chip: ChipID) { self.lock.withLock { self.refused = chip } }

    func makeUser(_ channel: any Channel) -> any WebSocketUser {
        self.lock.withLock {
            self.websockets += 1
            self.kill = { channel.close(mode: .all, promise: nil) }
            return User(peer: self, firstChannel: UInt32(self.websockets * 100))
        }
    }

    /// What the boards answer, by the channel whose datagram they answer. nil: the websocket has just broken.
    private func exchange(
        _ datagram: ByteBuffer, to endpoint: ProxyEndpoint, channel: UInt32
    ) -> [(channel: UInt32, datagram: ByteBuffer)]? {
        self.lock.withLock {
            self.received += 1
            if let left = self.cutAfter {
                self.cutAfter = left > 1 ? left - 1 : nil
                if left <= 1 {
                    self.kill?()
                    return nil
                }
            }
            guard let board = self.board(endpoint.chip) else { return [] }
            let host = HostAddress(ip: .loopback, port: UInt16(truncatingIfNeeded: channel))
            let port = UInt16(truncatingIfNeeded: endpoint.port)
            let answers = self.machine.send(datagram, to: .board(board), port: port, from: host)
            self.machine.advance(by: .milliseconds(1))
            return (answers + self.machine.takeOutgoing()).map { (UInt32($0.destination.port), $0.bytes) }
        }
    }

    /// The triad (0, 0) has its boards' Ethernet chips here.
    private func board(_ chip: ChipID?) -> Int? {
        guard let chip, let z = [ChipID(0, 0), ChipID(8, 4), ChipID(4, 8)].firstIndex(of: chip) else { return nil }
        return self.machine.machine.boards.first { $0.coordinates == BoardCoordinates(0, 0, z) && $0.isPresent }?.number
    }

    private final class User: WebSocketUser {
        let peer: BoardPeer
        var socket: WebSocketHandler?
        var lastChannel: UInt32
        var endpoints: [UInt32: ProxyEndpoint] = [:]

        init(peer: BoardPeer, firstChannel: UInt32) {
            self.peer = peer
            self.lastChannel = firstChannel
        }

        func webSocketOpened(_ socket: WebSocketHandler) { self.socket = socket }

        func webSocketReceived(_ message: ByteBuffer) {
            guard let request = try? ProxyRequest(frame: message) else { return }
            switch request {
            case .open(let correlation, let endpoint):
                if endpoint.chip == self.peer.lock.withLock({ self.peer.refused }) {
                    return self.reply(.error(correlation: correlation, message: "no such board"))
                }
                self.lastChannel += 1
                self.endpoints[self.lastChannel] = endpoint
                self.reply(.opened(correlation: correlation, channel: self.lastChannel))
            case .openUnconnected(let correlation):
                self.lastChannel += 1
                self.reply(
                    .openedUnconnected(
                        correlation: correlation, channel: self.lastChannel, address: IPv4Address(10, 0, 0, 254),
                        port: 50_000 + self.lastChannel))
            case .close(let correlation, let channel):
                self.endpoints[channel] = nil
                self.reply(.closed(correlation: correlation, channel: channel))
            case .message(let channel, let datagram):
                guard let endpoint = self.endpoints[channel] else { return }
                self.pass(datagram, to: endpoint, channel)
            case .messageTo(let channel, let endpoint, let datagram):
                self.pass(datagram, to: endpoint, channel)
            }
        }

        private func pass(_ datagram: ByteBuffer, to endpoint: ProxyEndpoint, _ channel: UInt32) {
            for answer in self.peer.exchange(datagram, to: endpoint, channel: channel) ?? [] {
                self.reply(.message(channel: answer.channel, answer.datagram))
            }
        }

        private func reply(_ reply: ProxyReply) {
            var frame = ByteBuffer()
            reply.write(into: &frame)
            self.socket?.putMessage(frame)
        }

        func webSocketReadComplete() { self.socket?.flush() }
        func webSocketClosed(_ ending: WebSocketEnding) { self.socket = nil }
    }
}

extension FakeService {
    /// A service whose job is ready on virtual boards: those of `peers` by turns, one for each job that is created, the last
    /// for all that follow.
    static func withBoards(_ peers: [BoardPeer], boards: Int = 1) -> FakeService {
        let created = NIOLockedValueBox(0)
        let chips = [ChipID(0, 0), ChipID(8, 4), ChipID(4, 8)].prefix(boards)
        let connections = chips.enumerated().map { "[[\($1.x),\($1.y)],\"10.0.0.\($0 + 1)\"]" }.joined(separator: ",")
        return FakeService(
            { $0.jobState = "READY" },
            special: { request in
                switch request.call {
                case "POST /spalloc/srv/spalloc/jobs/":
                    created.withLockedValue { $0 += 1 }
                    return nil
                case "GET /spalloc/proxy/42":
                    let job = created.withLockedValue { max(1, $0) }
                    let peer = peers[min(job, peers.count) - 1]
                    return .webSocket { peer.makeUser($0) }
                case "GET /spalloc/srv/spalloc/jobs/42/machine":
                    return .json(
                        """
                        {"width":1,"height":1,"depth":\(boards),"machine-name":"M","connections":[\(connections)],\
                        "boards":[\((0..<boards).map { "[0,0,\($0)]" }.joined(separator: ","))]}
                        """)
                case "GET /spalloc/srv/spalloc/jobs/42/chip":
                    let z = request.query["x"] == "8" ? 1 : request.query["x"] == "4" ? 2 : 0
                    return .json(#"{"machine":"M","logical-board-coordinates":[0,0,\#(z)]}"#)
                case "POST /spalloc/srv/spalloc/jobs/42/report-issue":
                    return .json(#"{"action":"report noted"}"#)
                default:
                    return nil
                }
            })
    }
}
