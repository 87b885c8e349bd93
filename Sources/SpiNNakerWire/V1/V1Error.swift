//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a line of the legacy protocol could not be used.
public enum V1Error: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line has more bytes than are allowed, whether or not its end has come.
    case lineTooLong(limit: Int)
    /// The line is not JSON. `offset` is in bytes.
    case notJSON(offset: Int, reason: String)
    /// JSON, but no message of the protocol.
    case malformed(String)
    case unknownCommand(String)
    /// A call of a known command that can not be made: the peer is told, and the connection goes on.
    case badArguments(command: String, reason: String)
    /// A reply that is not what its command returns.
    case badReply(object: String, field: String)

    /// Whether the original server closes the connection without a word. All else it answers with an exception.
    public var closesConnection: Bool {
        switch self {
        case .lineTooLong, .notJSON, .malformed, .unknownCommand: true
        case .badArguments, .badReply: false
        }
    }

    public var description: String {
        switch self {
        case .lineTooLong(let limit): "a line of more than \(limit) bytes"
        case .notJSON(let offset, let reason): "not JSON at byte \(offset): \(reason)"
        case .malformed(let reason): "no message of the protocol: \(reason)"
        case .unknownCommand(let command): "unknown command \(command)"
        case .badArguments(let command, let reason): "\(command): \(reason)"
        case .badReply(let object, let field): "\(object) without a usable \(field)"
        }
    }
}
