//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// A set of virtual cores, bit p for core p, as 18 bits of an argument word.
public struct CoreMask: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue & CoreMask.bits }

    @inlinable static var bits: UInt32 { 0x3FFFF }
    /// Cores 0...17.
    public static let all = CoreMask(rawValue: 0x3FFFF)

    /// Numbers above 17 are dropped: no chip has such a core.
    @inlinable
    public init(cores: some Sequence<UInt8>) {
        self.init(rawValue: cores.reduce(0) { $1 < 18 ? $0 | 1 << UInt32($1) : $0 })
    }

    @inlinable
    public func contains(core: UInt8) -> Bool { core < 18 && self.rawValue >> UInt32(core) & 1 == 1 }

    @inlinable
    public var count: Int { self.rawValue.nonzeroBitCount }

    /// The numbers in it, ascending.
    public var cores: [UInt8] { (0..<18).filter { self.contains(core: $0) } }
}

/// What is to run and where: arg1 of CMD_AR, arg2 of CMD_AS, arg3 of CMD_APP_COPY_RUN, the data of a flood-fill end.
///
/// | Bits | Field |
/// |---|---|
/// | 31...24 | application |
/// | 23...18 | flags: bit 18 wait for START; the others have no meaning |
/// | 17...0 | virtual cores |
public struct ApplicationStart: Hashable, Sendable {
    public var application: UInt8
    /// Six bits; bit 0: wait for the START signal.
    public var flags: UInt8
    public var cores: CoreMask

    @inlinable
    public init(application: UInt8, cores: CoreMask, wait: Bool = false) {
        self.application = application
        self.flags = wait ? 1 : 0
        self.cores = cores
    }
    @inlinable
    public init(word: UInt32) {
        self.application = UInt8(truncatingIfNeeded: word >> 24)
        self.flags = UInt8(word >> 18 & 0x3F)
        self.cores = CoreMask(rawValue: word)
    }
    @inlinable
    public var wait: Bool { self.flags & 1 == 1 }
    @inlinable
    public var word: UInt32 {
        UInt32(self.application) << 24 | UInt32(self.flags & 0x3F) << 18 | self.cores.rawValue
    }
}
