//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNakerSimCommands

// From the first line to the last: files, sockets, signals, and a host that talks to the boards meanwhile. In the one suite, because a
// process has its signals once.
extension SimToolTests {
    /// Everything it made is gone when a signal has stopped it.
    @Test func ctrlCLeavesNothingBehind() async throws {
        try await Sim.withDirectory { directory in
            let socket = directory.appending(path: "s").path
            let json = directory.appending(path: "j").path
            let tool = Tool()
            async let code = tool.run(
                ["spinn3", "--base", "auto", "--status", "0.1", "--control", socket, "--json", json], signals: [SIGURG])
            await tool.out.wait(for: "boards on")
            let ready = try JSONDecoder().decode(ReadyFile.self, from: Data(contentsOf: URL(filePath: json)))
            #expect(FileManager.default.fileExists(atPath: socket))
            // Somebody is in the middle of a line.
            let talk = try await Connection.open(socket)
            try await talk.send("pow")
            kill(getpid(), SIGURG)
            #expect(await code == 128 + SIGURG)
            #expect(await talk.line() == nil)
            #expect(!FileManager.default.fileExists(atPath: socket) && !FileManager.default.fileExists(atPath: json))
            #expect(tool.err.text == "")
            // Its addresses are free.
            let second = Tool()
            async let secondCode = second.run(
                ["spinn3", "--base", "\(ready.base)", "--control", socket, "--status", "0.1"])
            await second.out.wait(for: "boards on")
            #expect(await Sim.tool("tell", socket, "quit").code == 0)
            #expect(await secondCode == 0)
        }
    }

    @Test func bootsAndPowerCyclesShowInTheTable() async throws {
        try await Sim.withSimulator("spinn3", "--powered", "--events") { sim in
            let board = try #require(sim.ready.boards.first)
            func state() async -> Substring? { await sim.board("0,0,0").dropFirst(4).first }
            #expect(await state() == "on")
            let host = try await Host.open()
            for datagram in try Host.bootDatagrams() {
                try await host.send(datagram, to: board.address, port: BootMessage.port)
            }
            await sim.out.wait(for: "board 0,0,0 was booted: SC&MP on 4 chips")
            #expect(await state() == "booted")
            #expect(try await host.version(at: board.address) == "SC&MP")
            // LED 0 on, then in the table.
            try await host.ask(.led, 3, at: board.address)
            await sim.out.wait(for: "LEDs 1")
            #expect(await sim.board("0,0,0").count == 8, "a lit LED is a column")
            #expect(await sim.tell("status").out.contains("1 of 1 boards on, 1 booted; datagrams in 5, out 2"))
            #expect(await sim.tell("power", "cycle", "all").code == 0)
            #expect(await state() == "on")
            #expect(await sim.tell("power", "off", "0").code == 0)
            #expect(await state() == "off")
            await host.close()
        }
    }

    @Test func aNetworkIsBrokenAndMended() async throws {
        try await Sim.withSimulator("spinn3", "--network", "drop=1") { sim in
            let bmp = try #require(sim.ready.bmps.first).address
            let host = try await Host.open()
            #expect(try await host.version(at: bmp, patience: .milliseconds(100)) == nil)
            #expect(await sim.tell("network", "in", "none").code == 0)
            #expect(try await host.version(at: bmp, patience: .milliseconds(100)) == nil, "it hears, and can not be heard")
            #expect(await sim.tell("network", "none").code == 0)
            #expect(try await host.version(at: bmp) == "BC&MP")
            #expect(await sim.tell("fault", "bmp", "0,0,0", "RC_P2P_NOREPLY").code == 0)
            #expect(try await host.version(at: bmp) == "RC_P2P_NOREPLY (chip does not answer)")
            #expect(await sim.tell("fault", "bmp", "0,0,0", "off").code == 0)
            #expect(try await host.version(at: bmp) == "BC&MP")
            await host.close()
        }
    }

    @Test func machinesRunSideBySide() async throws {
        try await Sim.withSimulator("spinn3") { one in
            try await Sim.withSimulator("spinn5") { other in
                #expect(one.ready.base != other.ready.base)
                #expect(one.ready.machine == "spinn3" && other.ready.machine == "spinn5")
            }
        }
    }

    @Test func severalLinesInOnePieceAreAnsweredInOrder() async throws {
        try await Sim.withSimulator("spinn3") { sim in
            let talk = try await Connection.open(sim.socket)
            try await talk.send("# a remark\n\nstatus\nbogus\npower on all\n")
            var lines: [String] = []
            for _ in 0..<6 { lines.append(await talk.line() ?? "") }
            #expect(lines[0] == "ok" && lines[1] == "ok" && lines[3] == "ok" && lines[5] == "ok")
            #expect(lines[2].hasPrefix("0 of 1 boards on"))
            #expect(lines[4] == #"error: there is no command "bogus"; help lists them"#)
            await talk.close()
        }
    }

