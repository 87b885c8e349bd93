//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_BMP_INFO (48), every selector: arg1.
///
/// | Selector | Reply | Request type |
/// |---|---|---|
/// | 0 | ``BoardSerial``, 32 bytes | ``GetBoardSerial`` |
/// | 1 | the EEPROM's image, 256 bytes | ``GetBoardEEPROMImage`` |
/// | 2 | ``CANStatus``, 24 bytes | ``GetCANStatus`` |
/// | 3 | ``BoardStatus``, 48 bytes | ``GetBoardStatus`` |
/// | 4 | ``BoardAddresses``, 64 bytes | ``GetBoardAddresses`` |
/// | 5 | the block that outlives a reset, 32 bytes | ``GetUninitialisedBlock`` |
public struct BMPInfoCommand: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .bmpInfo }

    /// Any number is a value; a BMP refuses more than 5.
    public struct Selector: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let serial = Selector(rawValue: 0)
        public static let eeprom = Selector(rawValue: 1)
        public static let canStatus = Selector(rawValue: 2)
        public static let boardStatus = Selector(rawValue: 3)
        public static let addresses = Selector(rawValue: 4)
        public static let uninitialised = Selector(rawValue: 5)
    }

    public var selector: Selector
    public init(_ selector: Selector) { self.selector = selector }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.selector = Selector(rawValue: arguments.arg1)
    }
    public var arguments: SCPArguments { SCPArguments(self.selector.rawValue) }
}

/// A CMD_BMP_INFO of one selector, with that selector's reply type. Decoding one of another selector fails.
public protocol BMPInfoRequest: SCPRequest {
    static var selector: BMPInfoCommand.Selector { get }
    init()
}

extension BMPInfoRequest {
    public static var command: SCPCommand { .bmpInfo }
    public var arguments: SCPArguments { SCPArguments(Self.selector.rawValue) }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        guard arguments.arg1 == Self.selector.rawValue else {
            throw .invalid(message: "CMD_BMP_INFO", field: "selector", value: UInt64(arguments.arg1))
        }
        self.init()
    }
}

/// Selector 0.
public struct GetBoardSerial: BMPInfoRequest {
    public typealias Response = BoardSerial
    public static var selector: BMPInfoCommand.Selector { .serial }
    public init() {}
}

/// Selector 1.
public struct GetBoardEEPROMImage: BMPInfoRequest {
    public typealias Response = BytesResponse
    public static var selector: BMPInfoCommand.Selector { .eeprom }
    public init() {}
}

/// Selector 2.
public struct GetCANStatus: BMPInfoRequest {
    public typealias Response = CANStatus
    public static var selector: BMPInfoCommand.Selector { .canStatus }
    public init() {}
}

/// Selector 3: voltages, temperatures and fans (SpiNNMan's "read ADC").
public struct GetBoardStatus: BMPInfoRequest {
    public typealias Response = BoardStatus
    public static var selector: BMPInfoCommand.Selector { .boardStatus }
    public init() {}
}

/// Selector 4.
public struct GetBoardAddresses: BMPInfoRequest {
    public typealias Response = BoardAddresses
    public static var selector: BMPInfoCommand.Selector { .addresses }
    public init() {}
}

/// Selector 5.
public struct GetUninitialisedBlock: BMPInfoRequest {
    public typealias Response = BytesResponse
    public static var selector: BMPInfoCommand.Selector { .uninitialised }
    public init() {}
}
