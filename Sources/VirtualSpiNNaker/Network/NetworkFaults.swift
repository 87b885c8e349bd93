//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// How a path for datagrams misbehaves. Probabilities are per datagram, 0...1.
public struct NetworkFaults: Hashable, Sendable {
    /// Lost.
    public var drop: Double
    /// Every so-manieth is lost, counted from the first: 3 loses the third, the sixth, … 0 loses none.
    public var dropEvery: Int
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
        drop: Double = 0, dropEvery: Int = 0, duplicate: Double = 0, reorder: Double = 0, corrupt: Double = 0,
        latency: TimeAmount = .microseconds(50), jitter: TimeAmount = .zero, reorderDelay: TimeAmount = .milliseconds(2)
    ) {
        self.drop = drop
        self.dropEvery = dropEvery
        self.duplicate = duplicate
        self.reorder = reorder
        self.corrupt = corrupt
        self.latency = latency
        self.jitter = jitter
        self.reorderDelay = reorderDelay
    }

    /// In order, nothing lost.
    public static let none = NetworkFaults()

    /// What becomes of one datagram: how long each copy takes that arrives. None: it is lost.
    ///
    /// - Parameter number: of the datagram, from 1.
    func delays(ofDatagram number: Int, using random: inout SeededGenerator) -> [TimeAmount] {
        if self.dropEvery > 0, number % self.dropEvery == 0 { return [] }
        if random.chance(self.drop) { return [] }
        var delays = [self.delay(using: &random)]
        if random.chance(self.duplicate) { delays.append(self.delay(using: &random)) }
        return delays
    }

    private func delay(using random: inout SeededGenerator) -> TimeAmount {
        var delay = self.latency
        if self.jitter > .zero { delay = delay + .nanoseconds(Int64.random(in: 0...self.jitter.nanoseconds, using: &random)) }
        if random.chance(self.reorder) { delay = delay + self.reorderDelay }
        return delay
    }

    /// The datagram as it arrives.
    func damaged(_ datagram: ByteBuffer, using random: inout SeededGenerator) -> ByteBuffer {
        guard datagram.readableBytes > 0, random.chance(self.corrupt) else { return datagram }
        var datagram = datagram
        let index = datagram.readerIndex + Int.random(in: 0..<datagram.readableBytes, using: &random)
        let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
        let byte: UInt8 = datagram.getInteger(at: index) ?? 0
        datagram.setInteger(byte ^ bit, at: index)
        return datagram
    }
}
