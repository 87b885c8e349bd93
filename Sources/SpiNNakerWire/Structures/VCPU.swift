//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Why a core stopped: VCPU byte 44. Any number is a value.
public struct RunTimeError: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let none = RunTimeError(rawValue: 0)
    public static let reset = RunTimeError(rawValue: 1)
    public static let undefinedInstruction = RunTimeError(rawValue: 2)
    public static let supervisorCall = RunTimeError(rawValue: 3)
    public static let prefetchAbort = RunTimeError(rawValue: 4)
    public static let dataAbort = RunTimeError(rawValue: 5)
    public static let irq = RunTimeError(rawValue: 6)
    public static let fiq = RunTimeError(rawValue: 7)
    public static let interruptController = RunTimeError(rawValue: 8)
    public static let abort = RunTimeError(rawValue: 9)
    public static let outOfMemory = RunTimeError(rawValue: 10)
    public static let divisionByZero = RunTimeError(rawValue: 11)
    public static let event = RunTimeError(rawValue: 12)
    /// The application's own software error.
    public static let softwareError = RunTimeError(rawValue: 13)
    public static let iobuf = RunTimeError(rawValue: 14)
    public static let enable = RunTimeError(rawValue: 15)
    public static let nullPointer = RunTimeError(rawValue: 16)
    public static let packet = RunTimeError(rawValue: 17)
    public static let timer = RunTimeError(rawValue: 18)
    public static let api = RunTimeError(rawValue: 19)
    public static let wrongSARKVersion = RunTimeError(rawValue: 20)
}

/// What lies in a mailbox: VCPU bytes 56 and 57. Any number is a value.
public struct MailboxCommand: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let idle = MailboxCommand(rawValue: 0)
    public static let message = MailboxCommand(rawValue: 1)
    /// Are you alive?
    public static let ping = MailboxCommand(rawValue: 2)
    public static let signal = MailboxCommand(rawValue: 3)
    public static let command = MailboxCommand(rawValue: 4)
}

/// What SC&MP knows of one core: 128 bytes at ``address(of:)``. Source: `sark.h` `vcpu_t`.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | 8 × u32 | r0...r7 when it stopped |
/// | 32 | u32 | PSR |
/// | 36 | u32 | SP |
/// | 40 | u32 | LR |
/// | 44 | u8 | run-time error |
/// | 45 | u8 | physical core |
/// | 46 | u8 | state |
/// | 47 | u8 | application |
/// | 48 | u32 | mailbox to the core: address of the message |
/// | 52 | u32 | mailbox to the monitor: address of the message |
/// | 56 | u8 | mailbox to the core: command |
/// | 57 | u8 | mailbox to the monitor: command |
/// | 58 | u16 | software errors, saturating |
/// | 60 | u32 | address of the source file's name |
/// | 64 | u32 | source line |
/// | 68 | u32 | load time, Unix |
/// | 72 | 16 bytes | application's name, NUL padded |
/// | 88 | u32 | address of the first ``IOBUFBlock``, 0: none |
/// | 92 | u32 | software version |
/// | 96 | 16 bytes | spare |
/// | 112 | 4 × u32 | user0...user3 |
public struct VCPU: Hashable, Sendable {
    public static let size = 128
    public static let nameSize = 16

    /// Offsets of single fields, for whoever reads or writes just those.
    public enum Offset {
        public static let registers: UInt32 = 0
        public static let psr: UInt32 = 32
        public static let stackPointer: UInt32 = 36
        public static let linkRegister: UInt32 = 40
        public static let runTimeError: UInt32 = 44
        public static let physicalCore: UInt32 = 45
        public static let state: UInt32 = 46
        public static let application: UInt32 = 47
        public static let mailboxToCore: UInt32 = 48
        public static let mailboxToMonitor: UInt32 = 52
        public static let commandToCore: UInt32 = 56
        public static let commandToMonitor: UInt32 = 57
        public static let softwareErrors: UInt32 = 58
        public static let sourceFile: UInt32 = 60
        public static let sourceLine: UInt32 = 64
        public static let time: UInt32 = 68
        public static let name: UInt32 = 72
        public static let iobuf: UInt32 = 88
        public static let softwareVersion: UInt32 = 92
        public static let user: UInt32 = 112
    }

    /// Where the block of a virtual core lies.
    public static func address(of core: UInt8) -> UInt32 { MemoryMap.vcpu + 128 * UInt32(core) }
    /// Where user register 0...3 of a virtual core lies; higher numbers wrap.
    public static func userAddress(of core: UInt8, _ register: UInt8) -> UInt32 {
        self.address(of: core) + Offset.user + 4 * UInt32(register & 3)
    }

