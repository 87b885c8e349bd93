//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import SpiNNakerWire

/// Why a proxied call or channel failed.
public enum ProxyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The service answered with an ERROR frame; its words.
    case refused(call: String, message: String)
    /// No reply to an OPEN or CLOSE came in time.
    case unanswered(call: String)
    /// The reply was of another kind than the call.
    case misanswered(call: String)
    /// The websocket ended. What was under way may or may not have happened.
    case connectionLost(reason: String)
    /// The service says that the job is over, or has lost a board that was in use; its words.
    case jobEnded(reason: String)
    /// Somebody here closed the connection, the channel, or cancelled the call.
    case closed

    public var description: String {
        switch self {
        case .refused(let call, let message):
            "\(call): the service refused it: \(message.isEmpty ? "no reason given" : message)"
        case .unanswered(let call): "\(call): no answer in time"
        case .misanswered(let call): "\(call): the answer is of another kind"
        case .connectionLost(let reason): "the proxy's websocket ended: \(reason)"
        case .jobEnded(let reason): "the job ended: \(reason)"
        case .closed: "closed here"
        }
    }
}
