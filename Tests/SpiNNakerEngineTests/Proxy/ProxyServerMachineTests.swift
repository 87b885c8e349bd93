//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

extension ByteBuffer {
    fileprivate init(_ words: UInt32..., text: String = "") {
        self.init()
        for word in words { self.writeInteger(word, endianness: .little) }
        self.writeString(text)
    }
}

@Suite struct ProxyServerMachineTests {
    typealias Machine = ProxyServerMachine<String>
    private let a = IPv4Address(127, 1, 0, 1)
    private let b = IPv4Address(127, 1, 0, 2)

    private func machine(channels: Int = 10) -> Machine {
        Machine(boards: [ChipID(0, 0): self.a, ChipID(8, 4): self.b], maximumChannels: channels)
    }

    /// With channel 1 connected to (8, 4):17893 and channel 2 unconnected.
    private func openMachine() -> Machine {
        var machine = self.machine()
        _ = machine.received(ByteBuffer(0, 0, 8, 4, 17893))
        _ = machine.opened("one", channel: 1, endpoint: ProxyEndpoint(x: 8, y: 4, port: 17893), correlation: 0)
        _ = machine.received(ByteBuffer(3, 1))
        _ = machine.openedUnconnected("two", channel: 2, address: self.a, port: 50001, correlation: 1)
        return machine
    }

    private func words(of action: Machine.Action) -> String { "\(action)" }

    @Test func openAsksForASocketAndAnswersWithItsChannel() {
        var machine = self.machine()
        guard case .connect(7, let endpoint, let board) = machine.received(ByteBuffer(0, 7, 8, 4, 17893)) else {
            Issue.record("no socket asked for")
            return
        }
        #expect(board == self.b && endpoint == ProxyEndpoint(x: 8, y: 4, port: 17893))
        let reply = machine.opened("port", channel: 41, endpoint: endpoint, correlation: 7)
        #expect(reply == .opened(correlation: 7, channel: 41))
        guard case .send("port", let datagram) = machine.received(ByteBuffer(2, 41, text: "to the board")) else {
            Issue.record("not sent")
            return
        }
        #expect(datagram == ByteBuffer(string: "to the board"))
    }

