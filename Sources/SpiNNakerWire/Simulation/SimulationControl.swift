//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Ports of SDP on application cores, as sPyNNaker's binaries use them. Port 0 is the kernel.
public enum SDPPort {
    public static let kernel: UInt8 = 0
    public static let inputBuffering: UInt8 = 1
    public static let outputBuffering: UInt8 = 2
    /// ``RunningCommand``
    public static let runningCommand: UInt8 = 3
    public static let reinjection: UInt8 = 4
    public static let dataOut: UInt8 = 5
    public static let dataIn: UInt8 = 6
}

/// What a running application is told on port 3. A number of its own: it shares the place of an ``SCPCommand``, not its
/// meaning. Source: SpiNNMan `SDP_RUNNING_MESSAGE_CODES`.
public struct RunningCommand: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let stop = RunningCommand(rawValue: 6)
    public static let newRunTime = RunningCommand(rawValue: 7)
    public static let updateProvenanceAndExit = RunningCommand(rawValue: 8)
    public static let clearIOBUF = RunningCommand(rawValue: 9)
    public static let pause = RunningCommand(rawValue: 10)
    public static let currentTime = RunningCommand(rawValue: 11)

    public var command: SCPCommand { SCPCommand(rawValue: self.rawValue) }
}

extension SDPMessage {
    /// A running command as a bare SDP message without reply: its data is one u32, the code (SpiNNMan's form; the first
    /// half-word lies where an SCP command would).
    public init(_ command: RunningCommand, to core: CoreID) {
        self.init(
            header: SDPHeader(
                flags: .replyNotExpected, destination: SDPAddress(port: SDPPort.runningCommand, cpu: core.p),
                destinationChip: core.chip),
            data: ByteBuffer(integer: UInt32(command.rawValue), endianness: .little))
    }

    /// The code of a message to port 3, if it is one.
    public var runningCommand: RunningCommand? {
        guard self.header.destination.port == SDPPort.runningCommand else { return nil }
        return self.data.getInteger(at: self.data.readerIndex, endianness: .little).map(RunningCommand.init(rawValue:))
    }

    /// The empty message by which a host shows a board its UDP port (and opens a NAT's way back). SpiNNMan leaves the two
    /// bytes of padding out; a board drops that as too short.
    public static func portTrigger() -> SDPMessage {
        SDPMessage(
            header: SDPHeader(
                flags: .replyNotExpected, destination: SDPAddress(port: SDPPort.runningCommand, cpu: 0),
                destinationChip: .origin))
    }
}

/// A request to a running application: SCP in shape, to port 3.
public protocol SimulationRequest: SCPRequest {
    static var runningCommand: RunningCommand { get }
    /// Whether the application answers it.
    var wantsReply: Bool { get }
}

extension SimulationRequest {
    public static var command: SCPCommand { Self.runningCommand.command }
    public var wantsReply: Bool { true }
}

extension SCPPacket {
    /// To port 3 of an application core; without a reply where the application gives none.
    public init<Request: SimulationRequest>(simulation request: Request, to core: CoreID, sequence: UInt16) {
        self.init(request, to: core, sequence: sequence, flags: request.wantsReply ? .replyExpected : .replyNotExpected)
        self.header.destination = SDPAddress(port: SDPPort.runningCommand, cpu: core.p)
    }
}

/// Code 6: end. No arguments. No reply; the core goes to FINISHED.
public struct StopSimulation: SimulationRequest {
    public typealias Response = EmptyResponse
    public static var runningCommand: RunningCommand { .stop }
    public init() {}
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {}
    public var arguments: SCPArguments { SCPArguments() }
    public var wantsReply: Bool { false }
}

/// Code 7: run on. arg1 the tick at which to pause, arg2 not 0: never, arg3 the tick it is now; data: u32 number of
/// ticks between synchronisations (older front ends: one byte). The core goes to SYNC0 or SYNC1.
public struct SetRunTime: SimulationRequest {
    public typealias Response = EmptyResponse
    public static var runningCommand: RunningCommand { .newRunTime }
    public var end: UInt32
    public var infinite: UInt32
    public var now: UInt32
    public var data: ByteBuffer

    public init(end: UInt32, isInfinite: Bool = false, now: UInt32, synchronisationTicks: UInt32 = 0) {
        self.end = end
        self.infinite = isInfinite ? 1 : 0
        self.now = now
        self.data = ByteBuffer(integer: synchronisationTicks, endianness: .little)
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.end = arguments.arg1
        self.infinite = arguments.arg2
        self.now = arguments.arg3
        self.data = data
    }
    public var isInfinite: Bool { self.infinite != 0 }
    /// From a word, or the byte of older front ends; 0: none.
    public var synchronisationTicks: UInt32 {
        let start = self.data.readerIndex
        if let word: UInt32 = self.data.getInteger(at: start, endianness: .little) { return word }
        return self.data.getInteger(at: start, as: UInt8.self).map(UInt32.init) ?? 0
    }
    public var arguments: SCPArguments { SCPArguments(self.end, self.infinite, self.now) }
}

/// Code 8: store the provenance and end. No arguments. No reply; the core goes to FINISHED.
public struct ExitSimulation: SimulationRequest {
    public typealias Response = EmptyResponse
    public static var runningCommand: RunningCommand { .updateProvenanceAndExit }
    public init() {}
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {}
    public var arguments: SCPArguments { SCPArguments() }
    public var wantsReply: Bool { false }
}

/// Code 9: forget the text written so far. arg3 1: say when it is done.
public struct ClearIOBUF: SimulationRequest {
    public typealias Response = EmptyResponse
    public static var runningCommand: RunningCommand { .clearIOBUF }
    public var reply: UInt32
    public init(wantsReply: Bool = true) { self.reply = wantsReply ? 1 : 0 }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) { self.reply = arguments.arg3 }
    public var wantsReply: Bool { self.reply == 1 }
    public var arguments: SCPArguments { SCPArguments(0, 0, self.reply) }
}

/// Code 10: pause now. No arguments.
public struct PauseSimulation: SimulationRequest {
    public typealias Response = EmptyResponse
    public static var runningCommand: RunningCommand { .pause }
    public init() {}
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {}
    public var arguments: SCPArguments { SCPArguments() }
}

/// Code 11: which tick is it? No arguments; replies u32, the tick.
public struct GetSimulationTime: SimulationRequest {
    public typealias Response = WordResponse
    public static var runningCommand: RunningCommand { .currentTime }
    public init() {}
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {}
    public var arguments: SCPArguments { SCPArguments() }
}
