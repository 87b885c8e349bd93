//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire

/// A pipeline with a list of requests to make: the host's end of a ``LossyPair``.
final class Requester: DatagramEndpoint {
    struct Request {
        var command: SCPCommand
        var arguments: SCPArguments
        var data: ByteBuffer
        var core: CoreID

        init<Request: SCPRequest>(_ request: Request, to core: CoreID) {
            self.command = Request.command
            self.arguments = request.arguments
            self.data = request.data
            self.core = core
        }
    }

    private var pipeline: SCPPipeline
    private let policy: SCPPolicy
    private let requests: [Request]
    private var next = 0
    /// How often each request came to an end.
    private(set) var results: [Int: Int] = [:]
    private(set) var payloads: [Int: ByteBuffer] = [:]
    private(set) var failures: [SCPFailure] = []
    /// The most requests that were on the wire together.
    private(set) var most = 0

    init(_ requests: [Request], window: Int, policy: SCPPolicy) {
        // The numbers wrap on the way.
        self.pipeline = SCPPipeline(configuration: SCPPipelineConfiguration(window: window, firstSequence: 65_000))
        self.policy = policy
        self.requests = requests
    }

    /// Writes of the words 0..<count, each at four times itself.
    static func words(_ count: Int) -> [Request] {
        (0..<count).map { index in
            Request(
                WriteMemory(address: UInt32(index * 4), data: ByteBuffer(integer: UInt32(index), endianness: .little)),
                to: CoreID(0, 0, 0))
        }
    }

    var statistics: SCPStatistics { self.pipeline.statistics }
    var isDone: Bool { self.results.count == self.requests.count }
    var nextDeadline: NIODeadline? { self.pipeline.nextDeadline }

    func receive(_ datagram: ByteBuffer, now: NIODeadline, send: (ByteBuffer) -> Void) {
        switch self.pipeline.received(datagram, now: now) {
        case .complete(let token, let reply, _):
            self.results[token.index, default: 0] += 1
            self.payloads[token.index] = reply.payload
        case .fail(let token, let failure): self.fail(token.index, failure)
        case .retryLater, .drop: break
        }
        self.advance(to: now, send: send)
    }

    func advance(to now: NIODeadline, send: (ByteBuffer) -> Void) {
        while let action = self.pipeline.poll(now: now) {
            switch action {
            case .transmit(let datagram): send(datagram)
            case .fail(let token, let failure): self.fail(token.index, failure)
            }
        }
        while self.next < self.requests.count, self.pipeline.hasRoom {
            let request = self.requests[self.next]
            let datagram = self.pipeline.start(
                command: request.command, arguments: request.arguments, data: request.data, to: request.core,
                policy: self.policy, token: SCPToken(self.next), now: now)
            if let datagram { send(datagram) }
            self.next += 1
        }
        self.most = max(self.most, self.pipeline.inFlight)
    }

    private func fail(_ token: Int, _ failure: SCPFailure) {
        self.results[token, default: 0] += 1
        self.failures.append(failure)
    }
}
