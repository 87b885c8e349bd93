//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One end of a link: a chip and which of its six links. Two of these make a whole link.
public struct ChipLink: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var chip: ChipID
    public var link: Link

    @inlinable
    public init(chip: ChipID, link: Link) {
        self.chip = chip
        self.link = link
    }

    public static func < (a: ChipLink, b: ChipLink) -> Bool { (a.chip, a.link) < (b.chip, b.link) }
    public var description: String { "\(self.chip) \(self.link)" }
}