    @Test func openUnconnectedAnswersWithItsAddress() {
        var machine = self.machine()
        guard case .bind(3) = machine.received(ByteBuffer(3, 3)) else {
            Issue.record("no socket asked for")
            return
        }
        let reply = machine.openedUnconnected(
            "port", channel: 6, address: IPv4Address(10, 0, 0, 254), port: 50001, correlation: 3)
        var bytes = ByteBuffer()
        reply.write(into: &bytes)
        // The reply of the vector spalloc.ws.open-unbound.
        #expect(
            bytes == ByteBuffer(bytes: [3, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0, 0x0a, 0, 0, 0xfe, 0x51, 0xc3, 0, 0]))
        guard case .sendTo("port", let board, 17893, let datagram) = machine.received(ByteBuffer(4, 6, 8, 4, 17893, text: "x"))
        else {
            Issue.record("not sent")
            return
        }
        #expect(board == self.b && datagram == ByteBuffer(string: "x"))
    }

    @Test(
        arguments: [
            ("unknown chip", [0, 9, 1, 1, 17893]), ("no chip at all", [0, 9, 256, 0, 17893]), ("port 0", [0, 9, 0, 0, 0]),
            ("port 65536", [0, 9, 0, 0, 65536]), ("port beyond anything", [0, 9, 0, 0, 0xFFFF_FFFF]),
        ] as [(String, [UInt32])])
    func anOpenThatCanNotBeIsAnErrorWithItsCorrelation(name: String, words: [UInt32]) {
        var machine = self.machine()
        var frame = ByteBuffer()
        for word in words { frame.writeInteger(word, endianness: .little) }
        guard case .reply(.error(9, let text)) = machine.received(frame) else {
            Issue.record("\(name): no error")
            return
        }
        #expect(!text.isEmpty && text.utf8.count <= 1000)
    }

    @Test func whatIsNoRequestClosesWith1007() {
        for frame in [
            ByteBuffer(), ByteBuffer(bytes: [0, 0, 0]), ByteBuffer(0), ByteBuffer(0, 1, 0, 0), ByteBuffer(0, 1, 0, 0, 17893, 1),
            ByteBuffer(1, 1), ByteBuffer(1, 1, 1, text: "x"), ByteBuffer(2), ByteBuffer(bytes: [2, 0, 0, 0, 1, 0, 0]),
            ByteBuffer(3),
            ByteBuffer(3, 1, 0), ByteBuffer(4, 1, 0, 0), ByteBuffer(5, 0), ByteBuffer(5, 0, text: "text"),
        ] {
            var machine = self.openMachine()
            guard case .violation(let violation) = machine.received(frame) else {
                Issue.record("accepted: \(frame.hexDump(format: .compact))")
                continue
            }
            #expect(violation.code == .invalidPayload)
        }
    }

    @Test(arguments: [6, 7, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] as [UInt32])
    func anUnknownOperationClosesWith1011(code: UInt32) {
        var machine = self.openMachine()
        for frame in [ByteBuffer(code), ByteBuffer(code, 1, 2, 3)] {
            guard case .violation(let violation) = machine.received(frame) else {
                Issue.record("accepted")
                continue
            }
            #expect(violation.code == .internalError)
        }
    }

    @Test func messagesForNoOrAnUnconnectedChannelAreDropped() {
        var machine = self.openMachine()
        for channel in [0, 2, 3, 0xFFFF_FFFF] as [UInt32] {
            guard case .drop = machine.received(ByteBuffer(2, channel, text: "datagram")) else {
                Issue.record("channel \(channel): not dropped")
                continue
            }
        }
    }

    @Test func messageToIsCheckedBeforeItsChannelIsLookedAt() {
        var machine = self.openMachine()
        for frame in [
            ByteBuffer(4, 99, 1, 1, 17893), ByteBuffer(4, 99, 0, 0, 0), ByteBuffer(4, 2, 0, 0, 65536),
            ByteBuffer(4, 1, 0, 0, 17893),
        ] {
            guard case .violation(let violation) = machine.received(frame) else {
                Issue.record("accepted")
                continue
            }
            #expect(violation.code == .invalidPayload)
        }
        guard case .drop = machine.received(ByteBuffer(4, 99, 0, 0, 17893, text: "x")) else {
            Issue.record("an unknown channel is to be ignored")
            return
        }
    }

    @Test func closeAnswersOnceWithTheChannelAndThenWithZero() {
        var machine = self.openMachine()
        guard case .close("one", .closed(correlation: 5, channel: 1)) = machine.received(ByteBuffer(1, 5, 1)),
            case .reply(.closed(correlation: 6, channel: 0)) = machine.received(ByteBuffer(1, 6, 1)),
            case .drop = machine.received(ByteBuffer(2, 1, text: "late"))
        else {
            Issue.record("CLOSE is wrong")
            return
        }
        #expect(machine.channelCount == 1 && !machine.isOpen(channel: 1) && machine.isOpen(channel: 2))
    }

    @Test func channelsBeingOpenedCountAgainstTheLimit() {
        var machine = self.machine(channels: 2)
        guard case .connect = machine.received(ByteBuffer(0, 1, 0, 0, 1)), case .bind = machine.received(ByteBuffer(3, 2)),
            case .reply(.error(3, _)) = machine.received(ByteBuffer(0, 3, 0, 0, 1)),
            case .reply(.error(4, _)) = machine.received(ByteBuffer(3, 4))
        else {
            Issue.record("the limit does not hold")
            return
        }
        // One fails and makes room.
        #expect(machine.openFailed(correlation: 1, because: "no socket") == .error(correlation: 1, message: "no socket"))
        guard case .connect = machine.received(ByteBuffer(0, 5, 0, 0, 1)) else {
            Issue.record("no room after a failure")
            return
        }
    }

    @Test func aJobsBoardsCanChange() {
        var machine = self.openMachine()
        #expect(machine.isOfJob(self.a) && machine.isOfJob(self.b) && !machine.isOfJob(IPv4Address(127, 1, 0, 3)))
        // Losing a board that nothing is connected to ends nothing.
        #expect(machine.updateBoards([ChipID(8, 4): self.b]) == false)
        #expect(!machine.isOfJob(self.a))
        guard case .reply(.error(1, _)) = machine.received(ByteBuffer(0, 1, 0, 0, 17893)) else {
            Issue.record("a lost board can still be opened")
            return
        }
        // Another board in its place is a loss as well.
        #expect(machine.updateBoards([ChipID(8, 4): self.a]) == true)
        #expect(Set(machine.removeAll()) == ["one", "two"])
        #expect(machine.channelCount == 0 && !machine.isOfJob(self.a))
    }

    @Test func anyBytesGetAnAction() {
        var random = SeededGenerator(seed: 11)
        var machine = self.openMachine()
        for _ in 0..<3000 {
            var frame = ByteBuffer()
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                frame.writeInteger(
                    Bool.random(using: &random) ? UInt32.random(in: 0...9, using: &random) : .max, endianness: .little)
            }
            frame.writeRepeatingByte(0, count: Int.random(in: 0...3, using: &random))
            if case .connect(let correlation, _, _) = machine.received(frame) {
                _ = machine.openFailed(correlation: correlation, because: "")
            }
        }
    }
}
