//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation

/// The plain C responder, in a process of its own, and the plain C client, in this one.
final class BarePair {
    private let responder: Process
    /// Closing it ends the responder.
    private let stop: Pipe
    private let port: UInt16

    /// The hidden argument with which this program becomes the responder.
    static let argument = "--bare-responder"

    /// - Parameter replySize: bytes of each answer.
    init(replySize: Int) throws {
        self.responder = Process()
        self.responder.executableURL = URL(filePath: CommandLine.arguments[0])
        self.responder.arguments = [BarePair.argument, String(replySize)]
        self.stop = Pipe()
        let portPipe = Pipe()
        self.responder.standardInput = self.stop
        self.responder.standardOutput = portPipe
        try self.responder.run()
        let bytes = try portPipe.fileHandleForReading.read(upToCount: 2) ?? Data()
        guard bytes.count == 2 else { throw BenchError("the bare responder did not start") }
        self.port = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }
    }

    func end() {
        try? self.stop.fileHandleForWriting.close()
        self.responder.waitUntilExit()
    }

    /// What the responder process runs.
    static func respond(replySize: Int) -> Int32 {
        bare_responder(1, 0, Int32(replySize))
    }

    func measure(window: Int, count: Int, requestSize: Int) throws -> Figures {
        var latencies = [UInt64](repeating: 0, count: count)
        var elapsed: UInt64 = 0
        let before = process_cpu_nanoseconds()
        guard bare_client(self.port, Int32(window), Int32(count), Int32(requestSize), &latencies, &elapsed) == 0 else {
            throw BenchError("the bare client failed: \(String(cString: strerror(errno)))")
        }
        return Figures(
            count: count, elapsedNanoseconds: elapsed, latencies: latencies,
            cpuNanoseconds: process_cpu_nanoseconds() - before)
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
