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
    /// The pause before a request is sent again to a chip that said "not now".
    public var retryDelay: Duration = .milliseconds(100)
    /// Whether what can be done twice is sent again as soon as it looks lost, rather than after ``timeout``.
    public var resendsEarly: Bool = true
    /// Whether a reply that is due within 100 µs, as virtual boards on this computer give, is watched for by a processor that would
    /// otherwise rest: up to three times as fast, for the price of that processor. One board at a time and one thread; never with
    /// a machine across a network.
    public var watchesForReplies: Bool = true

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

    /// Which way memory goes when there is a service for it, as over a job: see ``MemoryRoute``.
    public var memoryRoute: MemoryRoute = .automatic
    /// From how many bytes on ``MemoryRoute/automatic`` takes the service. One HTTP request costs about what this much memory
    /// costs over the proxy of a service nearby; far away the service wins sooner.
    public var memoryServiceThreshold: Int = 16 * 1024

    /// The number of each connection's first request.
    package var firstSequence: UInt16 = 0

    public init() {}

    var policy: SCPPolicy {
        SCPPolicy(
            timeout: TimeAmount(self.timeout), retries: self.retries, retryDelay: TimeAmount(self.retryDelay),
            resendsEarly: self.resendsEarly)
    }

    /// The policy with another timeout.
    func policy(timeout: Duration) -> SCPPolicy {
        var policy = self.policy
        policy.timeout = TimeAmount(timeout)
        return policy
    }

    var connection: SCPConnection.Configuration {
        var connection = SCPConnection.Configuration(
            window: self.window, policy: self.policy, watchesForReplies: self.watchesForReplies)
        connection.pipeline.firstSequence = self.firstSequence
        return connection
    }
}
