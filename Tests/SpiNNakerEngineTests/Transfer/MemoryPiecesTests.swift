//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerEngine
import Testing

@Suite struct MemoryPiecesTests {
    private func all(_ address: UInt32, _ count: Int) throws -> [MemoryPieces.Piece] {
        var pieces = try #require(MemoryPieces(address: address, count: count))
        var all: [MemoryPieces.Piece] = []
        while let piece = pieces.next() { all.append(piece) }
        #expect(!pieces.hasMore)
        return all
    }

    @Test func cutFromTheStart() throws {
        #expect(
            try self.all(0x6000_0001, 600) == [
                .init(address: 0x6000_0001, offset: 0, size: 256),
                .init(address: 0x6000_0101, offset: 256, size: 256),
                .init(address: 0x6000_0201, offset: 512, size: 88),
            ])
        #expect(try self.all(0, 256) == [.init(address: 0, offset: 0, size: 256)])
        #expect(try self.all(0x1234, 0).isEmpty)
    }

    @Test func toTheEndOfMemory() throws {
        #expect(
            try self.all(0xFFFF_FFF0, 16) == [.init(address: 0xFFFF_FFF0, offset: 0, size: 16)])
        #expect(MemoryPieces(address: 0xFFFF_FFF0, count: 17) == nil)
        #expect(MemoryPieces(address: 0, count: -1) == nil)
        #expect(MemoryPieces(address: 1, count: .max) == nil)
        #expect(MemoryPieces(address: 0, count: 1 << 32) != nil)
    }

    @Test func aPieceAgain() throws {
        var pieces = try #require(MemoryPieces(address: 0x100, count: 300))
        let first = pieces.next()
        let second = pieces.next()
        #expect(pieces.piece(at: 0) == first)
        #expect(pieces.piece(at: 256) == second)
    }
}
