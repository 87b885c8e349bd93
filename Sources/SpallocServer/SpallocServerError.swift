//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore

/// Why the service could not be started, or went down.
public struct SpallocServerError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// A setting is missing, unknown or out of range.
        case configuration
        /// A machine definition is wrong.
        case machineDefinition
        /// The address cannot be listened on: in use, or not this computer's.
        case cannotListen
        /// The certificate or its key cannot be used.
        case tls
        /// The database cannot be opened or is not ours.
        case database
        /// What an operator asked for cannot be done: no such user, a file that exists.
        case administration
        /// A page's template cannot be read: the program was built wrong.
        case pages
    }

    public var code: Code
    /// What is wrong, with the name of the file, key or machine.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}

extension SpallocServerError {
    /// In words, what the system said when a socket was to listen at `place`.
    static func cannotListen(_ place: String, _ error: IOError) -> SpallocServerError {
        let reason =
            switch error.errnoCode {
            case EADDRINUSE: "the port is in use"
            case EADDRNOTAVAIL: "this computer has no such address"
            case EACCES: "not permitted"
            default: "\(error)"
            }
        return SpallocServerError(.cannotListen, "cannot listen on \(place): \(reason)")
    }
}
