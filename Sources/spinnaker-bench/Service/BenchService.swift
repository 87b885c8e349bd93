//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import SpallocAPI
import SpallocAllocator
import SpallocServer
import SpiNNakerMachine
import SpiNNakerWire

/// An allocation service of 24 × 24 triads whose BMPs do everything at once: this program becomes it.
enum BenchService {
    /// The hidden argument with which it does; then a directory for the database.
    static let argument = "--serve-without-bmps"
    static let (width, height) = (24, 24)
    static let (user, password) = ("bench", "a bench's password")

    /// What it prints once it is ready.
    struct Ports: Codable, Sendable {
        var rest: Int
        var v1: Int
    }

    private struct InstantBMP: BMPController {
        func setPower(slots: [Int], on: Bool) async throws(BMPError) {}
        func readFPGAFlag(slot: Int, fpga: Int) async throws(BMPError) -> UInt32 { UInt32(fpga) }
        func setLinkStop(slot: Int, fpga: Int, bank: Int, stop: Bool) async throws(BMPError) {}
        func readHealth(slot: Int) async throws(BMPError) -> BoardHealth { throw .refused("there is no board") }
        func writeBlacklist(_ list: Blacklist, slot: Int) async throws(BMPError) { throw .refused("there is no board") }
        func close() async {}
    }

    /// Until standard input ends.
    static func serve(_ arguments: [String]) async throws {
        guard arguments.count == 1 else { throw BenchError("usage: DIRECTORY") }
        var configuration = SpallocServerConfiguration(
            port: 0, databasePath: arguments[0] + "/spalloc.sqlite", machines: [self.machine],
            users: [.init(name: self.user, password: self.password, trustLevel: .admin)])
        configuration.power.offWait = .zero
        configuration.v1.enabled = true
        configuration.v1.port = 0
        configuration.timings.longPoll = .seconds(60)
        var logger = Logger(label: "service")
        logger.logLevel = .error
        let service = try await SpallocApplication.build(
            configuration: configuration, logger: logger, clock: SystemClock.now, bmps: { _ in InstantBMP() })
        Thread.detachNewThread {
            _ = try? FileHandle.standardInput.readToEnd()
            exit(0)
        }
        try await service.run { port in
            guard let line = try? JSONEncoder().encode(Ports(rest: port, v1: service.v1Port ?? 0)) else { return }
            FileHandle.standardOutput.write(line + Data("\n".utf8))
        }
    }

    /// 1,728 boards, 24 to a frame.
    static var machine: MachineDefinition {
        let boards = TriadGeometry(width: self.width, height: self.height).boards.enumerated().map { index, board in
            MachineDefinition.Board(
                coordinates: board,
                physical: PhysicalCoordinates(cabinet: index / 120, frame: index / 24 % 5, board: index % 24),
                address: "127.9.\(index / 200).\(10 + index % 200)")
        }
        let frames = Set(boards.map { [$0.physical.cabinet, $0.physical.frame] })
        let bmps = frames.map {
            MachineDefinition.BMP(cabinet: $0[0], frame: $0[1], address: "127.9.\($0[0] + 100).\($0[1] + 1)")
        }
        return MachineDefinition(
            name: "bench", tags: ["default"], width: self.width, height: self.height, boards: boards, bmps: bmps)
    }
}

/// The process that serves: ``BenchService``, or the original `spalloc_server` with BMPs that do everything at once, too.
final class ServiceProcess {
    let ports: BenchService.Ports
    private let process: Process
    private let stop: Pipe
    private let directory: URL

    init() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "spinnaker-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.directory = directory
        (self.process, self.stop, self.ports) = try ServiceProcess.start(
            CommandLine.arguments[0], [BenchService.argument, directory.path])
    }

    /// - Parameter python: an interpreter that has `spalloc_server`.
    init(original python: String) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "spinnaker-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.directory = directory
        (self.process, self.stop, self.ports) = try ServiceProcess.start(
            python,
            [
                "-W", "ignore", "interop/bench/spalloc_server_peer.py", directory.path, "\(BenchService.width)",
                "\(BenchService.height)",
            ])
    }

    private static func start(_ path: String, _ arguments: [String]) throws -> (Process, Pipe, BenchService.Ports) {
        let (process, stop, output) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        // As the systemd unit has it.
        process.environment = ProcessInfo.processInfo.environment.merging(["MALLOC_ARENA_MAX": "2"]) { $1 }
        process.standardInput = stop
        process.standardOutput = output
        try process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            guard let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty else {
                throw BenchError("\(path) ended before it was ready")
            }
            line += byte
        }
        return (process, stop, try JSONDecoder().decode(BenchService.Ports.self, from: line))
    }

    /// MiB that are resident.
    struct Memory {
        var all: Double
        /// What no file is behind: the rest the kernel can drop, and shares with every process that runs the same.
        var own: Double
    }

    func resident() throws -> Memory {
        let status = try String(contentsOfFile: "/proc/\(self.process.processIdentifier)/status", encoding: .utf8)
        func size(_ name: String) throws -> Double {
            guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("\(name):") }),
                let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Double($0) })
            else { throw BenchError("there is no \(name) of the service") }
            return number / 1024
        }
        return Memory(all: try size("VmRSS"), own: try size("RssAnon"))
    }

    /// Seconds of CPU it has used.
    func cpuSeconds() throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(self.process.processIdentifier)/stat", encoding: .utf8)
        // Its name, in parentheses, may have anything in it; user and system time are the 12th and 13th after it.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ").dropFirst()
        let times = fields.dropFirst(11).prefix(2).compactMap { Double($0) }
        guard times.count == 2 else { throw BenchError("there are no times of the service") }
        return times.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    func end() {
        try? self.stop.fileHandleForWriting.close()
        self.process.waitUntilExit()
        try? FileManager.default.removeItem(at: self.directory)
    }
}
