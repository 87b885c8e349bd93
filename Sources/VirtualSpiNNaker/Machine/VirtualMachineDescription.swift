//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// What a virtual machine is built of, how it is broken, and how fast its firmware pretends to be.
public struct VirtualMachineDescription: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// `width` × `height` triads of SpiNN-5 boards, cabled as a torus in both directions. 3 · width · height boards.
        case triads(width: Int, height: Int)
        /// One SpiNN-5 board alone: 48 chips, no links beyond it.
        case spinn5
        /// One SpiNN-3 board: 4 chips.
        case spinn3
    }

    /// What a read or write outside the memory map does to the monitor that carries it out.
    public enum AddressFaults: Hashable, Sendable {
        /// Reads give zeroes, writes are ignored.
        case lenient
        /// As on silicon: a data abort; the monitor stops answering until the next power cycle.
        case strict
    }

    public var kind: Kind
    public var faults: HardwareFaults
    /// The time SC&MP takes from the last boot datagram until it is ready, as a multiple of the real one: 1 is real
    /// (about 4.4 s for one SpiNN-5), 0 is at once.
    public var bootTimeScale: Double
    /// From the power-on command until the boot ROM listens.
    public var powerOnDelay: TimeAmount
    public var isPoweredAtStart: Bool
    public var addressFaults: AddressFaults
    /// The physical core that the boot ROM elects monitor, where it works. 0...17.
    public var monitorCore: UInt8
    /// SC&MP 4.0.0 declares a few inter-board links dead: north of board-local (4, 7) and (7, 7), south-west of (1, 0).
    public var hasFirmwareLinkQuirks: Bool
    /// An un-booted board broadcasts a HELLO every 4.096 s. Hosts in scope ignore it.
    public var sendsHello: Bool
    /// The second octet of all addresses: board b of frame f is 127.base.f.(8·(b+1)+1), the frame's BMP 127.base.f.8.
    public var base: UInt8
    /// What a binary that the model does not know goes through.
    public var timeline: ApplicationTimeline
    /// The same for binaries in which a name is found as text: sPyNNaker's carry theirs.
    public var timelines: [String: ApplicationTimeline]
    /// What all randomness of the machine (dropped datagrams, random words) comes from.
    public var seed: UInt64

    public init(
        _ kind: Kind, faults: HardwareFaults = .none, bootTimeScale: Double = 1, powerOnDelay: TimeAmount = .milliseconds(100),
        isPoweredAtStart: Bool = false, addressFaults: AddressFaults = .lenient, base: UInt8 = 1, seed: UInt64 = 1
    ) {
        self.kind = kind
        self.faults = faults
        self.bootTimeScale = bootTimeScale
        self.powerOnDelay = powerOnDelay
        self.isPoweredAtStart = isPoweredAtStart
        self.addressFaults = addressFaults
        self.monitorCore = 1
        self.hasFirmwareLinkQuirks = true
        self.sendsHello = false
        self.timeline = .standard
        self.timelines = [:]
        self.base = base
        self.seed = seed
    }

    /// The most triads in one direction: a larger machine has no addresses left for its frames.
    public static let maximumBoards = 256 * 24
}

/// Why a description is none of a machine that can be built.
public enum VirtualMachineError: Error, Hashable, Sendable, CustomStringConvertible {
    case badSize(width: Int, height: Int)
    case unknownBoard(BoardCoordinates)
    case unknownChip(BoardChip)
    case badCore(BoardChip, UInt8)
    case badFPGA(BoardCoordinates, Int)
    case badBootTimeScale(Double)

    public var description: String {
        switch self {
        case .badSize(let width, let height):
            "a machine of \(width) × \(height) triads can not be built: 1...2048 triads in all"
        case .unknownBoard(let board): "the machine has no board \(board)"
        case .unknownChip(let chip): "there is no \(chip)"
        case .badCore(let chip, let core): "\(chip) has no core \(core): 0...17"
        case .badFPGA(let board, let fpga): "board \(board) has no FPGA \(fpga): 0...2"
        case .badBootTimeScale(let scale): "the boot time scale can not be \(scale)"
        }
    }
}
