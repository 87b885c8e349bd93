//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a websocket ends: the number in its close frame (RFC 6455 §7.4, and this service's own from 4000 on).
package struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let normal = WebSocketCloseCode(rawValue: 1000)
    /// The server stops, or the peer leaves.
    package static let goingAway = WebSocketCloseCode(rawValue: 1001)
    package static let protocolError = WebSocketCloseCode(rawValue: 1002)
    /// A text message, where only binary ones mean anything.
    package static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    /// The proxy's "bad data": a frame that is no request.
    package static let invalidPayload = WebSocketCloseCode(rawValue: 1007)
    package static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    package static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    package static let internalError = WebSocketCloseCode(rawValue: 1011)
    package static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)
    /// Ours: what let the peer in, a session or a token, has ended (as HTTP 401 says it). Who logs in anew may come back.
    package static let accessEnded = WebSocketCloseCode(rawValue: 4401)
    /// Ours: the peer answered no ping in time (as HTTP 408 says it).
    package static let pongTimeout = WebSocketCloseCode(rawValue: 4408)
    /// Ours: the job is over, or a board in use is no longer its own (as HTTP 410 says it). Coming back is pointless.
    package static let jobEnded = WebSocketCloseCode(rawValue: 4410)

    /// Whether a close frame may hold it: 1005, 1006 and 1015 stand for things that no frame said.
    package var mayBeSent: Bool {
        switch self.rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    package var description: String {
        switch self {
        case .normal: "1000 (normal)"
        case .goingAway: "1001 (going away)"
        case .protocolError: "1002 (protocol error)"
        case .unsupportedData: "1003 (unsupported data)"
        case .invalidPayload: "1007 (invalid data)"
        case .policyViolation: "1008 (policy violation)"
        case .messageTooBig: "1009 (message too big)"
        case .internalError: "1011 (internal error)"
        case .tryAgainLater: "1013 (try again later)"
        case .accessEnded: "4401 (session or token ended)"
        case .pongTimeout: "4408 (no pong)"
        case .jobEnded: "4410 (job ended)"
        default: "\(self.rawValue)"
        }
    }
}

/// What a peer did that a websocket may not do, and the code with which to close on it.
package struct WebSocketViolation: Error, Hashable, Sendable, CustomStringConvertible {
    package var code: WebSocketCloseCode
    package var reason: String
    package init(_ code: WebSocketCloseCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }
    package var description: String { "\(self.reason), closed with \(self.code)" }
}
