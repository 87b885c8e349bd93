//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_AR (19): start the APLX image that lies at the chip's system SDRAM block (0x67800000) on some cores.
/// arg1 is an ``ApplicationStart``; SC&MP refuses core 0.
public struct RunApplication: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .applicationRun }

    public var start: ApplicationStart

    public init(_ start: ApplicationStart) { self.start = start }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.start = ApplicationStart(word: arguments.arg1)
    }
    public var arguments: SCPArguments { SCPArguments(self.start.word) }
}

/// CMD_APP_COPY_RUN (21): copy the image from the neighbour's system SDRAM block to one's own, then start it.
/// Takes seconds; without cores it only copies.
///
/// | Word | Field |
/// |---|---|
/// | arg1 | bits 31...3: low 29 bits of the sum of the image's words (0: do not check); 2...0: link to the neighbour |
/// | arg2 | bytes, whole words |
/// | arg3 | ``ApplicationStart`` |
///
/// A mismatch is RC_SUM with the sum that was found; SC&MP 4 shows it as RC_OK with the same four bytes.
public struct CopyAndRunApplication: SCPRequest {
    public typealias Response = CopyAndRunResult
    public static var command: SCPCommand { .applicationCopyRun }

    /// 29 bits.
    public var checksum: UInt32
    /// 0...5; SC&MP refuses 6 and 7.
    public var link: UInt8
    public var size: UInt32
    public var start: ApplicationStart

    /// - Parameter checksum: the sum of all words modulo 2³²; its top three bits are not sent.
    /// - Throws: ``WireError/invalid(message:field:value:)`` when `size` is not a number of words.
    public init(from link: Link, size: UInt32, checksum: UInt32, start: ApplicationStart) throws(WireError) {
        guard size % 4 == 0 else { throw .invalid(message: "CMD_APP_COPY_RUN", field: "size", value: UInt64(size)) }
        self.checksum = checksum & 0x1FFF_FFFF
        self.link = link.rawValue
        self.size = size
        self.start = start
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.checksum = arguments.arg1 >> 3
        self.link = UInt8(arguments.arg1 & 7)
        self.size = arguments.arg2
        self.start = ApplicationStart(word: arguments.arg3)
    }
    public var arguments: SCPArguments {
        SCPArguments(self.checksum << 3 | UInt32(self.link & 7), self.size, self.start.word)
    }

    /// RC_SUM says what the sum was.
    public static var failureWithReply: SCPResult? { .badChecksum }

    /// The checksum of an image: its words summed modulo 2³², of which 29 bits count. Bytes beyond whole words do not.
    public static func checksum(of image: ByteBuffer) -> UInt32 {
        var image = image
        var sum: UInt32 = 0
        while let word: UInt32 = image.readInteger(endianness: .little) { sum &+= word }
        return sum & 0x1FFF_FFFF
    }
}

/// The reply of CMD_APP_COPY_RUN: nothing, or after a mismatch the sum that the chip computed (u32).
public struct CopyAndRunResult: SCPResponse {
    /// nil: the image was copied whole.
    public var computedSum: UInt32?
    public init(computedSum: UInt32? = nil) { self.computedSum = computedSum }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.computedSum = payload.readableBytes == 0 ? nil : try payload.take(of: "CMD_APP_COPY_RUN reply")
    }
    public func write(into buffer: inout ByteBuffer) {
        if let computedSum { buffer.put(computedSum) }
    }
}

/// CMD_AS (24): as CMD_AR, for an image anywhere. arg1 address of the APLX image, arg2 ``ApplicationStart``.
/// SC&MP does not refuse core 0 here: leave it out.
public struct StartApplication: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .applicationStart }

    public var image: UInt32
    public var start: ApplicationStart

    public init(image: UInt32, _ start: ApplicationStart) {
        self.image = image
        self.start = start
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.image = arguments.arg1
        self.start = ApplicationStart(word: arguments.arg2)
    }
    public var arguments: SCPArguments { SCPArguments(self.image, self.start.word) }
}

/// CMD_REMAP (16): take a core out of use. SC&MP rebuilds its core maps and restarts every application core.
/// arg1 core, arg2 bit 0: the number is a physical one.
public struct RemapCore: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .remap }

    public var core: UInt32
    public var flags: UInt32

    public init(core: UInt8, isPhysical: Bool) {
        self.core = UInt32(core)
        self.flags = isPhysical ? 1 : 0
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.core = arguments.arg1
        self.flags = arguments.arg2
    }
    public var isPhysical: Bool { self.flags & 1 == 1 }
    public var arguments: SCPArguments { SCPArguments(self.core, self.flags) }
}

/// CMD_SYNC (32): turn the beacons that align the boards' clocks off (arg1 0) or on (anything else).
public struct SetSynchronisation: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .sync }

    public var value: UInt32

    public init(enabled: Bool) { self.value = enabled ? 1 : 0 }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) { self.value = arguments.arg1 }
    public var isEnabled: Bool { self.value != 0 }
    public var arguments: SCPArguments { SCPArguments(self.value) }
}
