//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// How a path for datagrams misbehaves. Probabilities are per datagram, 0...1.
public struct NetworkFaults: Hashable, Sendable {
    /// Lost.
    public var drop: Double
    /// Delivered twice.
    public var duplicate: Double
    /// Held back by ``reorderDelay`` more than its latency, so that later ones overtake it.
    public var reorder: Double
    /// One bit flipped somewhere.
    public var corrupt: Double
    /// What every datagram takes at the least.
    public var latency: TimeAmount
    /// What it may take on top, uniformly.
    public var jitter: TimeAmount
    public var reorderDelay: TimeAmount

    public init(
        drop: Double = 0, duplicate: Double = 0, reorder: Double = 0, corrupt: Double = 0,
        latency: TimeAmount = .microseconds(50), jitter: TimeAmount = .zero, reorderDelay: TimeAmount = .milliseconds(2)
    ) {
        self.drop = drop
        self.duplicate = duplicate
        self.reorder = reorder
        self.corrupt = corrupt
        self.latency = latency
        self.jitter = jitter
        self.reorderDelay = reorderDelay
    }

    /// In order, nothing lost.
    public static let none = NetworkFaults()
}
