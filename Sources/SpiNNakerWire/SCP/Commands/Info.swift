//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The state of a core, as SC&MP keeps it in VCPU byte 46 and tells it in CMD_INFO and CMD_COUNT. Unknown ones keep
/// their number.
public struct CoreState: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let dead = CoreState(rawValue: 0)
    public static let poweredDown = CoreState(rawValue: 1)
    public static let runTimeException = CoreState(rawValue: 2)
    public static let watchdog = CoreState(rawValue: 3)
    public static let initialising = CoreState(rawValue: 4)
    public static let ready = CoreState(rawValue: 5)
    public static let cMain = CoreState(rawValue: 6)
    public static let running = CoreState(rawValue: 7)
    public static let sync0 = CoreState(rawValue: 8)
    public static let sync1 = CoreState(rawValue: 9)
    public static let paused = CoreState(rawValue: 10)
    public static let finished = CoreState(rawValue: 11)
    public static let idle = CoreState(rawValue: 15)
}

/// CMD_INFO (31): the state of one chip. arg1 selects what is told.
public struct GetChipInfo: SCPRequest {
    public typealias Response = ChipInfo
    public static var command: SCPCommand { .info }
    /// 0x5F; 0x7F asks old firmware for the size too. SC&MP 4 does not look at it.
    public var selector: UInt32
    @inlinable
    public init(withSize: Bool = false) { self.selector = withSize ? 0x7F : 0x5F }
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) { self.selector = arguments.arg1 }
    @inlinable
    public var arguments: SCPArguments { SCPArguments(self.selector) }
}

/// The reply of CMD_INFO. Which chip it is of, the reply's SDP source says.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | bits 4...0 working cores (monitor too); 13...8 working links; 24...14 largest free router block; 25 Ethernet up |
/// | 4 | u32 | largest free SDRAM block |
/// | 8 | u32 | largest free system RAM block |
/// | 12 | 18 × u8 | state of each virtual core |
/// | 30 | u8 y, u8 x | nearest Ethernet chip |
/// | 32 | 4 bytes | IPv4 address; all zero: none |
/// | 36 | u16 | link towards the root chip (7 on the root; more than 5: none). Missing on old firmware |
public struct ChipInfo: SCPResponse {
    public static let size = 38

    public var workingCores: UInt8
    /// Bit n: link n works.
    public var workingLinks: UInt8
    public var largestFreeRouterBlock: UInt16
    public var isEthernetUp: Bool
    public var largestFreeSDRAM: UInt32
    public var largestFreeSystemRAM: UInt32
    /// By virtual core; always 18.
    public var coreStates: [CoreState]
    public var nearestEthernet: ChipID
    public var address: IPv4Address?
    /// The raw word: see ``parentLink``.
    public var parent: UInt16?
    /// Bits 7...5 and 31...26 of word 0, which have no meaning today.
    public var spareBits: UInt32

    public init(
        workingCores: UInt8, workingLinks: UInt8, largestFreeRouterBlock: UInt16, isEthernetUp: Bool, largestFreeSDRAM: UInt32,
        largestFreeSystemRAM: UInt32, coreStates: [CoreState], nearestEthernet: ChipID, address: IPv4Address?, parent: UInt16?
    ) {
        self.workingCores = workingCores
        self.workingLinks = workingLinks
        self.largestFreeRouterBlock = largestFreeRouterBlock
        self.isEthernetUp = isEthernetUp
        self.largestFreeSDRAM = largestFreeSDRAM
        self.largestFreeSystemRAM = largestFreeSystemRAM
        self.coreStates = coreStates
        self.nearestEthernet = nearestEthernet
        self.address = address
        self.parent = parent
        self.spareBits = 0
    }

    /// The link towards the root chip; nil on the root itself and where there is none.
    public var parentLink: Link? {
        guard let parent, parent <= 5 else { return nil }
        return Link(rawValue: UInt8(parent))
    }

    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        let flags: UInt32 = try payload.take(of: "chip info")
        self.workingCores = UInt8(flags & 0x1F)
        self.workingLinks = UInt8(flags >> 8 & 0x3F)
        self.largestFreeRouterBlock = UInt16(flags >> 14 & 0x7FF)
        self.isEthernetUp = flags >> 25 & 1 == 1
        self.spareBits = flags & 0xFC00_00E0
        self.largestFreeSDRAM = try payload.take(of: "chip info")
        self.largestFreeSystemRAM = try payload.take(of: "chip info")
        let states = try payload.takeSlice(18, of: "chip info")
        self.coreStates = states.readableBytesView.map { CoreState(rawValue: $0) }
        let ethernet: UInt16 = try payload.take(of: "chip info")
        self.nearestEthernet = ChipID(p2pAddress: ethernet)
        let address: UInt32 = try payload.take(of: "chip info")
        self.address = address == 0 ? nil : IPv4Address(wireWord: address)
        self.parent = payload.readInteger(endianness: .little)
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(
            UInt32(self.workingCores & 0x1F) | UInt32(self.workingLinks & 0x3F) << 8
                | UInt32(self.largestFreeRouterBlock & 0x7FF) << 14 | (self.isEthernetUp ? 1 << 25 : 0) | self.spareBits)
        buffer.put(self.largestFreeSDRAM)
        buffer.put(self.largestFreeSystemRAM)
        for p in 0..<18 {
            buffer.put(p < self.coreStates.count ? self.coreStates[p].rawValue : 0)
        }
        buffer.put(self.nearestEthernet.p2pAddress)
        buffer.put(self.address?.wireWord ?? 0)
        if let parent { buffer.put(parent) }
    }
}
