//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why some bytes are not the message they were taken for.
///
/// Codecs throw nothing else. The layer above knows which board or peer the bytes came from, and adds it.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes end before the message does.
    case truncated(message: String, needed: Int, available: Int)
    /// Bytes are left over behind a message of fixed length.
    case trailing(message: String, extra: Int)
    /// A field holds a value that the message does not allow.
    case invalid(message: String, field: String, value: UInt64)
    /// A text field is not valid text.
    case badText(message: String, field: String)

    public var description: String {
        switch self {
        case .truncated(let message, let needed, let available):
            "\(message): \(needed) bytes needed, \(available) there"
        case .trailing(let message, let extra):
            "\(message): \(extra) bytes too many"
        case .invalid(let message, let field, let value):
            "\(message): \(field) can not be \(value)"
        case .badText(let message, let field):
            "\(message): \(field) is not text"
        }
    }
}