    @Test func filesThatCanNotBe() async throws {
        try await Sim.withDirectory { directory in
            let json = await Sim.tool("spinn3", "--base", "auto", "--json", "/nowhere/ready.json")
            #expect(json.code == 1 && json.err.hasPrefix("spinnaker-sim: can not write /nowhere/ready.json"))
            let control = await Sim.tool("spinn3", "--base", "auto", "--control", "/nowhere/s")
            #expect(control.code == 1 && control.err.hasPrefix("spinnaker-sim: can not listen at /nowhere/s"))
            let long = directory.path + "/" + String(repeating: "x", count: 200)
            #expect(await Sim.tool("spinn3", "--base", "auto", "--control", long).code == 1)
            let missing = await Sim.tool("--description", "/nowhere/m.json")
            #expect(missing.code == 1 && missing.err == "spinnaker-sim: /nowhere/m.json can not be read")
            let path = directory.appending(path: "m.json").path
            try Data(#"{"machine": "spinn3", "powred": true}"#.utf8).write(to: URL(filePath: path))
            let wrong = await Sim.tool("--description", path)
            #expect(wrong.code == 1 && wrong.err == #"spinnaker-sim: \#(path): unknown key "powred"; did you mean "powered"?"#)
            #expect(wrong.out == "", "nothing was begun")
        }
    }

    @Test func aDescriptionMakesTheMachine() async throws {
        try await Sim.withDirectory { directory in
            let path = directory.appending(path: "m.json").path
            try Data(#"{"machine": "1x2", "powered": true, "dead-boards": ["0,1,2"]}"#.utf8).write(to: URL(filePath: path))
            try await Sim.withSimulator("--description", path) { sim in
                #expect(sim.ready.machine == "1x2" && sim.ready.boards.count == 5)
                #expect(await sim.tell("status").out.hasPrefix("5 of 5 boards on"))
                #expect(await sim.tell("bmps").out.split(separator: "\n").last?.split(separator: " ").last == "5")
            }
        }
    }

    /// A list of more than two dozen ends with the last, and with what is in between left out.
    @Test func longListsAreCut() async throws {
        try await Sim.withSimulator("3x3") { sim in
            let lines = sim.out.text.split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("board  ") } == 24)
            #expect(lines.contains { $0.hasPrefix("…      2,2,2  127.\(sim.ready.base).1.25") })
            #expect(lines.count { $0.hasPrefix("BMP    ") } == 2)
            #expect(await sim.tell("boards").out.split(separator: "\n").count >= 27)
        }
    }

    @Test func theHelpNamesEveryOption() async {
        let help = await Sim.tool("--help").out
        for option in [
            "--description", "--base", "--boot-time-scale", "--powered", "--seed", "--dead-board", "--dead-chip", "--dead-core",
            "--dead-link", "--network", "--json", "--status", "--control", "--interactive", "--events", "--quiet", "--verbose",
        ] { #expect(help.contains(option)) }
        #expect(help.contains("130 stopped by Ctrl-C"))
    }

    @Test(arguments: [
        ["--status", "0.05"], ["--status", "86401"], ["--status", "x"], ["--json"], ["1x1", "2x2"],
    ])
    func usageThatIsWrong(arguments: [String]) async {
        let tool = Tool()
        #expect(await tool.run(arguments) == 2)
        #expect(tool.out.text == "")
    }
}

/// A host on loopback that asks one thing at a time.
private final class Host: Sendable {
    private let channel: any Channel
    private let answers: NIOLockedValueBox<[ByteBuffer]>

    private init(channel: any Channel, answers: NIOLockedValueBox<[ByteBuffer]>) {
        self.channel = channel
        self.answers = answers
    }

    private final class Receiver: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let answers: NIOLockedValueBox<[ByteBuffer]>
        init(_ answers: NIOLockedValueBox<[ByteBuffer]>) { self.answers = answers }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data).data
            self.answers.withLockedValue { $0.append(bytes) }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    static func open() async throws -> Host {
        let answers = NIOLockedValueBox<[ByteBuffer]>([])
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Receiver(answers)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Host(channel: channel, answers: answers)
    }

    func close() async { try? await self.channel.close().get() }

    func send(_ bytes: ByteBuffer, to address: String, port: Int) async throws {
        let remote = try SocketAddress(ipAddress: address, port: port)
        try await self.channel.writeAndFlush(AddressedEnvelope(remoteAddress: remote, data: bytes)).get()
    }

    /// The answer, or nil when none has come in time.
    @discardableResult
    func ask(
        _ command: SCPCommand, _ a: UInt32 = 0, at address: String, patience: Duration = .seconds(20)
    ) async throws -> SCPReply? {
        var bytes = ByteBuffer()
        SCPPacket(
            header: SDPHeader(destination: SDPAddress(port: 0, cpu: 0), destinationChip: .origin), command: command,
            sequence: 1, arguments: SCPArguments(a, 0, 0), data: ByteBuffer()
        ).writeDatagram(into: &bytes)
        self.answers.withLockedValue { $0 = [] }
        try await self.send(bytes, to: address, port: SCP.port)
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if let answer = self.answers.withLockedValue({ $0.popLast() }) { return try SCPReply(datagram: answer) }
            await Task.yield()
        }
        return nil
    }

    /// The name of what answers, or the code it refuses with.
    func version(at address: String, patience: Duration = .seconds(20)) async throws -> String? {
        guard let reply = try await self.ask(.version, at: address, patience: patience) else { return nil }
        return reply.result == .ok ? try reply.decode(for: GetVersion.self).name : reply.result.description
    }

    /// One block of zeroes: what the model takes for SC&MP.
    static func bootDatagrams() throws -> [ByteBuffer] {
        try [
            BootMessage(opcode: .floodFillStart),
            BootMessage(opcode: .floodFillBlock, operand1: 0xFF00, data: ByteBuffer(repeating: 0, count: 1024)),
            BootMessage(opcode: .floodFillControl, operand1: 1),
        ].map { message in
            var bytes = ByteBuffer()
            message.write(into: &bytes)
            return bytes
        }
    }
}
