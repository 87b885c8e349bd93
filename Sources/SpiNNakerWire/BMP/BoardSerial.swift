//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What a board is: the reply of ``GetBoardSerial``.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | hardware version |
/// | 4 | 4 × u32 | serial number |
/// | 20 | u32 | address of the 4 KiB flash buffer |
/// | 24 | u32 | address of the ``BoardStatus`` |
/// | 28 | u32 | address of the Cortex vector block |
public struct BoardSerial: SCPResponse {
    public static let size = 32

    public var hardwareVersion: UInt32
    /// Four words; reading makes four, writing pads or cuts to four.
    public var serial: [UInt32]
    public var flashBuffer: UInt32
    public var boardStatus: UInt32
    public var vectors: UInt32

    public init(hardwareVersion: UInt32, serial: [UInt32], flashBuffer: UInt32, boardStatus: UInt32, vectors: UInt32) {
        self.hardwareVersion = hardwareVersion
        self.serial = serial
        self.flashBuffer = flashBuffer
        self.boardStatus = boardStatus
        self.vectors = vectors
    }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.hardwareVersion = try payload.take(of: "board serial")
        self.serial = try payload.takeWords(4, of: "board serial")
        self.flashBuffer = try payload.take(of: "board serial")
        self.boardStatus = try payload.take(of: "board serial")
        self.vectors = try payload.take(of: "board serial")
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.hardwareVersion)
        buffer.putWords(self.serial, count: 4)
        buffer.put(self.flashBuffer)
        buffer.put(self.boardStatus)
        buffer.put(self.vectors)
    }
}

/// The reply of ``GetCANStatus``.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | 24 × u8 | by slot of the frame: 0 where no board answers |
public struct CANStatus: SCPResponse {
    public static let size = 24

    /// 24 bytes; reading makes 24, writing pads or cuts.
    public var boards: [UInt8]
    public init(boards: [UInt8]) { self.boards = boards }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.boards = Array(try payload.takeSlice(CANStatus.size, of: "CAN status").readableBytesView)
    }
    public func write(into buffer: inout ByteBuffer) { buffer.putBytes(self.boards, count: CANStatus.size) }
}

/// The reply of ``GetBoardAddresses``: where the BMP lives, and where its board's Ethernet chip does.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | ``SerialROMBlock``, 32 bytes | the BMP's |
/// | 32 | ``SerialROMBlock``, 32 bytes | the Ethernet chip's |
public struct BoardAddresses: SCPResponse {
    public static let size = 64

    public var bmp: SerialROMBlock
    public var spinnaker: SerialROMBlock
    public init(bmp: SerialROMBlock, spinnaker: SerialROMBlock) {
        self.bmp = bmp
        self.spinnaker = spinnaker
    }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.bmp = try SerialROMBlock(from: &payload)
        self.spinnaker = try SerialROMBlock(from: &payload)
    }
    public func write(into buffer: inout ByteBuffer) {
        self.bmp.write(into: &buffer)
        self.spinnaker.write(into: &buffer)
    }
}
