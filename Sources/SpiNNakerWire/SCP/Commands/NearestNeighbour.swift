//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_NNP (20): put a nearest-neighbour packet into the machine, which hands it on from chip to chip.
///
/// | Word | Field |
/// |---|---|
/// | arg1 | key of the packet; bits 31...24 its command |
/// | arg2 | data of the packet |
/// | arg3 | bit 31: SC&MP takes a new id and ORs it in; 15...8 links to forward on; 7...0 retry (7...3 delay, 2...0 repeats) |
public struct NearestNeighbourPacket: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .nearestNeighbourPacket }

    /// All six links.
    static var forwardAll: UInt32 { 0x3F00 }
    /// Three repeats beyond the first, as every host sends flood fills.
    static var retry: UInt32 { 0x1A }
    static var allocateID: UInt32 { 0x8000_0000 }

    public var key: UInt32
    public var packetData: UInt32
    public var control: UInt32

    public init(key: UInt32, data: UInt32, control: UInt32) {
        self.key = key
        self.packetData = data
        self.control = control
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(key: arguments.arg1, data: arguments.arg2, control: arguments.arg3)
    }
    public var arguments: SCPArguments { SCPArguments(self.key, self.packetData, self.control) }

    public var allocatesID: Bool { self.control & Self.allocateID != 0 }
    /// Bit n: forward on link n.
    public var forward: UInt8 { UInt8(truncatingIfNeeded: self.control >> 8) }
    public var retryCode: UInt8 { UInt8(truncatingIfNeeded: self.control) }

    /// What the key says.
    public enum Operation: Hashable, Sendable {
        /// NN command 0: a signal.
        case signal(SignalTarget)
        /// NN command 6: a flood fill begins. SC&MP 4 ignores the region.
        case floodFillStart(id: UInt8, blocks: UInt8, region: UInt32)
        /// NN command 7: which cores of which chips may be loaded. Without it SC&MP 4 stores an image but starts nothing.
        case floodFillSelect(cores: CoreMask, region: UInt32)
        /// NN command 15: the fill is over; start this.
        case floodFillEnd(id: UInt8, ApplicationStart)
        /// Any other command of bits 31...24.
        case other(UInt8)
    }

    public var operation: Operation {
        switch self.key >> 24 {
        case 0: .signal(SignalTarget(word: self.packetData))
        case 6:
            .floodFillStart(
                id: UInt8(truncatingIfNeeded: self.key >> 16), blocks: UInt8(truncatingIfNeeded: self.key >> 8),
                region: self.packetData)
        case 7: .floodFillSelect(cores: CoreMask(rawValue: self.key), region: self.packetData)
        case 15: .floodFillEnd(id: UInt8(truncatingIfNeeded: self.key), ApplicationStart(word: self.packetData))
        default: .other(UInt8(truncatingIfNeeded: self.key >> 24))
        }
    }

    /// Stops an application everywhere: key `0x3F << 16`, data a ``SignalTarget``. To `ChipID.root`.
    public static func stop(application: UInt8) -> NearestNeighbourPacket {
        NearestNeighbourPacket(
            key: 0x3F << 16, data: SignalTarget(.stop, application: application, spare: 0x50).word,
            control: self.allocateID | self.forwardAll)
    }

    /// - Parameters:
    ///   - id: seven bits of it count, 7...1: 6 and 7 are one fill.
    ///   - region: see ``allChips`` and ``region(of:)``.
    public static func floodFillStart(id: UInt8, blocks: UInt8, region: UInt32 = allChips) -> NearestNeighbourPacket {
        NearestNeighbourPacket(
            key: 6 << 24 | UInt32(id) << 16 | UInt32(blocks) << 8, data: region,
            control: self.allocateID | self.forwardAll | self.retry)
    }

    public static func floodFillSelect(cores: CoreMask, region: UInt32 = allChips) -> NearestNeighbourPacket {
        NearestNeighbourPacket(key: 7 << 24 | cores.rawValue, data: region, control: self.forwardAll | self.retry)
    }

    /// - Parameter start: nil: only store.
    public static func floodFillEnd(id: UInt8, _ start: ApplicationStart?) -> NearestNeighbourPacket {
        NearestNeighbourPacket(key: 15 << 24 | UInt32(id), data: start?.word ?? 0, control: self.forwardAll | self.retry)
    }

    /// The region of every chip.
    public static let allChips: UInt32 = 0xFFFF

    /// The level-3 region of one chip: the 4 × 4 block of chips in the high half, one bit of it in the low half.
    public static func region(of chip: ChipID) -> UInt32 {
        UInt32(chip.x & 0xFC) << 24 | UInt32(chip.y & 0xFC) << 16 | 3 << 16 | 1 << UInt32(4 * (chip.y & 3) + (chip.x & 3))
    }
}

/// CMD_FFD (23): one block of a flood fill.
///
/// | Word | Field |
/// |---|---|
/// | arg1 | bits 31...24 links to forward on; 23...16 retry; 7...0 id |
/// | arg2 | bits 31...16 block; 15...8 words less one |
/// | arg3 | address |
/// | data | 4...256 bytes, whole words |
public struct FloodFillData: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .floodFillData }

    public var forward: UInt8
    public var retry: UInt8
    public var id: UInt8
    public var block: UInt16
    /// Words of data less one.
    public var lastWord: UInt8
    public var address: UInt32
    public var data: ByteBuffer
    /// Bits 15...8 of arg1 and 7...0 of arg2, which have no meaning.
    var spare: UInt16 = 0

    /// - Throws: ``WireError/invalid(message:field:value:)`` unless data is 1...64 whole words.
    public init(id: UInt8, block: UInt16, address: UInt32, data: ByteBuffer) throws(WireError) {
        let size = data.readableBytes
        guard size > 0, size <= SCP.maximumData, size % 4 == 0 else {
            throw .invalid(message: "CMD_FFD", field: "data length", value: UInt64(size))
        }
        self.forward = 0x3F
        self.retry = 0x1E
        self.id = id
        self.block = block
        self.lastWord = UInt8(truncatingIfNeeded: size / 4 - 1)
        self.address = address
        self.data = data
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.forward = UInt8(truncatingIfNeeded: arguments.arg1 >> 24)
        self.retry = UInt8(truncatingIfNeeded: arguments.arg1 >> 16)
        self.id = UInt8(truncatingIfNeeded: arguments.arg1)
        self.block = UInt16(truncatingIfNeeded: arguments.arg2 >> 16)
        self.lastWord = UInt8(truncatingIfNeeded: arguments.arg2 >> 8)
        self.spare = UInt16(truncatingIfNeeded: arguments.arg1 & 0xFF00 | arguments.arg2 & 0xFF)
        self.address = arguments.arg3
        self.data = data
    }
    public var arguments: SCPArguments {
        SCPArguments(
            UInt32(self.forward) << 24 | UInt32(self.retry) << 16 | UInt32(self.spare & 0xFF00) | UInt32(self.id),
            UInt32(self.block) << 16 | UInt32(self.lastWord) << 8 | UInt32(self.spare & 0xFF), self.address)
    }
}
