//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import DequeModule
import NIOCore

/// Sequence numbers that must not be used yet, because a reply to their last use may still arrive.
///
/// At full speed 65,536 numbers go round in less than a second, sooner than a late duplicate need come. So a number rests
/// whose request was sent twice, given up or cancelled. Nothing is allocated until the first one does.
@usableFromInline
struct SequenceQuarantine {
    /// Oldest first.
    @usableFromInline var resting: Deque<(sequence: UInt16, until: NIODeadline)> = []
    /// One bit per sequence number, once there is one.
    @usableFromInline var bits: [UInt64] = []

    /// With more than this many resting, the oldest goes free early: running out of numbers would be worse.
    @usableFromInline static let limit = 1 << 15

    @inlinable init() {}

    @inlinable var isEmpty: Bool { self.resting.isEmpty }

    @inlinable
    func contains(_ sequence: UInt16) -> Bool {
        !self.resting.isEmpty && self.bits[Int(sequence >> 6)] >> UInt64(sequence & 63) & 1 == 1
    }

    @inlinable
    mutating func insert(_ sequence: UInt16, until: NIODeadline) {
        if self.bits.isEmpty { self.bits = Array(repeating: 0, count: 1 << 10) }
        guard !self.contains(sequence) else { return }
        if self.resting.count >= SequenceQuarantine.limit { self.releaseOldest() }
        self.resting.append((sequence, until))
        self.bits[Int(sequence >> 6)] |= 1 << UInt64(sequence & 63)
    }

    /// Frees those whose time is over.
    @inlinable
    mutating func expire(_ now: NIODeadline) {
        while let oldest = self.resting.first, oldest.until <= now { self.releaseOldest() }
    }

    @inlinable
    mutating func releaseOldest() {
        guard let (sequence, _) = self.resting.popFirst() else { return }
        self.bits[Int(sequence >> 6)] &= ~(1 << UInt64(sequence & 63))
    }
}
