//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A set of a machine's boards by their index: one bit each, 64 to a word.
package struct BoardSet: Hashable, Sendable {
    @usableFromInline var words: [UInt64]
    /// Indices are below this.
    package let capacity: Int

    package init(capacity: Int) {
        self.capacity = max(0, capacity)
        self.words = Array(repeating: 0, count: (self.capacity + 63) / 64)
    }

    package init(_ members: some Sequence<Int>, capacity: Int) {
        self.init(capacity: capacity)
        for member in members { self.insert(member) }
    }

    @inlinable
    package func contains(_ index: Int) -> Bool {
        index >= 0 && index < self.capacity && self.words[index >> 6] & (1 << UInt64(index & 63)) != 0
    }

    /// An index outside the capacity is ignored.
    @inlinable
    package mutating func insert(_ index: Int) {
        guard index >= 0, index < self.capacity else { return }
        self.words[index >> 6] |= 1 << UInt64(index & 63)
    }

    @inlinable
    package mutating func remove(_ index: Int) {
        guard index >= 0, index < self.capacity else { return }
        self.words[index >> 6] &= ~(1 << UInt64(index & 63))
    }

    /// How many of each triad's three boards are members, by the triad.
    package var triadCounts: [UInt8] {
        self.words.withUnsafeBufferPointer { words in
            [UInt8](unsafeUninitializedCapacity: self.capacity / 3) { counts, count in
                for triad in 0..<(self.capacity / 3) {
                    let (word, bit) = ((triad * 3) >> 6, UInt64((triad * 3) & 63))
                    var bits = words[word] >> bit
                    // The triad goes over the edge of the word.
                    if bit > 61 { bits |= words[word + 1] << (64 - bit) }
                    counts.initializeElement(at: triad, to: UInt8(truncatingIfNeeded: (bits & 7).nonzeroBitCount))
                }
                count = self.capacity / 3
            }
        }
    }

    package var count: Int { self.words.reduce(0) { $0 + $1.nonzeroBitCount } }
    package var isEmpty: Bool { self.words.allSatisfy { $0 == 0 } }

    package mutating func subtract(_ other: BoardSet) {
        for index in 0..<min(self.words.count, other.words.count) { self.words[index] &= ~other.words[index] }
    }
    package func subtracting(_ other: BoardSet) -> BoardSet {
        var result = self
        result.subtract(other)
        return result
    }
    package mutating func formUnion(_ other: BoardSet) {
        for index in 0..<min(self.words.count, other.words.count) { self.words[index] |= other.words[index] }
    }
    package func isDisjoint(with other: BoardSet) -> Bool {
        zip(self.words, other.words).allSatisfy { $0 & $1 == 0 }
    }

    /// In ascending order.
    package func forEach(_ body: (Int) -> Void) {
        for (index, word) in self.words.enumerated() {
            var rest = word
            while rest != 0 {
                body(index << 6 + rest.trailingZeroBitCount)
                rest &= rest &- 1
            }
        }
    }

    package var members: [Int] {
        var members: [Int] = []
        self.forEach { members.append($0) }
        return members
    }
}
