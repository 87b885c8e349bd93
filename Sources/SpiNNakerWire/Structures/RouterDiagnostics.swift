//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Registers of the router, from ``MemoryMap/router``.
public enum RouterRegister {
    public static let control: UInt32 = 0x00
    public static let status: UInt32 = 0x04
    public static let errorHeader: UInt32 = 0x08
    public static let errorKey: UInt32 = 0x0C
    public static let errorData: UInt32 = 0x10
    public static let errorStatus: UInt32 = 0x14
    public static let dumpHeader: UInt32 = 0x18
    public static let dumpKey: UInt32 = 0x1C
    public static let dumpData: UInt32 = 0x20
    public static let dumpOutputs: UInt32 = 0x24
    public static let dumpStatus: UInt32 = 0x28
    /// Low half: counter n counts; writing a bit of the high half clears counter n.
    public static let diagnosticEnable: UInt32 = 0x2C
    public static let fixedRoute: UInt32 = 0x84
    public static let filters: UInt32 = 0x200
    public static let counters: UInt32 = 0x300

    public static func address(_ register: UInt32) -> UInt32 { MemoryMap.router &+ register }
    public static func filter(_ position: UInt8) -> UInt32 { MemoryMap.router + self.filters + 4 * UInt32(position & 15) }
    public static func counter(_ position: UInt8) -> UInt32 { MemoryMap.router + self.counters + 4 * UInt32(position & 15) }
    /// Where 0xFFFFFFFF clears and enables all counters: the unbuffered alias.
    public static let clearCounters = MemoryMap.routerUnbuffered + diagnosticEnable
}

/// The router's counters, in the order of their registers, as SC&MP's filters make them count.
public enum RouterCounter: UInt8, Hashable, Sendable, CaseIterable {
    case localMulticast = 0
    case externalMulticast = 1
    case localP2P = 2
    case externalP2P = 3
    case localNearestNeighbour = 4
    case externalNearestNeighbour = 5
    case localFixedRoute = 6
    case externalFixedRoute = 7
    case droppedMulticast = 8
    case droppedP2P = 9
    case droppedNearestNeighbour = 10
    case droppedFixedRoute = 11
    case user0 = 12
    case user1 = 13
    case user2 = 14
    case user3 = 15
}

/// What the router's error status register says.
///
/// | Bits | Field |
/// |---|---|
/// | 31 | error |
/// | 30 | overflow |
/// | 29 | parity |
/// | 28 | framing |
/// | 27 | time stamp |
/// | 7...0 | errors counted |
public struct RouterErrors: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let error = RouterErrors(rawValue: 0x8000_0000)
    public static let overflow = RouterErrors(rawValue: 0x4000_0000)
    public static let parity = RouterErrors(rawValue: 0x2000_0000)
    public static let framing = RouterErrors(rawValue: 0x1000_0000)
    public static let timeStamp = RouterErrors(rawValue: 0x0800_0000)
    public var count: UInt8 { UInt8(truncatingIfNeeded: self.rawValue) }
}

/// The three reads that make the diagnostics of a router: word 0x00, word 0x14, 16 words from 0x300.
public struct RouterDiagnostics: Hashable, Sendable {
    /// Bits 12...8 monitor core, 23...16 wait 1, 31...24 wait 2 (mantissa in bits 3...0, exponent in 7...4 each).
    public var control: UInt32
    public var errors: RouterErrors
    /// Sixteen; writing pads or cuts.
    public var counters: [UInt32]

    public init(control: UInt32, errors: RouterErrors, counters: [UInt32]) {
        self.control = control
        self.errors = errors
        self.counters = counters
    }
    /// - Parameter buffer: the 16 counter registers.
    public init(control: UInt32, errors: RouterErrors, from buffer: inout ByteBuffer) throws(WireError) {
        self.control = control
        self.errors = errors
        self.counters = try buffer.takeWords(16, of: "router counters")
    }
    public func writeCounters(into buffer: inout ByteBuffer) { buffer.putWords(self.counters, count: 16) }

    public var monitor: UInt8 { UInt8(self.control >> 8 & 0x1F) }
    public var wait1: UInt8 { UInt8(truncatingIfNeeded: self.control >> 16) }
    public var wait2: UInt8 { UInt8(truncatingIfNeeded: self.control >> 24) }
    public subscript(counter: RouterCounter) -> UInt32 {
        let index = Int(counter.rawValue)
        return self.counters.indices.contains(index) ? self.counters[index] : 0
    }
}

