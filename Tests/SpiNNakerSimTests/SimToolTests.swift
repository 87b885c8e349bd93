//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CommandSupport
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import SpiNNakerSimCommands

/// The tool, run in this process.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct SimToolTests {
    @Test func aMachineIsThereUntilItIsToldToQuit() async throws {
        try await Sim.withSimulator("1x1", "--dead-board", "0,0,1", "--events") { sim in
            let ready = sim.ready
            #expect(ready.machine == "1x1" && ready.pid == getpid() && ready.control == sim.socket)
            #expect(ready.boards.map(\.board) == [[0, 0, 0], [0, 0, 2]])
            #expect(ready.boards.map(\.physical) == [[0, 0, 0], [0, 0, 2]])
            #expect(ready.boards.map(\.address) == ["127.\(ready.base).0.9", "127.\(ready.base).0.25"])
            #expect(ready.bmps.map(\.address) == ["127.\(ready.base).0.8"] && ready.sockets == 5)
            #expect(sim.out.text.contains("1x1: 2 boards, 1 BMP, 5 sockets in "))
            #expect(sim.out.text.contains("board  0,0,2  127.\(ready.base).0.25"))
            #expect(sim.out.text.contains("0 of 2 boards on, 0 booted; datagrams in 0, out 0; chips' memory 0 MiB"))

            #expect(
                await sim.board("0,0,2") == [
                    "0,0,2", "2", "0,0,2", Substring(ready.boards[1].address), "off", "0", "0",
                ])
            #expect(await sim.tell("power", "on", "0,0,0", ready.boards[1].address).code == 0)
            #expect(await sim.board("0,0,2").dropFirst(4).first == "on")
            await sim.out.wait(for: "board 0,0,2 is on")
            #expect(await sim.tell("power", "off", "2").code == 0)
            #expect(await sim.board("0,0,2").dropFirst(4).first == "off")
            #expect(await sim.tell("bmps").out.contains("127.\(ready.base).0.8"))
            #expect(await sim.tell("status").out.hasPrefix("1 of 2 boards on, 0 booted;"))
            #expect(await sim.tell("help").out == ControlCommand.helpText)
        }
    }

    @Test func faultsAreInjectedAndErrorsTold() async throws {
        try await Sim.withSimulator("spinn5", "--powered", "--quiet") { sim in
            #expect(!sim.out.text.contains("spinn5:"))
            #expect(await sim.tell("fault", "power-failure", "0,0,0", "on").code == 0)
            #expect(await sim.tell("power", "cycle", "all").code == 0)
            #expect(await sim.board("0,0,0").dropFirst(4).first == "off")
            #expect(await sim.tell("network", "in", "drop=1").code == 0)
            for (words, complaint) in [
                (["power", "on", "0,0,1"], "the machine has no board 0,0,1"),
                (["fault", "dead-chip", "7,0"], "there is no chip (7, 0) of board [x:0,y:0,z:0]"),
                (["bogus"], #"there is no command "bogus"; help lists them"#),
            ] {
                let tool = Tool()
                #expect(await tool.run(["tell", sim.socket] + words) == 1)
                #expect(tool.err.text == "spinnaker-sim: \(complaint)")
            }
        }
    }

    @Test func severalTalkOverOneSocketAndAnEndlessLineEndsOnlyItsOwn() async throws {
        try await Sim.withSimulator("spinn3") { sim in
            let one = try await Connection.open(sim.socket)
            let other = try await Connection.open(sim.socket)
            let rude = try await Connection.open(sim.socket)
            try await rude.send(String(repeating: "x", count: ControlSocket.longestLine + 1))
            #expect(await rude.line() == nil)
            try await one.send("power on all\nst")
            #expect(await one.line() == "ok")
            try await other.send("status\r\n")
            #expect(await other.line()?.hasPrefix("1 of 1 boards on") == true)
            #expect(await other.line() == "ok")
            try await one.send("atus\n")
            #expect(await one.line()?.hasPrefix("1 of 1 boards on") == true)
            await one.close()
            await other.close()
        }
    }

    @Test func aSignalStopsIt() async throws {
        let tool = Tool()
        async let code = tool.run(["spinn3", "--base", "auto", "--status", "0.1"], signals: [SIGWINCH])
        await tool.out.wait(for: "boards on")
        kill(getpid(), SIGWINCH)
        #expect(await code == 128 + SIGWINCH)
    }

    @Test func addressesThatAreTakenAreNamed() async throws {
        try await Sim.withSimulator("spinn3") { sim in
            let second = await Sim.tool("spinn3", "--base", "\(sim.ready.base)")
            #expect(second.code == 1)
            #expect(second.err.contains("127.\(sim.ready.base).0.8:17893 is in use; another virtual machine may have the same"))
            let third = await Sim.tool("spinn3", "--base", "auto", "--control", sim.socket)
            #expect(third.code == 1 && third.err == "spinnaker-sim: \(sim.socket) is another simulator's control socket")
        }
    }

    @Test func aStaleSocketIsReplacedAndAFileIsNot() async throws {
        try await Sim.withDirectory { directory in
            let path = directory.appending(path: "s").path
            // Bound and never unlinked, as a crash leaves it.
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(unixDomainSocketPath: path).get()
            try await channel.close().get()
            if !FileManager.default.fileExists(atPath: path) { #expect(mknod(path, S_IFSOCK | 0o600, 0) == 0) }
            let mode = try await ControlSocket.with(path: path) { _ in
                try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            #expect(mode == 0o600)
            try Data("keep me".utf8).write(to: URL(filePath: path))
            await #expect(throws: SimError("\(path) is there already, and no socket")) {
                try await ControlSocket.with(path: path) { _ in }
            }
            #expect(FileManager.default.contents(atPath: path) == Data("keep me".utf8))
        }
    }

    @Test func wrongUsage() async {
        for arguments in [
            ["4"], ["0x1"], ["--base", "300"], ["--boot-time-scale", "-1"], ["--boot-time-scale", "nan"], ["--status", "0"],
            ["--dead-link", "0,0,0/1,1"], ["--network", "drop=2"], ["tell"], ["tell", "/s"], ["--nonsense"],
        ] {
            let tool = Tool()
            #expect(await tool.run(arguments) == 2, "\(arguments)")
            #expect(tool.err.text.lowercased().contains("usage: spinnaker-sim"), "\(arguments)")
        }
        let help = await Sim.tool("--help")
        #expect(help.code == 0 && help.out.contains("--dead-link") && help.err == "")
        let tell = await Sim.tool("tell", "--help")
        #expect(tell.code == 0 && tell.out.contains("fault monitor-crash CHIP"))
    }

    @Test func machinesThatCanNotBe() async {
        let chip = await Sim.tool("1x1", "--dead-chip", "0,0,0/7,0")
        #expect(chip.code == 1 && chip.err == "spinnaker-sim: there is no chip (7, 0) of board [x:0,y:0,z:0]")
        let size = await Sim.tool("100x100")
        #expect(size.code == 1 && size.err.contains("can not be built: 1...2048 triads in all"))
        let socket = await Sim.tool("tell", "/nowhere/s", "status")
        #expect(socket.code == 1 && socket.err.hasPrefix("spinnaker-sim: no simulator answers at /nowhere/s"))
    }
}
