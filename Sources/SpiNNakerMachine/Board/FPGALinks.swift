//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which FPGA of a SpiNN-5 board, and which of its two inter-board link banks, carries a side of the board.
///
/// | Side | N | NE | E | S | SW | W |
/// |---|---|---|---|---|---|---|
/// | FPGA, bank | 2, 0 | 2, 1 | 0, 0 | 0, 1 | 1, 0 | 1, 1 |
public struct FPGALinkBank: Hashable, Sendable {
    public let fpga: Int
    public let bank: Int

    public init(side: Link) {
        switch side {
        case .north: (self.fpga, self.bank) = (2, 0)
        case .northEast: (self.fpga, self.bank) = (2, 1)
        case .east: (self.fpga, self.bank) = (0, 0)
        case .south: (self.fpga, self.bank) = (0, 1)
        case .southWest: (self.fpga, self.bank) = (1, 0)
        case .west: (self.fpga, self.bank) = (1, 1)
        }
    }

    /// - Parameters:
    ///   - fpga: 0...2
    ///   - bank: 0 or 1
    /// - Returns: nil for any other number.
    public init?(fpga: Int, bank: Int) {
        guard let side = Link.allCases.first(where: { FPGALinkBank(side: $0).has(fpga, bank) }) else { return nil }
        self.init(side: side)
    }

    private func has(_ fpga: Int, _ bank: Int) -> Bool { self.fpga == fpga && self.bank == bank }

    /// The side of the board.
    public var side: Link {
        switch (self.fpga, self.bank) {
        case (2, 0): .north
        case (2, 1): .northEast
        case (0, 0): .east
        case (0, 1): .south
        case (1, 0): .southWest
        default: .west
        }
    }

    /// The eight chip links that leave the board here, by channel: channels 8 · bank and up.
    public var links: [FPGALink] {
        (0..<8).compactMap { FPGALink(fpga: self.fpga, channel: self.bank * 8 + $0) }
    }
}

/// One of the 48 links by which the chips of a SpiNN-5 board reach its neighbours: an FPGA and a channel of it.
///
/// Channel n of a side meets channel 15 - n of the opposite side of the board behind it. Source: vector `geometry.v5`,
/// whose list is ``FPGALink/all``.
///
/// | FPGA 0 | FPGA 1 | FPGA 2 |
/// |---|---|---|
/// | 0...7 the E side, 8...15 the S side | 0...7 SW, 8...15 W | 0...7 N, 8...15 NE |
public struct FPGALink: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// 0...2
    public let fpga: Int
    /// 0...15
    public let channel: Int
    /// The chip that has the link, by its place on the board.
    public let chip: ChipID
    /// Which link of that chip.
    public let link: Link

    private init(fpga: Int, channel: Int, _ x: UInt8, _ y: UInt8, _ link: Link) {
        self.fpga = fpga
        self.channel = channel
        self.chip = ChipID(x, y)
        self.link = link
    }

    /// nil unless there is such an FPGA (0...2) and channel (0...15).
    public init?(fpga: Int, channel: Int) {
        guard 0..<3 ~= fpga, 0..<16 ~= channel else { return nil }
        self = FPGALink.all[fpga * 16 + channel]
    }

    /// nil when that link of the chip (by its place on the board) stays on the board, or there is no such chip.
    public init?(chip: ChipID, link: Link) {
        guard chip.x < 8, chip.y < 8 else { return nil }
        let index = FPGALink.indices[FPGALink.slot(chip, link)]
        guard index >= 0 else { return nil }
        self = FPGALink.all[Int(index)]
    }

    /// The side of the board through which the link leaves. (Not always the direction of the link: a side is a
    /// zigzag, and each of its chips has two links across it.)
    public var side: Link { self.bank.side }

    public var bank: FPGALinkBank {
        FPGALinkBank(fpga: self.fpga, bank: self.channel / 8) ?? FPGALinkBank(side: .east)
    }

    /// What it is wired to on the board behind ``side``.
    public var farEnd: FPGALink {
        let opposite = FPGALinkBank(side: self.side.opposite)
        return FPGALink.all[opposite.fpga * 16 + 15 - self.channel]
    }

    public static func < (a: FPGALink, b: FPGALink) -> Bool { (a.fpga, a.channel) < (b.fpga, b.channel) }
    public var description: String { "FPGA \(self.fpga) channel \(self.channel): \(self.chip) \(self.link)" }

    private static func slot(_ chip: ChipID, _ link: Link) -> Int {
        (Int(chip.y) * 8 + Int(chip.x)) * 6 + Int(link.rawValue)
    }

    private static let indices: [Int8] = {
        var indices = [Int8](repeating: -1, count: 8 * 8 * 6)
        for (index, link) in FPGALink.all.enumerated() {
            indices[FPGALink.slot(link.chip, link.link)] = Int8(truncatingIfNeeded: index)
        }
        return indices
    }()

    /// By FPGA, then channel.
    public static let all: [FPGALink] = {
        let chips: [[(UInt8, UInt8, Link)]] = [
            [
                (7, 3, .east), (7, 3, .south), (6, 2, .east), (6, 2, .south),
                (5, 1, .east), (5, 1, .south), (4, 0, .east), (4, 0, .south),
                (4, 0, .southWest), (3, 0, .south), (3, 0, .southWest), (2, 0, .south),
                (2, 0, .southWest), (1, 0, .south), (1, 0, .southWest), (0, 0, .south),
            ],
            [
                (0, 0, .southWest), (0, 0, .west), (0, 1, .southWest), (0, 1, .west),
                (0, 2, .southWest), (0, 2, .west), (0, 3, .southWest), (0, 3, .west),
                (0, 3, .north), (1, 4, .west), (1, 4, .north), (2, 5, .west),
                (2, 5, .north), (3, 6, .west), (3, 6, .north), (4, 7, .west),
            ],
            [
                (4, 7, .north), (4, 7, .northEast), (5, 7, .north), (5, 7, .northEast),
                (6, 7, .north), (6, 7, .northEast), (7, 7, .north), (7, 7, .northEast),
                (7, 7, .east), (7, 6, .northEast), (7, 6, .east), (7, 5, .northEast),
                (7, 5, .east), (7, 4, .northEast), (7, 4, .east), (7, 3, .northEast),
            ],
        ]
        return chips.enumerated().flatMap { fpga, channels in
            channels.enumerated().map { channel, chip in FPGALink(fpga: fpga, channel: channel, chip.0, chip.1, chip.2) }
        }
    }()
}
