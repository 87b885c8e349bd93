//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// What an ``SCPPipeline`` is set to.
package struct SCPPipelineConfiguration: Hashable, Sendable {
    /// Requests on the wire at a time. A board has 8 transient tags; more than 8 is for links that lead to several.
    package var window: Int
    /// The sequence number of the first request.
    package var firstSequence: UInt16
    /// An early resend comes no sooner than this after the last transmission, unless replies to later requests show
    /// the loss.
    package var minimumResendInterval: TimeAmount
    /// A request looks lost when this many requests were sent after it and the same chip has answered a later one.
    package var reorderingTolerance: Int
    /// How long the number of a request rests whose reply may still come. A board forgets its transient tags, and
    /// with them where to send a reply, after 2.56 s.
    package var quarantine: TimeAmount
    /// Replies that come sooner than this, as a rule, are watched for: about what it takes to put a processor to rest and wake it,
    /// twice over. A real board is never so near.
    package var longestWatchedRoundTrip: TimeAmount = .microseconds(100)

    package init(
        window: Int = 8, firstSequence: UInt16 = 0, minimumResendInterval: TimeAmount = .milliseconds(20),
        reorderingTolerance: Int = 3, quarantine: TimeAmount = .seconds(3)
    ) {
        self.window = window
        self.firstSequence = firstSequence
        self.minimumResendInterval = minimumResendInterval
        self.reorderingTolerance = reorderingTolerance
        self.quarantine = quarantine
    }
}
