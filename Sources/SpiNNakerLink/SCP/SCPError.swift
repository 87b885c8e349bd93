//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// Why an SCP request, or an operation made of many, failed: what was asked of whom over which link, and the cause.
public struct SCPError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// No answer, however often it was asked.
        case timedOut
        /// The far side answered, with this.
        case rejected(SCPResult)
        /// The far side agreed, but what it sent is not the reply of this command. Firmware also hides a refusal so.
        case malformedReply(WireError)
        /// The task that asked was cancelled.
        case cancelled
        /// The link is gone.
        case linkClosed
        /// The request can not be made: why.
        case invalidRequest(String)
    }

    public var code: Code
    /// The link's ``DatagramLink/linkDescription``.
    public var link: String
    public var core: CoreID?
    public var command: SCPCommand?
    /// The memory that was to be read or written.
    public var address: UInt32?
    /// Transmissions made of the request that failed.
    public var attempts: Int
    /// The last "not now" that was heard before it timed out.
    public var lastResult: SCPResult?
    /// What closed the link, when that is known.
    public var cause: String?

    public init(
        _ code: Code, link: String, core: CoreID? = nil, command: SCPCommand? = nil, address: UInt32? = nil,
        attempts: Int = 0, lastResult: SCPResult? = nil, cause: String? = nil
    ) {
        self.code = code
        self.link = link
        self.core = core
        self.command = command
        self.address = address
        self.attempts = attempts
        self.lastResult = lastResult
        self.cause = cause
    }

    public var description: String {
        var text = "SCP command \(self.command.map { String($0.rawValue) } ?? "?")"
        if let core { text += " to \(core)" }
        if let address { text += " at 0x\(String(address, radix: 16))" }
        text += " over \(self.link): "
        switch self.code {
        case .timedOut: text += "no answer"
        case .rejected(let result): text += "refused with \(result)"
        case .malformedReply(let error): text += "malformed reply, \(error)"
        case .cancelled: text += "cancelled"
        case .linkClosed: text += "the link is closed"
        case .invalidRequest(let reason): text += reason
        }
        if self.attempts > 0 { text += " after \(self.attempts) \(self.attempts == 1 ? "try" : "tries")" }
        if let lastResult, self.code == .timedOut { text += ", last heard \(lastResult)" }
        if let cause { text += " (\(cause))" }
        return text
    }
}
