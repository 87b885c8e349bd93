//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a text is not a list of faults.
public struct IgnoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `down_chips`, `down_cores` or `down_links`: the setting that the text is for.
    public let setting: String
    /// The item of the list that is at fault.
    public let item: String
    public let reason: String

    public var description: String { "\(self.setting): \"\(self.item)\": \(self.reason)" }
}

/// A chip to leave out, `x,y[,ip]`. With an address, x and y are places on the board of that address.
public struct IgnoredChip: Hashable, Sendable, CustomStringConvertible {
    public var chip: ChipID
    public var board: IPv4Address?

    public init(chip: ChipID, board: IPv4Address? = nil) {
        self.chip = chip
        self.board = board
    }

    public var description: String { "\(self.chip.x),\(self.chip.y)\(Ignores.suffix(self.board))" }
}

/// Cores to leave out, `x,y,p[,ip]` or `x,y,a-b[,ip]`.
///
/// A number above 0 is a virtual core. 0 and below stand for *physical* cores: -5 is physical core 5, whatever virtual
/// number it has after this boot.
public struct IgnoredCores: Hashable, Sendable, CustomStringConvertible {
    public enum Number: Hashable, Sendable {
        case virtual(UInt8)
        case physical(UInt8)
    }

    public var chip: ChipID
    /// As written, within -31...31.
    public var range: ClosedRange<Int>
    public var board: IPv4Address?

    /// - Returns: nil when a number is outside -31...31.
    public init?(chip: ChipID, range: ClosedRange<Int>, board: IPv4Address? = nil) {
        guard range.lowerBound >= -31, range.upperBound <= 31 else { return nil }
        self.chip = chip
        self.range = range
        self.board = board
    }

    public var numbers: [Number] {
        self.range.map { number in
            let magnitude = UInt8(truncatingIfNeeded: number.magnitude)
            return number > 0 ? .virtual(magnitude) : .physical(magnitude)
        }
    }

    public var description: String {
        let cores =
            self.range.count == 1 ? "\(self.range.lowerBound)" : "\(self.range.lowerBound)-\(self.range.upperBound)"
        return "\(self.chip.x),\(self.chip.y),\(cores)\(Ignores.suffix(self.board))"
    }
}

/// A link to leave out both ways, `x,y,link[,ip]`.
public struct IgnoredLink: Hashable, Sendable, CustomStringConvertible {
    public var end: ChipLink
    public var board: IPv4Address?

    public init(end: ChipLink, board: IPv4Address? = nil) {
        self.end = end
        self.board = board
    }

    public var description: String {
        "\(self.end.chip.x),\(self.end.chip.y),\(self.end.link.rawValue)\(Ignores.suffix(self.board))"
    }
}

/// The faults that a user's configuration lists: SpiNNMan's `down_chips`, `down_cores` and `down_links`.
///
/// Each is a list with `:` between items and `,` inside them. `None`, or nothing, is the empty list.
public struct Ignores: Hashable, Sendable {
    public var chips: [IgnoredChip]
    public var cores: [IgnoredCores]
    public var links: [IgnoredLink]

    public init(chips: [IgnoredChip] = [], cores: [IgnoredCores] = [], links: [IgnoredLink] = []) {
        self.chips = chips
        self.cores = cores
        self.links = links
    }

    /// - Throws: ``IgnoreError`` that names the setting and the item.
    public init(downChips: String, downCores: String, downLinks: String) throws(IgnoreError) {
        self.init()
        for item in Ignores.items(downChips, of: "down_chips") {
            let (chip, board) = try item.chipAndBoard(fields: 2)
            self.chips.append(IgnoredChip(chip: chip, board: board))
        }
        for item in Ignores.items(downCores, of: "down_cores") {
            let (chip, board) = try item.chipAndBoard(fields: 3)
            guard let cores = IgnoredCores(chip: chip, range: try item.cores(), board: board) else {
                throw item.error("a core is between -31 and 31")
            }
            self.cores.append(cores)
        }
        for item in Ignores.items(downLinks, of: "down_links") {
            let (chip, board) = try item.chipAndBoard(fields: 3)
            guard let link = UInt8(item.fields[2]).flatMap(Link.init(rawValue:)) else {
                throw item.error("a link is 0 to 5")
            }
            self.links.append(IgnoredLink(end: ChipLink(chip: chip, link: link), board: board))
        }
    }

    /// In the form that ``init(downChips:downCores:downLinks:)`` reads.
    public var downChips: String { self.chips.map(\.description).joined(separator: ":") }
    public var downCores: String { self.cores.map(\.description).joined(separator: ":") }
    public var downLinks: String { self.links.map(\.description).joined(separator: ":") }

    static func suffix(_ board: IPv4Address?) -> String { board.map { ",\($0)" } ?? "" }

    private static func items(_ text: String, of setting: String) -> [Item] {
        let text = trimmed(Substring(text))
        guard !text.isEmpty, text.lowercased() != "none" else { return [] }
        return text.split(separator: ":", omittingEmptySubsequences: false).map { Item(setting: setting, text: trimmed($0)) }
    }
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return text
}

private struct Item {
    let setting: String
    let text: Substring
    let fields: [Substring]

    init(setting: String, text: Substring) {
        self.setting = setting
        self.text = text
        self.fields = text.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
    }

    func error(_ reason: String) -> IgnoreError {
        IgnoreError(setting: self.setting, item: String(self.text), reason: reason)
    }

    /// The first two fields, and the one behind the `fields` that an item has at least.
    func chipAndBoard(fields: Int) throws(IgnoreError) -> (ChipID, IPv4Address?) {
        guard self.fields.count == fields || self.fields.count == fields + 1 else {
            throw self.error("\(fields) fields and perhaps an address are needed, \(self.fields.count) are there")
        }
        guard let x = UInt8(self.fields[0]), let y = UInt8(self.fields[1]) else {
            throw self.error("x and y are 0 to 255")
        }
        guard self.fields.count > fields else { return (ChipID(x, y), nil) }
        guard let board = IPv4Address(self.fields[fields]) else { throw self.error("that is no IPv4 address") }
        return (ChipID(x, y), board)
    }

    /// `p`, `-p` or `a-b`.
    func cores() throws(IgnoreError) -> ClosedRange<Int> {
        let text = self.fields[2]
        if let number = Int(text) { return number...number }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = UInt8(parts[0]), let last = UInt8(parts[1]) else {
            throw self.error("cores are a number or a range like 3-5")
        }
        guard first <= last else { throw self.error("the range of cores runs backwards") }
        return Int(first)...Int(last)
    }
}
