//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation

/// A board in plain C that only remembers, in a process of its own, and a client in plain C, in this one.
final class MemoryPair {
    private let responder: ResponderProcess
    var port: UInt16 { self.responder.port }

    /// The hidden argument with which this program becomes the board.
    static let argument = "--memory-responder"

    init() throws { self.responder = try ResponderProcess([MemoryPair.argument]) }

    func end() { self.responder.end() }

    /// What the responder process runs.
    static func respond() -> Int32 { memory_responder(1, 0) }

    /// Seconds of a write by the C client.
    func write(_ bytes: [UInt8], at address: UInt32, window: Int) throws -> Double {
        var bytes = bytes
        return try self.run(&bytes, at: address, window: window, isWrite: true)
    }

    /// Seconds of a read by the C client, and what it read.
    func read(_ count: Int, at address: UInt32, window: Int) throws -> (seconds: Double, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let seconds = try self.run(&bytes, at: address, window: window, isWrite: false)
        return (seconds, bytes)
    }

    private func run(_ bytes: inout [UInt8], at address: UInt32, window: Int, isWrite: Bool) throws -> Double {
        var elapsed: UInt64 = 0
        let result = bytes.withUnsafeMutableBytes { buffer in
            memory_client(
                self.port, Int32(window), isWrite ? 1 : 0, address, buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(buffer.count), &elapsed)
        }
        guard result == 0 else { throw BenchError("the C client failed: \(String(cString: strerror(errno)))") }
        return Double(elapsed) / 1e9
    }
}
