//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// Given the same requests and the same replies, the pipeline sends what SpiNNMan's sends, byte for byte and in the same
/// order, with `resendsEarly` off: there SpiNNMan has nothing to compare with.
///
/// What is not compared is when, against the replies, a request goes out: SpiNNMan waits until a number of places are
/// free (`intermediate_channel_waits`), this pipeline fills each place at once.
@Suite struct PipelineTraceTests {
    @Test func sendsWhatSpiNNManSends() throws {
        let traces = try PipelineTrace.loadAll()
        #expect(traces.count >= 24, "the vectors are missing")
        for trace in traces { try self.replay(trace) }
    }

    private func replay(_ trace: PipelineTrace) throws {
        let bench = PipelineBench(
            SCPPipelineConfiguration(window: trace.window, firstSequence: trace.firstSequence),
            policy: SCPPolicy(retries: trace.retries, resendsEarly: false))
        bench.failureWithReply = trace.failureWithReply.map(SCPResult.init(rawValue:))
        let expected = trace.events.compactMap { if case .send(let datagram) = $0 { datagram } else { nil } }
        // The requests: what the trace sends, each once.
        var known: Set<UInt16> = []
        var requests: [SCPPacket] = []
        for datagram in expected {
            let packet = try SCPPacket(datagram: datagram)
            if known.insert(packet.sequence).inserted { requests.append(packet) }
        }
        var next = 0
        func fill() throws {
            while next < requests.count, bench.hasRoom {
                let packet = requests[next]
                let core = CoreID(chip: packet.header.destinationChip, p: packet.header.destination.cpu)
                switch packet.command {
                case .read: bench.start(try ReadMemory(arguments: packet.arguments, data: packet.data), token: next, to: core)
                case .count:
                    bench.start(try CountCores(arguments: packet.arguments, data: packet.data), token: next, to: core)
                default: Issue.record("\(trace.id): a request of command \(packet.command.rawValue)")
                }
                next += 1
            }
        }
        try fill()
        for event in trace.events {
            switch event {
            case .send: break
            case .receive(let datagram): bench.deliver(datagram)
            case .pass(let amount):
                bench.advance(amount)
                bench.poll()
            }
            try fill()
        }
        #expect(bench.sent == expected, "\(trace.id)")
        var completed: [Int] = []
        var failed: [Int] = []
        for outcome in bench.outcomes {
            switch outcome {
            case .complete(let token, _, _): completed.append(token)
            case .fail(let token, _): failed.append(token)
            }
        }
        if let expected = trace.completed { #expect(completed == expected, "\(trace.id)") }
        #expect(failed == trace.failed, "\(trace.id)")
    }
}
