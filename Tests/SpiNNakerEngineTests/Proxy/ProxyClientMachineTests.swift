//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Transcripts: what a client asks for, what the service answers, and what must come out.
@Suite struct ProxyClientMachineTests {
    typealias Machine = ProxyClientMachine<String, Int>
    private let t0 = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let scp = ProxyEndpoint(x: 8, y: 4, port: 17893)

    private func machine() -> Machine {
        var machine = Machine(label: "job 7", callDeadline: .seconds(10))
        #expect(machine.connected(now: self.t0).isEmpty)
        return machine
    }

    private func frame(_ reply: ProxyReply) -> ByteBuffer {
        var bytes = ByteBuffer()
        reply.write(into: &bytes)
        return bytes
    }

    /// An action in one line, so that a transcript reads as one.
    private func text(_ action: Machine.Action) -> String {
        switch action {
        case .deliver(let port, let datagram): "deliver \(port) \(String(buffer: datagram))"
        case .opened(let port, let channel, let local, let token):
            "opened \(port) \(channel) \(local.map { "\($0.address):\($0.port)" } ?? "-") \(token.map(String.init) ?? "-")"
        case .closed(let token): "closed \(token.map(String.init) ?? "-")"
        case .failed(let port, let token, let error): "failed \(port ?? "-") \(token.map(String.init) ?? "-") \(error)"
        case .send(let request): "send \(request)"
        case .drop: "drop"
        }
    }

