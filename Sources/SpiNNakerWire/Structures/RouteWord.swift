//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Where a packet goes: the word of a multicast entry and of the fixed route.
///
/// | Bits | Field |
/// |---|---|
/// | 5...0 | links |
/// | 23...6 | bit 6 + p: virtual core p (physical in the router's own memory) |
/// | 31...24 | not part of the route; all ones in a multicast entry that is not in use |
public struct RouteWord: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public init(links: some Sequence<Link> = [Link](), cores: CoreMask = []) {
        self.rawValue = links.reduce(0) { $0 | 1 << UInt32($1.rawValue) } | cores.rawValue << 6
    }

    /// The 24 bits that are a route.
    @inlinable public static var mask: UInt32 { 0xFF_FFFF }

    public var cores: CoreMask { CoreMask(rawValue: self.rawValue >> 6) }
    public var links: [Link] { Link.allCases.filter { self.rawValue >> UInt32($0.rawValue) & 1 == 1 } }
    @inlinable
    public func contains(_ link: Link) -> Bool { self.rawValue >> UInt32(link.rawValue) & 1 == 1 }
}
