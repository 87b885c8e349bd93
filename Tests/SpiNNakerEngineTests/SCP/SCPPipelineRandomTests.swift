//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Events in random order: whatever happens, each token comes out once, and the window holds.
@Suite struct SCPPipelineRandomTests {
    @Test(arguments: [1, 2, 3, 4])
    func everyTokenComesOutOnce(_ seed: UInt64) {
        var random = Seeded(seed)
        for _ in 0..<60 {
            let window = Int.random(in: 1...32, using: &random)
            let policy = SCPPolicy(
                timeout: .milliseconds(Int64.random(in: 1...1000, using: &random)),
                retries: Int.random(in: 0...3, using: &random), retryDelay: .milliseconds(100),
                resendsEarly: Bool.random(using: &random))
            let bench = PipelineBench(
                SCPPipelineConfiguration(window: window, firstSequence: UInt16.random(in: 0...UInt16.max, using: &random)),
                policy: policy)
            bench.failureWithReply = Bool.random(using: &random) ? .p2pNoReply : nil
            var ins = 0
            var outs: [Int: Int] = [:]
            var history: [SCPPacket] = []
            for _ in 0..<400 {
                switch Int.random(in: 0..<12, using: &random) {
                case 0...3:
                    let core = CoreID(UInt8.random(in: 0...1, using: &random), 0, 0)
                    if bench.start(ins, to: core) { ins += 1 }
                case 4...6:
                    if let packet = bench.wire.randomElement(using: &random) { bench.answer(packet) }
                case 7:
                    // Old, doubled, refused, "not now", unknown.
                    let codes: [SCPResult] = [.ok, .p2pBusy, .p2pNoReply, .badArgument, SCPResult(rawValue: 7)]
                    if let packet = history.randomElement(using: &random), let code = codes.randomElement(using: &random) {
                        bench.answer(packet, code)
                    }
                case 8:
                    let length = Int.random(in: 0...40, using: &random)
                    bench.deliver(ByteBuffer(bytes: (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }))
                case 9:
                    let victim = Int.random(in: 0...max(1, ins), using: &random)
                    for token in bench.cancel(where: { $0 == victim }) { outs[token, default: 0] += 1 }
                case 10:
                    bench.advance(.milliseconds(Int64.random(in: 0...300, using: &random)))
                    bench.poll()
                default:
                    if let deadline = bench.nextDeadline { bench.now = max(bench.now, deadline) }
                    bench.poll()
                }
                history.append(contentsOf: bench.wire.suffix(8))
                if bench.wire.count > 64 { bench.wire.removeFirst(32) }
                if history.count > 200 { history.removeFirst(100) }
                if bench.inFlight > window { Issue.record("\(bench.inFlight) in a window of \(window)") }
                if bench.count > 2 * window { Issue.record("\(bench.count) taken, window \(window)") }
                if bench.count > 0, bench.nextDeadline == nil { Issue.record("nothing will ever happen") }
            }
            // Half of the runs end by the link's end, half by letting time run out.
            if Bool.random(using: &random) {
                for token in bench.close() { outs[token, default: 0] += 1 }
            } else {
                while let deadline = bench.nextDeadline {
                    bench.now = max(bench.now, deadline)
                    bench.poll()
                }
            }
            for outcome in bench.outcomes {
                switch outcome {
                case .complete(let token, _, _), .fail(let token, _): outs[token, default: 0] += 1
                }
            }
            #expect(bench.count == 0)
            #expect(bench.inFlight == 0)
            #expect(outs.count == ins, "seed \(seed): \(ins) went in, \(outs.count) came out")
            #expect(outs.values.allSatisfy { $0 == 1 }, "seed \(seed): one came out twice")
        }
    }
}

/// SplitMix64.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
