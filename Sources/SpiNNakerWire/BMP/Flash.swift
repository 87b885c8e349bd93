//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD 53 (serial flash) and CMD 54 (EEPROM of the backplane): arg1 address, arg2 bytes (at most 256 except for a
/// checksum), arg3 operation: 0 read, 1 write, 2 CRC-32 (serial flash only).
public struct FlashOperation: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let read = FlashOperation(rawValue: 0)
    public static let write = FlashOperation(rawValue: 1)
    public static let checksum = FlashOperation(rawValue: 2)
}

extension SCPArguments {
    /// arg3 must say the operation whose reply type the request has.
    func require(_ operation: FlashOperation, of message: String) throws(WireError) {
        guard self.arg3 == operation.rawValue else {
            throw .invalid(message: message, field: "operation", value: UInt64(self.arg3))
        }
    }
}

/// CMD 53, any of the operations, for the side that is asked.
///
/// | arg3 | arg1 | arg2 | data | Reply | Request type |
/// |---|---|---|---|---|---|
/// | 0 | address | bytes, at most 256 | | the bytes | ``ReadSerialFlash`` |
/// | 1 | address | bytes, at most 256 | the bytes | nothing | ``WriteSerialFlash`` |
/// | 2 | address | bytes | | u32 CRC-32 (IEEE) | ``ChecksumSerialFlash`` |
public struct SerialFlashCommand: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .bmpSerialFlash }
    public var address: UInt32
    public var size: UInt32
    public var operation: FlashOperation
    public var data: ByteBuffer
    public init(_ operation: FlashOperation, address: UInt32, size: UInt32, data: ByteBuffer = ByteBuffer()) {
        self.operation = operation
        self.address = address
        self.size = size
        self.data = data
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(FlashOperation(rawValue: arguments.arg3), address: arguments.arg1, size: arguments.arg2, data: data)
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, self.operation.rawValue) }
}

/// CMD 53, arg3 0: arg1 address, arg2 bytes.
public struct ReadSerialFlash: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .bmpSerialFlash }
    public var address: UInt32
    public var size: UInt32
    public init(address: UInt32, size: UInt32) {
        self.address = address
        self.size = size
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        try arguments.require(.read, of: "serial flash read")
        self.init(address: arguments.arg1, size: arguments.arg2)
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, FlashOperation.read.rawValue) }
}

/// CMD 53, arg3 1: arg1 address, arg2 bytes, then the bytes.
public struct WriteSerialFlash: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .bmpSerialFlash }
    public var address: UInt32
    public var size: UInt32
    public var data: ByteBuffer
    public init(address: UInt32, data: ByteBuffer) {
        self.address = address
        self.size = UInt32(truncatingIfNeeded: data.readableBytes)
        self.data = data
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        try arguments.require(.write, of: "serial flash write")
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.data = data
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, FlashOperation.write.rawValue) }
}

/// CMD 53, arg3 2, arg1 address, arg2 bytes: the CRC-32 (IEEE) of any length of flash. Replies the word.
public struct ChecksumSerialFlash: SCPRequest {
    public typealias Response = WordResponse
    public static var command: SCPCommand { .bmpSerialFlash }
    public var address: UInt32
    public var size: UInt32
    public init(address: UInt32, size: UInt32) {
        self.address = address
        self.size = size
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        try arguments.require(.checksum, of: "serial flash checksum")
        self.init(address: arguments.arg1, size: arguments.arg2)
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, FlashOperation.checksum.rawValue) }
}

/// CMD 54, arg3 0: arg1 address, arg2 bytes. Only the BMP that rules the backplane has the EEPROM.
public struct ReadBackplaneEEPROM: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .bmpEEPROM }
    public var address: UInt32
    public var size: UInt32
    public init(address: UInt32, size: UInt32) {
        self.address = address
        self.size = size
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        try arguments.require(.read, of: "EEPROM read")
        self.init(address: arguments.arg1, size: arguments.arg2)
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, FlashOperation.read.rawValue) }
}

/// CMD 54, arg3 1: arg1 address, arg2 bytes, then the bytes.
public struct WriteBackplaneEEPROM: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .bmpEEPROM }
    public var address: UInt32
    public var size: UInt32
    public var data: ByteBuffer
    public init(address: UInt32, data: ByteBuffer) {
        self.address = address
        self.size = UInt32(truncatingIfNeeded: data.readableBytes)
        self.data = data
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        try arguments.require(.write, of: "EEPROM write")
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.data = data
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, FlashOperation.write.rawValue) }
}

/// CMD_FLASH_COPY (49): the BMP overwrites its own program: arg1 to, arg2 from, arg3 bytes. It restarts; a reply is luck.
public struct CopyFlash: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .flashCopy }
    public var destination: UInt32
    public var source: UInt32
    public var size: UInt32
    public init(to destination: UInt32, from source: UInt32, size: UInt32) {
        self.destination = destination
        self.source = source
        self.size = size
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(to: arguments.arg1, from: arguments.arg2, size: arguments.arg3)
    }
    public var arguments: SCPArguments { SCPArguments(self.destination, self.source, self.size) }
}

/// CMD_FLASH_ERASE (50): arg1 start, arg2 end of the BMP's flash. Replies the address of the buffer for what is to be
/// written; with RC_ARG, a code that says why not.
public struct EraseFlash: SCPRequest {
    public typealias Response = WordResponse
    public static var command: SCPCommand { .flashErase }
    public var start: UInt32
    public var end: UInt32
    public init(start: UInt32, end: UInt32) {
        self.start = start
        self.end = end
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(start: arguments.arg1, end: arguments.arg2)
    }
    public var arguments: SCPArguments { SCPArguments(self.start, self.end) }
}

/// CMD_FLASH_WRITE (51): programs the buffer into the BMP's flash: arg1 address, arg2 bytes, arg3 erase first?
public struct WriteFlash: SCPRequest {
    public typealias Response = EmptyResponse
    public static var command: SCPCommand { .flashWrite }
    public var address: UInt32
    public var size: UInt32
    public var erase: UInt32
    public init(address: UInt32, size: UInt32, erase: Bool) {
        self.address = address
        self.size = size
        self.erase = erase ? 1 : 0
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.address = arguments.arg1
        self.size = arguments.arg2
        self.erase = arguments.arg3
    }
    public var arguments: SCPArguments { SCPArguments(self.address, self.size, self.erase) }
}
