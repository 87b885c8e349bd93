//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// How long one request is tried for. The defaults are SpiNNMan's.
package struct SCPPolicy: Hashable, Sendable {
    /// How long a transmission may stay unanswered.
    package var timeout: TimeAmount
    /// How often the request is sent again before it fails: 10 means at most 11 transmissions, each given ``timeout``.
    package var retries: Int
    /// The pause before the next try when the far side says "not now" (``SCPResult/isRetryable``).
    package var retryDelay: TimeAmount
    /// Whether a repeatable command (``SCPCommand/isRepeatable``) may be sent again as soon as it looks lost, long before
    /// ``timeout``. Such resends do not use up ``retries``.
    package var resendsEarly: Bool

    package init(
        timeout: TimeAmount = .seconds(1), retries: Int = 10, retryDelay: TimeAmount = .milliseconds(100),
        resendsEarly: Bool = true
    ) {
        self.timeout = timeout
        self.retries = retries
        self.retryDelay = retryDelay
        self.resendsEarly = resendsEarly
    }

    /// 1 s, 10 retries.
    package static let standard = SCPPolicy()
}

extension SCPCommand {
    /// Whether doing it twice in a row is the same as doing it once. An allocation or a signal is not.
    @inlinable
    package var isRepeatable: Bool {
        switch self {
        case .version, .read, .write, .fill, .linkRead, .linkWrite, .info: true
        default: false
        }
    }
}

/// Why the pipeline gave a request up.
package struct SCPFailure: Error, Hashable, Sendable {
    package enum Cause: Hashable, Sendable {
        /// Nothing came back to the last transmission.
        case timedOut
        /// The far side refused, or kept saying "not now" until the retries were used up.
        case rejected(SCPResult)
    }

    package var cause: Cause
    /// Transmissions made.
    package var attempts: Int
    /// How many of them went unanswered.
    package var timeouts: Int
    /// The last "not now" of a request that then timed out.
    package var lastResult: SCPResult?

    @inlinable
    package init(cause: Cause, attempts: Int, timeouts: Int, lastResult: SCPResult? = nil) {
        self.cause = cause
        self.attempts = attempts
        self.timeouts = timeouts
        self.lastResult = lastResult
    }
}
