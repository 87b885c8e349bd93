//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CBarePair
import Foundation

/// The plain C responder, in a process of its own, and the plain C client, in this one.
final class BarePair {
    private let responder: ResponderProcess

    /// The hidden argument with which this program becomes the responder.
    static let argument = "--bare-responder"

    /// - Parameter replySize: bytes of each answer.
    init(replySize: Int) throws {
        self.responder = try ResponderProcess([BarePair.argument, String(replySize)])
    }

    func end() { self.responder.end() }

    /// What the responder process runs.
    static func respond(replySize: Int) -> Int32 {
        bare_responder(1, 0, Int32(replySize))
    }

    func measure(window: Int, count: Int, requestSize: Int) throws -> Figures {
        var latencies = [UInt64](repeating: 0, count: count)
        var elapsed: UInt64 = 0
        let before = process_cpu_nanoseconds()
        guard bare_client(self.responder.port, Int32(window), Int32(count), Int32(requestSize), &latencies, &elapsed) == 0
        else {
            throw BenchError("the bare client failed: \(String(cString: strerror(errno)))")
        }
        return Figures(
            count: count, elapsedNanoseconds: elapsed, latencies: latencies,
            cpuNanoseconds: process_cpu_nanoseconds() - before)
    }
}