/// What a counter of the router counts: its filter register.
///
/// | Bits | Field |
/// |---|---|
/// | 3...0 | kinds of packet |
/// | 7...4 | emergency routing |
/// | 8 | 1: emergency routing of the packet as it leaves; 0: as it came |
/// | 11...10 | default-routed, not default-routed |
/// | 13...12 | with payload, without payload |
/// | 15...14 | local, not local |
/// | 24...16 | destinations |
/// | 30 | interrupt when it counts |
public struct DiagnosticFilter: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public struct PacketKinds: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let multicast = PacketKinds(rawValue: 1)
        public static let pointToPoint = PacketKinds(rawValue: 2)
        public static let nearestNeighbour = PacketKinds(rawValue: 4)
        public static let fixedRoute = PacketKinds(rawValue: 8)
        public static let all = PacketKinds(rawValue: 15)
    }
    public struct Emergency: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let normal = Emergency(rawValue: 1)
        public static let firstStageCombined = Emergency(rawValue: 2)
        public static let firstStage = Emergency(rawValue: 4)
        public static let secondStage = Emergency(rawValue: 8)
        public static let all = Emergency(rawValue: 15)
    }
    public struct Defaulting: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let defaultRouted = Defaulting(rawValue: 1)
        public static let notDefaultRouted = Defaulting(rawValue: 2)
        public static let all = Defaulting(rawValue: 3)
    }
    public struct Payload: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let with = Payload(rawValue: 1)
        public static let without = Payload(rawValue: 2)
        public static let all = Payload(rawValue: 3)
    }
    public struct Source: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let local = Source(rawValue: 1)
        public static let notLocal = Source(rawValue: 2)
        public static let all = Source(rawValue: 3)
    }
    public struct Destinations: OptionSet, Hashable, Sendable {
        public var rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let dump = Destinations(rawValue: 1)
        public static let localCore = Destinations(rawValue: 2)
        public static let localMonitor = Destinations(rawValue: 4)
        public static func link(_ link: Link) -> Destinations { Destinations(rawValue: 8 << UInt16(link.rawValue)) }
        public static let all = Destinations(rawValue: 0x1FF)
    }

    /// A group of which nothing is said counts everything.
    public init(
        packets: PacketKinds = .all, emergency: Emergency = .all, matchOutgoing: Bool = false, defaulting: Defaulting = .all,
        payload: Payload = .all, source: Source = .all, destinations: Destinations = .all, interrupts: Bool = false
    ) {
        self.rawValue =
            UInt32(packets.rawValue & 0xF) | UInt32(emergency.rawValue & 0xF) << 4 | (matchOutgoing ? 1 << 8 : 0)
            | UInt32(defaulting.rawValue & 3) << 10 | UInt32(payload.rawValue & 3) << 12 | UInt32(source.rawValue & 3) << 14
            | UInt32(destinations.rawValue & 0x1FF) << 16 | (interrupts ? 1 << 30 : 0)
    }

    public var packets: PacketKinds { PacketKinds(rawValue: UInt8(self.rawValue & 0xF)) }
    public var emergency: Emergency { Emergency(rawValue: UInt8(self.rawValue >> 4 & 0xF)) }
    public var matchesOutgoing: Bool { self.rawValue >> 8 & 1 == 1 }
    public var defaulting: Defaulting { Defaulting(rawValue: UInt8(self.rawValue >> 10 & 3)) }
    public var payload: Payload { Payload(rawValue: UInt8(self.rawValue >> 12 & 3)) }
    public var source: Source { Source(rawValue: UInt8(self.rawValue >> 14 & 3)) }
    public var destinations: Destinations { Destinations(rawValue: UInt16(self.rawValue >> 16 & 0x1FF)) }
    public var interrupts: Bool { self.rawValue >> 30 & 1 == 1 }

    /// What SC&MP sets: see ``RouterCounter``. 12...15 count nothing.
    public static let defaults: [DiagnosticFilter] = [
        0x01FE_7CF1, 0x01FE_BCF1, 0x01FE_7CF2, 0x01FE_BCF2, 0x01FE_7CF4, 0x01FE_BCF4, 0x01FE_7CF8, 0x01FE_BCF8,
        0x0001_FCF1, 0x0001_FCF2, 0x0001_FCF4, 0x0001_FCF8, 0, 0, 0, 0,
    ].map(DiagnosticFilter.init(rawValue:))
    /// What SpiNNMan puts at position 14: default-routed multicast packets from elsewhere.
    public static let defaultRoutedExternal = DiagnosticFilter(
        packets: .multicast, matchOutgoing: true, defaulting: .defaultRouted, source: .notLocal)
    /// What SpiNNMan puts at position 15: default-routed multicast packets of this chip.
    public static let defaultRoutedLocal = DiagnosticFilter(
        packets: .multicast, matchOutgoing: true, defaulting: .defaultRouted, source: .local)
}
