//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerLink
import SpiNNakerWire

/// Why a notification did not work.
public struct NotificationError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// The path does not fit a notification.
        case pathTooLong
        /// A visualiser has not acknowledged in time: ``NotificationError/visualisers``.
        case notAcknowledged
        /// A visualiser's host is not found, or there is no socket for it.
        case unreachable
        /// Nothing was notified in time.
        case nothingCame
        /// The listener was closed, or the task cancelled.
        case ended
    }

    public var code: Code
    public var message: String
    public var visualisers: [NotificationSender.Visualiser]

    init(_ code: Code, _ message: String, visualisers: [NotificationSender.Visualiser] = []) {
        self.code = code
        self.message = message
        self.visualisers = visualisers
    }

    public var description: String { self.message }
}
