//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Where a chip sends a P2P packet: three bits, all of which mean something.
public enum P2PRoute: UInt8, Hashable, Sendable, CaseIterable {
    case east = 0
    case northEast = 1
    case north = 2
    case west = 3
    case southWest = 4
    case south = 5
    /// No chip there.
    case none = 6
    /// This chip.
    case monitor = 7

    public init(_ link: Link) {
        self =
            switch link {
            case .east: .east
            case .northEast: .northEast
            case .north: .north
            case .west: .west
            case .southWest: .southWest
            case .south: .south
            }
    }
    public var link: Link? { Link(rawValue: self.rawValue) }
}

/// The P2P table of a router: 8192 words at ``MemoryMap/p2pTable``, a route for each of 65536 addresses `x << 8 | y`.
///
/// Eight routes share a word, route k in bits 3k+2...3k; bits 31...24 are not used. Hence a column (one x) is 128 bytes
/// for 256 y, and the first h chips of it take `((h + 7) / 8) · 4` bytes.
public enum P2PTable {
    public static let words = 8192
    /// A word whose eight routes are all ``P2PRoute/none``: what the table is initialised to.
    public static let emptyWord: UInt32 = 0x00DB_6DB6

    /// Bytes of a column that hold its chips 0..<height.
    public static func columnSize(height: Int) -> Int { (max(0, min(height, 256)) + 7) / 8 * 4 }
    /// Where column x begins.
    public static func columnAddress(_ x: UInt8) -> UInt32 { MemoryMap.p2pTable + 128 * UInt32(x) }
    /// Which word holds a chip's route: its index in the table.
    public static func word(of chip: ChipID) -> Int { Int(chip.p2pAddress >> 3) }

    /// The route of `y` (its low three bits count) in a word.
    public static func route(in word: UInt32, y: UInt8) -> P2PRoute {
        P2PRoute(rawValue: UInt8(word >> (3 * UInt32(y & 7)) & 7)) ?? .none
    }
    public static func setRoute(_ route: P2PRoute, in word: inout UInt32, y: UInt8) {
        let shift = 3 * UInt32(y & 7)
        word = word & ~(7 << shift) | UInt32(route.rawValue) << shift
    }
}

/// The chips 0..<height of one column of a P2P table, as it is read from a chip.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 4 · n | u32 | chips y = 8n...8n + 7, three bits each, the lowest y in the lowest: ``P2PRoute`` |
public struct P2PColumn: Hashable, Sendable {
    /// By y.
    public var routes: [P2PRoute]
    public init(routes: [P2PRoute]) { self.routes = routes }

    /// - Parameter height: at most 256 are read.
    public init(from buffer: inout ByteBuffer, height: Int) throws(WireError) {
        let height = max(0, min(height, 256))
        let words = try buffer.takeWords(P2PTable.columnSize(height: height) / 4, of: "P2P column")
        self.routes = (0..<height).map { P2PTable.route(in: words[$0 / 8], y: UInt8($0 & 7)) }
    }

    /// Whole words; what is behind the last chip is ``P2PRoute/none``.
    public func write(into buffer: inout ByteBuffer) {
        for start in stride(from: 0, to: min(self.routes.count, 256), by: 8) {
            var word = P2PTable.emptyWord
            for (y, route) in self.routes[start..<min(start + 8, self.routes.count)].enumerated() {
                P2PTable.setRoute(route, in: &word, y: UInt8(y))
            }
            buffer.put(word)
        }
    }
}