    @Test func openUseAndClose() {
        var machine = self.machine()
        let (id, request) = machine.open("scp", target: self.scp, token: 1, now: self.t0)
        #expect(request == .open(correlation: 0, self.scp))
        #expect(
            self.text(machine.received(self.frame(.opened(correlation: 0, channel: 5)), now: self.t0)) == "opened scp 5 - 1")
        let datagram = self.frame(.message(channel: 5, ByteBuffer(string: "hello")))
        #expect(self.text(machine.received(datagram, now: self.t0)) == "deliver scp hello")
        let (close, abandoned) = machine.close(id, token: 2, now: self.t0)
        #expect(close == .close(correlation: 1, channel: 5) && abandoned == nil)
        // From the CLOSE on nothing is delivered, though the service may still send.
        #expect(self.text(machine.received(datagram, now: self.t0)) == "drop")
        #expect(self.text(machine.received(self.frame(.closed(correlation: 1, channel: 5)), now: self.t0)) == "closed 2")
        #expect(machine.nextDeadline == nil && machine.portCount == 0)
    }

    @Test func unconnectedKeepsTheAddressOfItsReply() {
        var machine = self.machine()
        let (_, request) = machine.open("events", target: nil, token: 1, now: self.t0)
        #expect(request == .openUnconnected(correlation: 0))
        let reply = ProxyReply.openedUnconnected(correlation: 0, channel: 6, address: IPv4Address(10, 0, 0, 254), port: 50001)
        #expect(self.text(machine.received(self.frame(reply), now: self.t0)) == "opened events 6 10.0.0.254:50001 1")
    }

    @Test func repliesOutOfOrderFindTheirCalls() {
        var machine = self.machine()
        for (token, name) in ["a", "b", "c"].enumerated() {
            _ = machine.open(name, target: self.scp, token: token, now: self.t0)
        }
        #expect(
            self.text(machine.received(self.frame(.opened(correlation: 2, channel: 30)), now: self.t0)) == "opened c 30 - 2")
        #expect(
            self.text(machine.received(self.frame(.opened(correlation: 0, channel: 31)), now: self.t0)) == "opened a 31 - 0")
        // A datagram right behind the reply is not lost.
        let early = self.frame(.message(channel: 31, ByteBuffer(string: "early")))
        #expect(self.text(machine.received(early, now: self.t0)) == "deliver a early")
        #expect(machine.pendingCallCount == 1)
    }

    @Test func anErrorFailsItsCallOnly() {
        var machine = self.machine()
        _ = machine.open("a", target: self.scp, token: 1, now: self.t0)
        _ = machine.open("b", target: nil, token: 2, now: self.t0)
        let error = self.frame(.error(correlation: 0, message: "no such board"))
        #expect(
            self.text(machine.received(error, now: self.t0))
                == "failed a 1 job 7: OPEN of (8, 4):17893: the service refused it: no such board")
        #expect(machine.portCount == 1 && machine.pendingCallCount == 1)
        #expect(self.text(machine.received(error, now: self.t0)) == "drop")
        #expect(
            self.text(machine.received(self.frame(.error(correlation: 1, message: "")), now: self.t0))
                == "failed b 2 job 7: OPEN_UNCONNECTED: the service refused it: no reason given")
    }

    @Test func anUnansweredOpenFailsAndItsLateChannelIsClosed() {
        var machine = self.machine()
        _ = machine.open("slow", target: self.scp, token: 1, now: self.t0)
        #expect(machine.nextDeadline == self.t0 + .seconds(10))
        #expect(machine.expire(now: self.t0 + .milliseconds(9999)).isEmpty)
        #expect(
            machine.expire(now: self.t0 + .seconds(10)).map(self.text) == [
                "failed slow 1 job 7: OPEN of (8, 4):17893: no answer in time"
            ])
        let late = self.t0 + .seconds(11)
        #expect(
            self.text(machine.received(self.frame(.opened(correlation: 0, channel: 9)), now: late))
                == "send close(correlation: 1, channel: 9)")
        #expect(self.text(machine.received(self.frame(.closed(correlation: 1, channel: 9)), now: late)) == "closed -")
        #expect(machine.nextDeadline == nil)
    }

    @Test func anUnansweredCloseFailsWithItsName() {
        var machine = self.machine()
        let (id, _) = machine.open("a", target: self.scp, token: 1, now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 0, channel: 7)), now: self.t0)
        _ = machine.close(id, token: 2, now: self.t0)
        #expect(
            machine.expire(now: self.t0 + .seconds(10)).map(self.text) == [
                "failed - 2 job 7: CLOSE of channel 7: no answer in time"
            ])
    }

    @Test func anOpenGivenUpIsAbandonedAndItsChannelClosed() {
        var machine = self.machine()
        let (id, _) = machine.open("a", target: self.scp, token: 1, now: self.t0)
        let (request, abandoned) = machine.close(id, token: 2, now: self.t0)
        #expect(request == nil && abandoned == 1)
        #expect(
            self.text(machine.received(self.frame(.opened(correlation: 0, channel: 3)), now: self.t0))
                == "send close(correlation: 1, channel: 3)")
    }

    @Test func closedAsChannelZeroIsClosed() {
        var machine = self.machine()
        let (id, _) = machine.open("a", target: self.scp, token: 1, now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 0, channel: 7)), now: self.t0)
        _ = machine.close(id, token: 2, now: self.t0)
        #expect(self.text(machine.received(self.frame(.closed(correlation: 1, channel: 0)), now: self.t0)) == "closed 2")
    }

    @Test func repliesOfAnotherKindFailTheCall() {
        for reply in [
            ProxyReply.closed(correlation: 0, channel: 1), .opened(correlation: 0, channel: 0),
            .openedUnconnected(correlation: 0, channel: 1, address: .any, port: 1),
        ] {
            var machine = self.machine()
            _ = machine.open("a", target: self.scp, token: 1, now: self.t0)
            guard case .failed("a"?, 1?, .misanswered) = machine.received(self.frame(reply), now: self.t0) else {
                Issue.record("\(reply) taken for an answer")
                continue
            }
            #expect(machine.portCount == 0)
        }
    }

    @Test func whatIsNoReplyIsDropped() {
        var machine = self.machine()
        _ = machine.open("a", target: self.scp, token: 1, now: self.t0)
        var random = SeededGenerator(seed: 4)
        for _ in 0..<2000 {
            var frame = ByteBuffer()
            frame.writeInteger(UInt32.random(in: 0...7, using: &random), endianness: .little)
            // Correlation 0 alone is waited for.
            frame.writeInteger(UInt32.random(in: 1...9, using: &random), endianness: .little)
            let short = frame.readSlice(length: Int.random(in: 0...8, using: &random)) ?? ByteBuffer()
            #expect(self.text(machine.received(short, now: self.t0)) == "drop")
        }
        #expect(machine.pendingCallCount == 1)
    }

    // MARK: Losing the websocket

    @Test func callsFailAndOpenPortsComeBackUnderNewChannels() {
        var machine = self.machine()
        _ = machine.open("scp", target: self.scp, token: 1, now: self.t0)
        let (closing, _) = machine.open("closing", target: self.scp, token: 2, now: self.t0)
        _ = machine.open("events", target: nil, token: 3, now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 0, channel: 1)), now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 1, channel: 2)), now: self.t0)
        _ = machine.close(closing, token: 4, now: self.t0)
        #expect(
            machine.disconnected("reset").map(self.text) == [
                "failed events 3 the proxy's websocket ended: reset", "closed 4",
            ])
        // An old channel id means nothing now.
        #expect(self.text(machine.received(self.frame(.message(channel: 1, ByteBuffer())), now: self.t0)) == "drop")
        // One more is asked for while there is no websocket: it waits.
        let (_, request) = machine.open("new", target: nil, token: 5, now: self.t0)
        #expect(request == nil)
        #expect(
            machine.connected(now: self.t0 + .seconds(2)) == [
                .open(correlation: 4, self.scp), .openUnconnected(correlation: 5),
            ])
        #expect(
            self.text(machine.received(self.frame(.opened(correlation: 4, channel: 77)), now: self.t0)) == "opened scp 77 - -")
        let datagram = self.frame(.message(channel: 77, ByteBuffer(string: "again")))
        #expect(self.text(machine.received(datagram, now: self.t0)) == "deliver scp again")
    }

    @Test func aWaitingOpenHasItsDeadlineToo() {
        var machine = Machine(label: "job 7", callDeadline: .seconds(10))
        _ = machine.open("a", target: self.scp, token: 1, now: self.t0)
        #expect(machine.nextDeadline == self.t0 + .seconds(10))
        #expect(
            machine.expire(now: self.t0 + .seconds(10)).map(self.text) == [
                "failed a 1 job 7: OPEN of (8, 4):17893: no answer in time"
            ]
        )
    }

    @Test func lostTwiceWhileReopeningStillComesBack() {
        var machine = self.machine()
        _ = machine.open("scp", target: self.scp, token: 1, now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 0, channel: 1)), now: self.t0)
        #expect(machine.disconnected("one").isEmpty)
        #expect(machine.connected(now: self.t0).count == 1)
        #expect(machine.disconnected("two").isEmpty)
        #expect(machine.connected(now: self.t0).count == 1 && machine.portCount == 1)
    }

    @Test func aPortThatCanNotBeReopenedFails() {
        var machine = self.machine()
        _ = machine.open("scp", target: self.scp, token: 1, now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 0, channel: 1)), now: self.t0)
        _ = machine.disconnected("gone")
        _ = machine.connected(now: self.t0)
        let refusal = self.frame(.error(correlation: 1, message: "not yours"))
        #expect(self.text(machine.received(refusal, now: self.t0)).hasPrefix("failed scp - "))
        #expect(machine.portCount == 0)
    }

    @Test func theEndIsToldToEveryoneOnce() {
        var machine = self.machine()
        _ = machine.open("open", target: self.scp, token: 1, now: self.t0)
        _ = machine.open("opening", target: nil, token: 2, now: self.t0)
        _ = machine.received(self.frame(.opened(correlation: 0, channel: 1)), now: self.t0)
        #expect(machine.end(.closed).map(self.text) == ["failed open - closed here", "failed opening 2 closed here"])
        #expect(machine.end(.closed).isEmpty && machine.nextDeadline == nil)
    }

    @Test func correlationsThatWaitAreNotGivenOutAgain() {
        var machine = self.machine()
        var given: Set<UInt32> = []
        for token in 0..<300 {
            guard case .open(let correlation, _)? = machine.open("p", target: self.scp, token: token, now: self.t0).1 else {
                continue
            }
            given.insert(correlation)
        }
        #expect(given.count == 300)
    }
}