    /// Eight; writing pads or cuts.
    public var registers: [UInt32]
    public var psr: UInt32
    public var stackPointer: UInt32
    public var linkRegister: UInt32
    public var runTimeError: RunTimeError
    public var physicalCore: UInt8
    public var state: CoreState
    public var application: UInt8
    public var mailboxToCore: UInt32
    public var mailboxToMonitor: UInt32
    public var commandToCore: MailboxCommand
    public var commandToMonitor: MailboxCommand
    public var softwareErrors: UInt16
    public var sourceFile: UInt32
    public var sourceLine: UInt32
    public var time: UInt32
    /// The 16 raw bytes; see ``name``.
    public var nameBytes: [UInt8]
    public var iobuf: UInt32
    public var softwareVersion: UInt32
    /// Four words without meaning; writing pads or cuts.
    public var spare: [UInt32]
    /// Four; writing pads or cuts.
    public var user: [UInt32]

    /// Of a core in a state, all else zero.
    public init(state: CoreState = .dead, application: UInt8 = 0, physicalCore: UInt8 = 0, name: String = "") {
        self.registers = [UInt32](repeating: 0, count: 8)
        self.psr = 0
        self.stackPointer = 0
        self.linkRegister = 0
        self.runTimeError = .none
        self.physicalCore = physicalCore
        self.state = state
        self.application = application
        self.mailboxToCore = 0
        self.mailboxToMonitor = 0
        self.commandToCore = .idle
        self.commandToMonitor = .idle
        self.softwareErrors = 0
        self.sourceFile = 0
        self.sourceLine = 0
        self.time = 0
        self.nameBytes = Array(name.utf8.prefix(VCPU.nameSize))
        self.nameBytes += [UInt8](repeating: 0, count: VCPU.nameSize - self.nameBytes.count)
        self.iobuf = 0
        self.softwareVersion = 0
        self.spare = [UInt32](repeating: 0, count: 4)
        self.user = [UInt32](repeating: 0, count: 4)
    }

    /// The application's name up to its first NUL. Bytes that are no text show as U+FFFD.
    public var name: String { String(decoding: self.nameBytes.prefix { $0 != 0 }, as: UTF8.self) }

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        try buffer.require(VCPU.size, of: "VCPU")
        self.registers = try buffer.takeWords(8, of: "VCPU")
        self.psr = try buffer.take(of: "VCPU")
        self.stackPointer = try buffer.take(of: "VCPU")
        self.linkRegister = try buffer.take(of: "VCPU")
        self.runTimeError = RunTimeError(rawValue: try buffer.take(of: "VCPU"))
        self.physicalCore = try buffer.take(of: "VCPU")
        self.state = CoreState(rawValue: try buffer.take(of: "VCPU"))
        self.application = try buffer.take(of: "VCPU")
        self.mailboxToCore = try buffer.take(of: "VCPU")
        self.mailboxToMonitor = try buffer.take(of: "VCPU")
        self.commandToCore = MailboxCommand(rawValue: try buffer.take(of: "VCPU"))
        self.commandToMonitor = MailboxCommand(rawValue: try buffer.take(of: "VCPU"))
        self.softwareErrors = try buffer.take(of: "VCPU")
        self.sourceFile = try buffer.take(of: "VCPU")
        self.sourceLine = try buffer.take(of: "VCPU")
        self.time = try buffer.take(of: "VCPU")
        self.nameBytes = try buffer.takeArray(VCPU.nameSize, of: "VCPU")
        self.iobuf = try buffer.take(of: "VCPU")
        self.softwareVersion = try buffer.take(of: "VCPU")
        self.spare = try buffer.takeWords(4, of: "VCPU")
        self.user = try buffer.takeWords(4, of: "VCPU")
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.putWords(self.registers, count: 8)
        buffer.put(self.psr)
        buffer.put(self.stackPointer)
        buffer.put(self.linkRegister)
        buffer.put(self.runTimeError.rawValue)
        buffer.put(self.physicalCore)
        buffer.put(self.state.rawValue)
        buffer.put(self.application)
        buffer.put(self.mailboxToCore)
        buffer.put(self.mailboxToMonitor)
        buffer.put(self.commandToCore.rawValue)
        buffer.put(self.commandToMonitor.rawValue)
        buffer.put(self.softwareErrors)
        buffer.put(self.sourceFile)
        buffer.put(self.sourceLine)
        buffer.put(self.time)
        buffer.putBytes(self.nameBytes, count: VCPU.nameSize)
        buffer.put(self.iobuf)
        buffer.put(self.softwareVersion)
        buffer.putWords(self.spare, count: 4)
        buffer.putWords(self.user, count: 4)
    }
}
