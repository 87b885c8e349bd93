//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

extension SCPToken {
    init(operation: SCPOperation, index: Int) { self.init(owner: operation, index: index) }

    /// Only operations start requests here, so the owner is one.
    var operation: SCPOperation { unsafeDowncast(self.owner, to: SCPOperation.self) }
}

/// One or many requests that a caller awaits together. It gives out a request when the window has a place, so a read of a
/// megabyte is never 4096 queued requests.
///
/// Unchecked: it is made by the caller's task, and from its submission on it is touched on its connection's event loop only.
class SCPOperation: @unchecked Sendable {
    /// The link's description, for errors.
    final var link = ""
    /// Requests under way.
    final var outstanding = 0
    final var isSubmitted = false
    final var isCancelled = false
    /// The caller has its answer.
    final var isFinished = false

    /// On the event loop, before the first request. An operation without requests finishes here.
    func begin() {}
    /// Whether a request remains to be sent.
    var hasMore: Bool { false }
    /// Starts the next request. Only asked while there is room and ``hasMore``.
    func startNext(in pipeline: inout SCPPipeline, now: NIODeadline) -> ByteBuffer? { nil }
    func completed(_ index: Int, _ reply: SCPReply, attempts: Int) {}
    func failed(_ index: Int, _ failure: SCPFailure) {}
    /// Ends it as a whole: cancelled, or the link is gone. Called once at most, and never when ``isFinished``.
    func end(_ code: SCPError.Code, cause: String?) {}
}

/// An operation with one result.
/// Unchecked: an operation is touched on its connection's event loop only, once it has begun.
class SCPOperationWithResult<Output: Sendable>: SCPOperation, @unchecked Sendable {
    final var continuation: CheckedContinuation<Result<Output, SCPError>, Never>?

    final func finish(_ result: Result<Output, SCPError>) {
        self.isFinished = true
        self.continuation?.resume(returning: result)
        self.continuation = nil
    }
}

extension SCPConnection {
    func run<Output: Sendable>(_ operation: SCPOperationWithResult<Output>) async throws(SCPError) -> Output {
        try await self.run(operation) { operation.continuation = $0 }
    }
}

extension SCPError {
    init(_ failure: SCPFailure, link: String, core: CoreID, command: SCPCommand, address: UInt32? = nil) {
        let code: Code =
            switch failure.cause {
            case .timedOut: .timedOut
            case .rejected(let result): .rejected(result)
            }
        self.init(
            code, link: link, core: core, command: command, address: address, attempts: failure.attempts,
            lastResult: failure.lastResult)
    }
}
