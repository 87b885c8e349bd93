//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink

/// How a ``Transceiver`` deals with its boards. The defaults are SpiNNMan's, where it has any.
public struct TransceiverConfiguration: Sendable {
    /// Requests under way to one board at a time. A board has eight tags for replies, which all hosts share.
    public var window: Int = 8
    /// How long a request waits for its reply.
    public var timeout: Duration = .seconds(1)
    /// How often a request is sent again before it fails.
    public var retries: Int = 10
    /// Whether what can be done twice is sent again as soon as it looks lost, rather than after ``timeout``.
    public var resendsEarly: Bool = true

    /// Retries of the question whether a machine is booted.
    public var probeRetries: Int = 3
    /// How often a machine is booted before it is given up.
    public var bootAttempts: Int = 3
    /// The pause after each boot datagram: a board loses what comes faster.
    public var bootPause: Duration = .milliseconds(100)
    /// How long a booted machine may take to answer. It is asked as soon as the last datagram has left.
    public var bootTimeout: Duration = .seconds(10)
    /// The pause before a machine is asked again that still looks for its shape.
    public var notReadyPause: Duration = .milliseconds(100)
    /// How long a machine may look for its shape.
    public var notReadyTimeout: Duration = .seconds(30)
    /// How long a BMP may take to switch boards on.
    public var powerOnTimeout: Duration = .seconds(10)
    /// What boards need between power and the first datagram.
    public var powerOnPause: Duration = .seconds(7)

    public init() {}

    var policy: SCPPolicy {
        SCPPolicy(timeout: TimeAmount(self.timeout), retries: self.retries, resendsEarly: self.resendsEarly)
    }

    var connection: SCPConnection.Configuration {
        SCPConnection.Configuration(window: self.window, policy: self.policy)
    }
}
