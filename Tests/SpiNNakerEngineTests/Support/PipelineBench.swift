//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// An ``SCPPipeline`` whose tokens are numbers, a clock that only the test moves, and a record of all that happened.
final class PipelineBench {
    enum Outcome: Equatable {
        case complete(Int, payload: [UInt8], attempts: Int)
        case fail(Int, SCPFailure)
    }

    var pipeline: SCPPipeline
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var policy: SCPPolicy
    /// Instead of what the request's type says.
    var failureWithReply: SCPResult?
    /// What was sent and not yet looked at, oldest first.
    var wire: [SCPPacket] = []
    /// Every datagram, in the order sent.
    var sent: [ByteBuffer] = []
    var outcomes: [Outcome] = []
    var drops: [SCPDrop] = []
    var retriesLater = 0

    init(_ configuration: SCPPipelineConfiguration = SCPPipelineConfiguration(), policy: SCPPolicy = .patient) {
        self.pipeline = SCPPipeline(configuration: configuration)
        self.policy = policy
    }

    /// Starts a read of one word; false when there is no room.
    @discardableResult
    func start(_ token: Int, to core: CoreID = CoreID(0, 0, 0), policy: SCPPolicy? = nil) -> Bool {
        self.start(
            ReadMemory(address: 0x6000_0000 + UInt32(token) * 4, size: 4), token: token, to: core, policy: policy)
    }

    @discardableResult
    func start<Request: SCPRequest>(
        _ request: Request, token: Int, to core: CoreID = CoreID(0, 0, 0), policy: SCPPolicy? = nil
    ) -> Bool {
        guard
            let datagram = self.pipeline.start(
                command: Request.command, arguments: request.arguments, data: request.data,
                failureWithReply: self.failureWithReply ?? Request.failureWithReply, to: core,
                policy: policy ?? self.policy, token: SCPToken(token), now: self.now)
        else { return false }
        self.record(datagram)
        return true
    }

    func advance(_ amount: TimeAmount) { self.now = self.now + amount }

    /// Asks the pipeline what is to be done by now.
    func poll() {
        while let action = self.pipeline.poll(now: self.now) {
            switch action {
            case .transmit(let datagram): self.record(datagram)
            case .fail(let token, let failure): self.outcomes.append(.fail(token.index, failure))
            }
        }
    }

    /// Answers a packet, and polls.
    func answer(_ packet: SCPPacket, _ result: SCPResult = .ok, payload: [UInt8] = [1, 2, 3, 4]) {
        self.deliver(PipelineBench.reply(to: packet, result, payload: payload))
    }

    func deliver(_ datagram: ByteBuffer) {
        switch self.pipeline.received(datagram, now: self.now) {
        case .complete(let token, let reply, let attempts):
            self.outcomes.append(.complete(token.index, payload: Array(buffer: reply.payload), attempts: attempts))
        case .fail(let token, let failure): self.outcomes.append(.fail(token.index, failure))
        case .retryLater: self.retriesLater += 1
        case .drop(let reason): self.drops.append(reason)
        }
        self.poll()
    }

    /// Takes the oldest packet off the wire.
    func take() throws -> SCPPacket {
        try #require(!self.wire.isEmpty, "nothing was sent")
        return self.wire.removeFirst()
    }

    // What a macro looks at must be copyable; the pipeline is not.
    var hasRoom: Bool { self.pipeline.hasRoom }
    var inFlight: Int { self.pipeline.inFlight }
    var count: Int { self.pipeline.count }
    var isClosed: Bool { self.pipeline.isClosed }
    var nextDeadline: NIODeadline? { self.pipeline.nextDeadline }
    var statistics: SCPStatistics { self.pipeline.statistics }
    func watch() -> TimeAmount? { self.pipeline.watchForReply(now: self.now) }
    func close() -> [Int] { self.pipeline.close().map(\.index) }
    func cancel(where isChosen: (Int) -> Bool) -> [Int] {
        self.pipeline.cancel(now: self.now) { isChosen($0.index) }.map(\.index)
    }

    var completed: [Int] {
        self.outcomes.compactMap { if case .complete(let token, _, _) = $0 { token } else { nil } }
    }

    private func record(_ datagram: ByteBuffer) {
        self.sent.append(datagram)
        do { self.wire.append(try SCPPacket(datagram: datagram)) } catch { Issue.record("sent what is no request: \(error)") }
    }

    static func reply(to packet: SCPPacket, _ result: SCPResult = .ok, payload: [UInt8] = []) -> ByteBuffer {
        var header = packet.header.reply
        header.tag = 8
        var datagram = ByteBuffer()
        SCPReply(header: header, result: result, sequence: packet.sequence, payload: ByteBuffer(bytes: payload))
            .writeDatagram(into: &datagram)
        return datagram
    }
}

extension SCPPolicy {
    /// SpiNNMan's: nothing is sent again before its timeout.
    static let patient = SCPPolicy(resendsEarly: false)
}

extension SCPToken {
    private final class Nobody: Sendable {}
    private static let nobody = Nobody()

    init(_ number: Int) { self.init(owner: SCPToken.nobody, index: number) }
}
