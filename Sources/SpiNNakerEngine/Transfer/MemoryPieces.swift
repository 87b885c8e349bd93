//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerWire

/// A range of memory cut into pieces from its start: of at most 256 bytes, as SpiNNMan cuts it, unless told otherwise.
package struct MemoryPieces: Sendable {
    package let address: UInt32
    package let count: Int
    @usableFromInline let pieceSize: Int
    /// Offset of the next piece.
    @usableFromInline package internal(set) var offset = 0

    /// nil when the range is negative or goes beyond 4 GiB.
    @inlinable
    package init?(address: UInt32, count: Int, pieceSize: Int = SCP.maximumData) {
        guard count >= 0, count <= 1 << 32, Int(address) + count <= 1 << 32 else { return nil }
        self.address = address
        self.count = count
        self.pieceSize = max(1, pieceSize)
    }

    @inlinable
    package var hasMore: Bool { self.offset < self.count }

    @inlinable
    package mutating func next() -> Piece? {
        guard self.hasMore else { return nil }
        let piece = Piece(
            address: self.address &+ UInt32(truncatingIfNeeded: self.offset), offset: self.offset,
            size: min(self.pieceSize, self.count - self.offset))
        self.offset += piece.size
        return piece
    }

    /// The piece at an offset that ``next()`` has given out.
    @inlinable
    package func piece(at offset: Int) -> Piece {
        Piece(
            address: self.address &+ UInt32(truncatingIfNeeded: offset), offset: offset,
            size: min(self.pieceSize, self.count - offset))
    }

    package struct Piece: Hashable, Sendable {
        package var address: UInt32
        package var offset: Int
        package var size: Int
        @inlinable
        package init(address: UInt32, offset: Int, size: Int) {
            self.address = address
            self.offset = offset
            self.size = size
        }
    }
}
