//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CAllocationCounter

/// Times a loop, and counts what it allocates. What comes before the loop is not counted. The time is this thread's own
/// on a CPU: what other programs take of the machine meanwhile is not in it.
struct Meter {
    private(set) var nanoseconds: UInt64 = 0
    private(set) var allocations: UInt64 = 0
    /// Of what the bodies answered: without a use of the result there is nothing to do.
    private(set) var sum: UInt64 = 0

    @inline(__always)
    mutating func loop(_ count: Int, _ body: (Int) throws -> UInt64) rethrows {
        var sum: UInt64 = 0
        let allocations = allocation_count()
        let start = thread_cpu_nanoseconds()
        for index in 0..<count { sum &+= try body(index) }
        self.nanoseconds = thread_cpu_nanoseconds() - start
        self.allocations = allocation_count() - allocations
        self.sum = sum
    }
}

/// One piece of work of a codec.
struct CodecCase: Sendable {
    let name: String
    /// What `interop/bench/codecs.py` calls the same work.
    let key: String
    /// Does the work that many times.
    let run: @Sendable (inout Meter, Int) throws -> Void

    struct Result {
        /// Of one message, in the middle one of the runs.
        var nanoseconds: Double
        /// Of all messages of all runs together.
        var allocations: UInt64
        var messages: Int
    }

    func measure(runs: Int = 15) throws -> Result {
        var meter = Meter()
        // Until a run is long against the clock's own steps; the caches are warm then, too.
        var count = 1000
        repeat {
            count *= 2
            try self.run(&meter, count)
        } while meter.nanoseconds < 10_000_000 && count < 1 << 26
        var times: [Double] = []
        var allocations: UInt64 = 0
        for _ in 0..<runs {
            try self.run(&meter, count)
            times.append(Double(meter.nanoseconds) / Double(count))
            allocations += meter.allocations
        }
        return Result(nanoseconds: times.sorted()[runs / 2], allocations: allocations, messages: runs * count)
    }
}
