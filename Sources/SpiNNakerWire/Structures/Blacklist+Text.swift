//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// What is wrong with a blacklist as text.
public struct BlacklistTextError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1; nil: the list as a whole.
    public var line: Int?
    public var reason: String

    public init(reason: String, line: Int? = nil) {
        self.line = line
        self.reason = reason
    }

    public var description: String { self.line.map { "line \($0): \(self.reason)" } ?? self.reason }
}

/// The form in which people write blacklists. Each line is about one chip, by its place on the board; `#` begins a comment.
///
/// ```
/// chip 1 2 dead
/// chip 3 4 core 1,17 link 0,5   # either part may be missing
/// ```
///
/// Cores have their *physical* numbers, links those of ``SpiNNakerMachine/Link`` or its names (`E`, `NE`…).
extension Blacklist {
    /// - Throws: ``BlacklistTextError`` with the line: what it does not understand, chips that a SpiNN-5 does not have, chips named twice.
    public init(text: String) throws(BlacklistTextError) {
        var entries: [Entry] = []
        var seen: Set<ChipID> = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard !words.isEmpty else { continue }
            let entry: Entry
            do throws(BlacklistTextError) {
                entry = try Blacklist.entry(words)
                guard seen.insert(entry.chip).inserted else {
                    throw BlacklistTextError(reason: "chip \(entry.chip.x) \(entry.chip.y) is named twice")
                }
            } catch {
                throw BlacklistTextError(reason: error.reason, line: index + 1)
            }
            entries.append(entry)
        }
        guard entries.count <= Blacklist.maximumEntries else {
            throw BlacklistTextError(reason: "\(entries.count) chips are more than the \(Blacklist.maximumEntries) that fit")
        }
        self.init(entries: entries)
    }

    private static func entry(_ words: [Substring]) throws(BlacklistTextError) -> Entry {
        guard words.count >= 4, words[0].lowercased() == "chip", let x = UInt8(words[1]), let y = UInt8(words[2]) else {
            throw BlacklistTextError(reason: "expected \"chip X Y dead\" or \"chip X Y core A,B link C,D\"")
        }
        let chip = ChipID(x, y)
        guard BoardShape.spinn5.contains(chip) else { throw BlacklistTextError(reason: "a board has no chip \(x) \(y)") }
        if words[3].lowercased() == "dead" {
            guard words.count == 4 else { throw BlacklistTextError(reason: "nothing may follow \"dead\"") }
            return Entry(chip: chip, deadPhysicalCores: 0x3FFFF)
        }
        var cores: UInt32 = 0
        var links: [Link] = []
        var rest = words[3...]
        var parts: Set<String> = []
        while let key = rest.popFirst()?.lowercased() {
            guard key == "core" || key == "link", parts.insert(key).inserted, let list = rest.popFirst() else {
                throw BlacklistTextError(reason: "expected \"core\" or \"link\", each once and with its numbers")
            }
            for item in list.split(separator: ",", omittingEmptySubsequences: false) {
                if key == "core" {
                    guard let core = UInt32(item), core < 18 else {
                        throw BlacklistTextError(reason: "a chip has no core \"\(item)\"")
                    }
                    cores |= 1 << core
                } else {
                    let named = Link.allCases.first { "\($0)" == item.uppercased() }
                    guard let link = named ?? UInt8(item).flatMap(Link.init(rawValue:)) else {
                        throw BlacklistTextError(reason: "a chip has no link \"\(item)\"")
                    }
                    links.append(link)
                }
            }
        }
        return Entry(chip: chip, deadPhysicalCores: cores, deadLinks: links)
    }

    /// Reading it gives the list again, but for entries that say nothing.
    public var text: String {
        var text = ""
        for entry in self.entries where entry.word & 0xFFFFFF != 0 {
            text += "chip \(entry.chip.x) \(entry.chip.y)"
            if entry.isChipDead {
                text += " dead"
            } else {
                let cores = (0..<18).filter { entry.deadPhysicalCores >> UInt32($0) & 1 == 1 }
                if !cores.isEmpty { text += " core " + cores.map(String.init).joined(separator: ",") }
                let links = entry.deadLinks
                if !links.isEmpty { text += " link " + links.map { String($0.rawValue) }.joined(separator: ",") }
            }
            text += "\n"
        }
        return text
    }
}

/// What a list means for a board as a whole. Entries of an unknown type say nothing.
extension Blacklist {
    private var deadChips: Set<ChipID> { Set(self.entries.lazy.filter { $0.type == 0 && $0.isChipDead }.map(\.chip)) }

    /// Without its Ethernet chip a board cannot be reached; without any chip there is nothing to reach.
    public var isBoardDead: Bool { self.deadChips.contains(.origin) }

    /// The sides of the board over which no chip reaches the next board: of all the links there, either the link or its chip is dead.
    public var deadSides: Set<Link> {
        let dead = self.deadChips
        var links: [ChipID: Set<Link>] = [:]
        for entry in self.entries where entry.type == 0 { links[entry.chip, default: []].formUnion(entry.deadLinks) }
        return Set(
            Link.allCases.filter { side in
                Blacklist.edges[side]?.allSatisfy { dead.contains($0.chip) || links[$0.chip]?.contains($0.link) == true }
                    ?? false
            })
    }

    /// The eight links of each side of a board.
    private static let edges: [Link: [(chip: ChipID, link: Link)]] = {
        // Any board of a machine that is large enough for its six neighbours to be different ones.
        let geometry = TriadGeometry(width: 3, height: 3)
        let board = BoardCoordinates(1, 1, 0)
        var edges: [Link: [(chip: ChipID, link: Link)]] = [:]
        for chip in BoardShape.spinn5.chips {
            for link in Link.allCases {
                let other = geometry.board(at: geometry.neighbour(of: geometry.chip(chip, on: board), over: link)).board
                guard other != board else { continue }
                for side in Link.allCases where geometry.neighbour(of: board, side: side) == other {
                    edges[side, default: []].append((chip, link))
                }
            }
        }
        return edges
    }()
}
