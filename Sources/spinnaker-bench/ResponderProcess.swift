//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// This program once more, as a process that answers datagrams in plain C: it tells its port, and ends when its input does.
final class ResponderProcess {
    private let process: Process
    /// Closing it ends the process.
    private let stop: Pipe
    let port: UInt16

    /// - Parameter arguments: what makes this program the responder that is meant.
    init(_ arguments: [String]) throws {
        self.process = Process()
        self.process.executableURL = URL(filePath: CommandLine.arguments[0])
        self.process.arguments = arguments
        self.stop = Pipe()
        let portPipe = Pipe()
        self.process.standardInput = self.stop
        self.process.standardOutput = portPipe
        try self.process.run()
        let bytes = try portPipe.fileHandleForReading.read(upToCount: 2) ?? Data()
        guard bytes.count == 2 else { throw BenchError("a responder in C did not start") }
        self.port = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }
    }

    func end() {
        try? self.stop.fileHandleForWriting.close()
        self.process.waitUntilExit()
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The Python clients of `interop/bench`.
enum StockPython {
    /// The last line that a script prints, which is its figures; nil, with a word about it, when `PYTHON` names no interpreter
    /// that has the stock clients.
    static func run(_ script: String, _ arguments: [String]) throws -> Data? {
        guard let python = ProcessInfo.processInfo.environment["PYTHON"] else {
            print("note: PYTHON is not set (`make bench` sets it): \(script) is left out")
            return nil
        }
        let path = "interop/bench/\(script)"
        guard FileManager.default.fileExists(atPath: path) else {
            print("note: \(path) is not here: run from the root of the checkout; it is left out")
            return nil
        }
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-W", "ignore", path] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        // The clients log on standard output too.
        guard process.terminationStatus == 0, let line = data.split(separator: UInt8(ascii: "\n")).last else {
            throw BenchError("\(script) failed (exit \(process.terminationStatus))")
        }
        return Data(line)
    }
}
