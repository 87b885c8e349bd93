//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// A single request.
/// Unchecked: an operation is touched on its connection's event loop only, once it has begun.
final class RequestOperation<Request: SCPRequest>: SCPOperationWithResult<SCPReply>, @unchecked Sendable {
    private let request: Request
    private let core: CoreID
    private let port: UInt8
    private let policy: SCPPolicy
    private var isSent = false

    init(_ request: Request, to core: CoreID, port: UInt8, policy: SCPPolicy) {
        self.request = request
        self.core = core
        self.port = port
        self.policy = policy
    }

    override var hasMore: Bool { !self.isSent }

    override func startNext(in pipeline: inout SCPPipeline, now: NIODeadline) -> ByteBuffer? {
        self.isSent = true
        return pipeline.start(
            self.request, to: self.core, port: self.port, policy: self.policy, token: SCPToken(operation: self, index: 0),
            now: now)
    }

    override func completed(_ index: Int, _ reply: SCPReply, attempts: Int) { self.finish(.success(reply)) }

    override func failed(_ index: Int, _ failure: SCPFailure) {
        self.finish(.failure(SCPError(failure, link: self.link, core: self.core, command: Request.command)))
    }

    override func end(_ code: SCPError.Code, cause: String?) {
        self.finish(.failure(SCPError(code, link: self.link, core: self.core, command: Request.command, cause: cause)))
    }
}

/// A request of any type, with where it goes.
package struct SCPCall: Sendable {
    package var core: CoreID
    package var command: SCPCommand
    package var arguments: SCPArguments
    package var data: ByteBuffer
    package var failureWithReply: SCPResult?

    package init<Request: SCPRequest>(_ request: Request, to core: CoreID) {
        self.core = core
        self.command = Request.command
        self.arguments = request.arguments
        self.data = request.data
        self.failureWithReply = Request.failureWithReply
    }
}

/// Many requests; the failure of one does not keep the others from being sent.
/// Unchecked: an operation is touched on its connection's event loop only, once it has begun.
final class BurstOperation: SCPOperationWithResult<[Result<SCPReply, SCPError>]>, @unchecked Sendable {
    private let calls: [SCPCall]
    private let policy: SCPPolicy
    private let stopsAtFailure: Bool
    private var next = 0
    private var left: Int
    private var results: [Result<SCPReply, SCPError>?]

    init(_ calls: [SCPCall], policy: SCPPolicy, stopsAtFailure: Bool) {
        self.calls = calls
        self.policy = policy
        self.stopsAtFailure = stopsAtFailure
        self.left = calls.count
        self.results = Array(repeating: nil, count: calls.count)
    }

    override func begin() {
        if self.calls.isEmpty { self.finish(.success([])) }
    }

    override var hasMore: Bool { self.next < self.calls.count }

    override func startNext(in pipeline: inout SCPPipeline, now: NIODeadline) -> ByteBuffer? {
        let index = self.next
        self.next += 1
        let call = self.calls[index]
        return pipeline.start(
            command: call.command, arguments: call.arguments, data: call.data, failureWithReply: call.failureWithReply,
            to: call.core, policy: self.policy, token: SCPToken(operation: self, index: index), now: now)
    }

    override func completed(_ index: Int, _ reply: SCPReply, attempts: Int) { self.settle(index, .success(reply)) }

    override func failed(_ index: Int, _ failure: SCPFailure) {
        let call = self.calls[index]
        let error = SCPError(failure, link: self.link, core: call.core, command: call.command)
        if self.stopsAtFailure { self.finish(.failure(error)) } else { self.settle(index, .failure(error)) }
    }

    private func settle(_ index: Int, _ result: Result<SCPReply, SCPError>) {
        self.results[index] = result
        self.left -= 1
        if self.left == 0 { self.finish(.success(self.results.compactMap { $0 })) }
    }

    override func end(_ code: SCPError.Code, cause: String?) {
        let first = self.calls.first
        self.finish(.failure(SCPError(code, link: self.link, core: first?.core, command: first?.command, cause: cause)))
    }
}

extension SCPConnection {
    /// Sends one request and returns its reply; of the pipeline's window it is one among all that are under way.
    package func send<Request: SCPRequest>(
        _ request: Request, to core: CoreID, port: UInt8 = 0, policy: SCPPolicy? = nil
    ) async throws(SCPError) -> Request.Response {
        let reply = try await self.reply(to: request, from: core, port: port, policy: policy)
        return try self.decode(reply, of: Request.self, from: core)
    }

    /// The reply as it came: its SDP header says which chip answered.
    package func reply<Request: SCPRequest>(
        to request: Request, from core: CoreID, port: UInt8 = 0, policy: SCPPolicy? = nil
    ) async throws(SCPError) -> SCPReply {
        try await self.run(RequestOperation(request, to: core, port: port, policy: policy ?? self.configuration.policy))
    }

    /// Sends many requests of one type; throws the first failure, and what was not sent by then is not sent.
    package func burst<Request: SCPRequest>(
        _ requests: [(request: Request, core: CoreID)], policy: SCPPolicy? = nil
    ) async throws(SCPError) -> [Request.Response] {
        let calls = requests.map { SCPCall($0.request, to: $0.core) }
        let results = try await self.run(
            BurstOperation(calls, policy: policy ?? self.configuration.policy, stopsAtFailure: true))
        var responses: [Request.Response] = []
        responses.reserveCapacity(results.count)
        for (result, call) in zip(results, calls) {
            responses.append(try self.decode(try result.get(), of: Request.self, from: call.core))
        }
        return responses
    }

    /// Sends many requests of any type; each has a result of its own, in the order of `calls`. It throws only when it
    /// is cancelled or the link closes.
    package func results(
        of calls: [SCPCall], policy: SCPPolicy? = nil
    ) async throws(SCPError) -> [Result<SCPReply, SCPError>] {
        try await self.run(BurstOperation(calls, policy: policy ?? self.configuration.policy, stopsAtFailure: false))
    }

    /// The reply's payload as `Request`'s response.
    package func decode<Request: SCPRequest>(
        _ reply: SCPReply, of _: Request.Type, from core: CoreID
    ) throws(SCPError) -> Request.Response {
        do throws(WireError) {
            return try reply.decode(for: Request.self)
        } catch {
            throw SCPError(.malformedReply(error), link: self.link.linkDescription, core: core, command: Request.command)
        }
    }
}
