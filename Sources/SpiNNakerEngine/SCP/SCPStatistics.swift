//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a connection has sent and heard.
package struct SCPStatistics: Hashable, Sendable {
    package var started = 0
    /// Resends after a timeout or a retryable code.
    package var resent = 0
    /// Resends before the timeout.
    package var resentEarly = 0
    /// Datagrams without effect: ``SCPDrop``.
    package var dropped = 0
    @inlinable package init() {}
}

/// Datagrams without effect.
package enum SCPDrop: Hashable, Sendable {
    /// Fewer bytes than an SCP reply's headers.
    case tooShort
    /// It asks for a reply, so it is none.
    case notAReply
    /// Nobody waits for this number: a late duplicate, or the answer to a request that was given up.
    case unknownSequence
    /// "Not now", to a request that waits already.
    case alreadyWaiting
}
