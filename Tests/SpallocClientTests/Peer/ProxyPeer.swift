//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// The far end of a job's proxy: opens what it is asked to open, answers tag requests, echoes everything else.
final class ProxyPeer: Sendable {
    struct State: Sendable {
        var requests: [ProxyRequest] = []
        /// Sent on a channel before a tag request on it is answered.
        var eventBeforeTag: ByteBuffer?
        var tagResult = SCPResult.ok
        /// OPEN for this port is refused with a text.
        var refusedPort: UInt32?
        /// Nothing is answered.
        var isMute = false
        /// So many datagrams come right behind the answer to each OPEN, in the same write.
        var greetings = 0
        /// The first OPEN is answered after the second, with frames of no meaning between.
        var answersOpensInPairsBackwards = false
        /// What is open, by channel.
        var channels: [UInt32: ProxyEndpoint] = [:]
        var connections = 0
        var channel: (any Channel)?
    }

    let state = NIOLockedValueBox(State())
    var requests: [ProxyRequest] { self.state.withLockedValue { $0.requests } }

    /// Ends the present websocket as a broken network does.
    func cut() { self.state.withLockedValue { $0.channel }?.close(promise: nil) }

    /// The same in the middle of a frame: a head that promises 256 bytes, and 3 of them.
    func cutInAFrame() {
        guard let channel = self.state.withLockedValue({ $0.channel }) else { return }
        channel.writeAndFlush(ByteBuffer(bytes: [0x82, 126, 1, 0, 2, 0, 0])).whenComplete { _ in channel.close(promise: nil) }
    }

    /// Nothing is read any more, pings included, as if a cable were pulled.
    func freeze() {
        _ = self.state.withLockedValue { $0.channel }?.setOption(.autoRead, value: false)
    }

    func makeUser(_ channel: any Channel) -> any WebSocketUser {
        self.state.withLockedValue { $0.channel = channel }
        return User(peer: self)
    }

    private final class User: WebSocketUser {
        let peer: ProxyPeer
        var socket: WebSocketHandler?
        var channels: UInt32
        var held: (correlation: UInt32, channel: UInt32)?

        init(peer: ProxyPeer) {
            self.peer = peer
            self.channels = peer.state.withLockedValue { state in
                state.connections += 1
                // Another websocket, other channel numbers.
                return UInt32(state.connections * 100)
            }
        }

        func webSocketOpened(_ socket: WebSocketHandler) {
            self.socket = socket
        }

        func webSocketReceived(_ message: ByteBuffer) {
            guard let request = try? ProxyRequest(frame: message) else { return }
            let state = self.peer.state.withLockedValue { state in
                state.requests.append(request)
                return state
            }
            guard !state.isMute else { return }
            switch request {
            case .open(let correlation, let endpoint):
                if endpoint.port == state.refusedPort {
                    return self.reply(.error(correlation: correlation, message: "no such board"))
                }
                self.channels += 1
                let channel = self.channels
                self.peer.state.withLockedValue { $0.channels[channel] = endpoint }
                if state.answersOpensInPairsBackwards, self.held == nil {
                    self.held = (correlation, channel)
                    return
                }
                self.reply(.opened(correlation: correlation, channel: channel))
                self.greet(channel, state.greetings)
                if let held {
                    self.talkNonsense()
                    self.reply(.opened(correlation: held.correlation, channel: held.channel))
                }
            case .close(let correlation, let channel):
                self.reply(.closed(correlation: correlation, channel: channel))
            case .openUnconnected(let correlation):
                self.channels += 1
                self.reply(
                    .openedUnconnected(
                        correlation: correlation, channel: self.channels, address: IPv4Address(10, 0, 0, 254),
                        port: 50_000 + self.channels))
                self.greet(self.channels, state.greetings)
            case .message(let channel, let datagram):
                self.reply(.message(channel: channel, datagram))
            case .messageTo(let channel, _, let datagram):
                self.answer(datagram, on: channel, state)
            }
        }

        private func answer(_ datagram: ByteBuffer, on channel: UInt32, _ state: State) {
            guard let packet = try? SCPPacket(datagram: datagram), packet.command == .ipTag else {
                return self.reply(.message(channel: channel, datagram))
            }
            if let event = state.eventBeforeTag { self.reply(.message(channel: channel, event)) }
            var header = packet.header.reply
            header.sourceChip = packet.header.destinationChip
            var answer = ByteBuffer()
            SCPReply(header: header, result: state.tagResult, sequence: packet.sequence).writeDatagram(into: &answer)
            self.reply(.message(channel: channel, answer))
        }

        private func greet(_ channel: UInt32, _ count: Int) {
            for number in 0..<count {
                self.reply(.message(channel: channel, ByteBuffer(integer: UInt8(truncatingIfNeeded: number))))
            }
        }

        /// An operation that there is not, an answer to nobody, a frame too short, a datagram for a channel that is not open.
        private func talkNonsense() {
            self.socket?.putMessage(ByteBuffer(bytes: [77, 0, 0, 0, 1, 0, 0, 0]))
            self.reply(.opened(correlation: 9999, channel: 9999))
            self.socket?.putMessage(ByteBuffer(bytes: [2, 0]))
            self.reply(.message(channel: 9999, ByteBuffer(bytes: [1])))
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
