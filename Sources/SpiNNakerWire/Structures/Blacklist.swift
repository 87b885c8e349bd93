//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What is broken on a board: a list in the serial flash at 0x100, 256 bytes, that the BMP hands on to SC&MP.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | number of words; 64 or more: there is no list |
/// | 4 | n × u32 | one ``Entry`` each |
public struct Blacklist: Hashable, Sendable {
    public static let size = 256
    /// Where the list lies in the serial flash.
    public static let flashAddress: UInt32 = 0x100
    /// Where the BMP keeps its copy.
    public static let bmpAddress: UInt32 = 0x1E00
    public static let maximumEntries = 63

    /// | Bits | Field |
    /// |---|---|
    /// | 31...30 | type, 0 |
    /// | 29...27 | x on the board |
    /// | 26...24 | y on the board |
    /// | 23...18 | dead links |
    /// | 17...0 | dead cores, by *physical* number |
    public struct Entry: Hashable, Sendable {
        public var word: UInt32
        public init(word: UInt32) { self.word = word }

        /// `chip` on the board, each coordinate 0...7: higher bits are dropped.
        public init(chip: ChipID, deadPhysicalCores: UInt32 = 0, deadLinks: some Sequence<Link> = [Link]()) {
            let links = deadLinks.reduce(UInt32(0)) { $0 | 1 << UInt32($1.rawValue) }
            self.word =
                UInt32(chip.x & 7) << 27 | UInt32(chip.y & 7) << 24 | links << 18 | deadPhysicalCores & 0x3FFFF
        }

        public var type: UInt8 { UInt8(self.word >> 30) }
        public var chip: ChipID { ChipID(x: UInt8(self.word >> 27 & 7), y: UInt8(self.word >> 24 & 7)) }
        public var deadLinks: [Link] { Link.allCases.filter { self.word >> (18 + UInt32($0.rawValue)) & 1 == 1 } }
        /// Bit n: physical core n.
        public var deadPhysicalCores: UInt32 { self.word & 0x3FFFF }
        /// All 18 cores dead: the chip takes itself out.
        public var isChipDead: Bool { self.deadPhysicalCores == 0x3FFFF }
    }

    public var entries: [Entry]
    public init(entries: [Entry]) { self.entries = entries }

    /// A count of 64 or more (erased flash reads as all ones) is an empty list.
    public init(from buffer: inout ByteBuffer) throws(WireError) {
        let count: UInt32 = try buffer.take(of: "blacklist")
        guard count <= Blacklist.maximumEntries else {
            self.entries = []
            return
        }
        self.entries = try buffer.takeWords(Int(count), of: "blacklist").map(Entry.init(word:))
    }

    /// Always 256 bytes, what is unused as zeros. Entries beyond the 63rd do not fit and are dropped.
    public func write(into buffer: inout ByteBuffer) {
        let kept = self.entries.prefix(Blacklist.maximumEntries)
        buffer.put(UInt32(kept.count))
        for entry in kept { buffer.put(entry.word) }
        buffer.writeRepeatingByte(0, count: Blacklist.size - 4 - 4 * kept.count)
    }
}
