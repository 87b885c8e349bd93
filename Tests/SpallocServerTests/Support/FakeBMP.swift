//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import SpallocServer
import SpiNNakerMachine
import SpiNNakerWire

/// A frame's BMP that remembers what it was asked, and fails as it is told.
final class FakeBMP: Sendable {
    struct State {
        var on: Set<Int> = []
        var log: [String] = []
        /// How often each slot's FPGAs still come up wrong.
        var badFPGAs: [Int: Int] = [:]
        /// So many commands get no answer.
        var silent = 0
        /// Slots stopped at (slot, fpga, bank).
        var stopped: Set<[Int]> = []
        /// The last word of each slot's serial number, if it is another than 0xABCD, and what its flash holds.
        var serials: [Int: UInt32] = [:]
        var blacklists: [Int: Blacklist] = [:]
        /// Power-on waits here until it is let go.
        var gate: Nudge?
    }

    let state = NIOLockedValueBox(State())

    var on: Set<Int> { self.state.withLockedValue { $0.on } }
    var log: [String] { self.state.withLockedValue { $0.log } }
    var stopped: Set<[Int]> { self.state.withLockedValue { $0.stopped } }

    func set(_ change: (inout State) -> Void) { self.state.withLockedValue(change) }
}

/// One frame's controller.
struct FakeBMPController: BMPController {
    let bmp: FakeBMP

    private func answer(_ what: String) throws(BMPError) {
        let silent = self.bmp.state.withLockedValue { state in
            state.log.append(what)
            guard state.silent > 0 else { return false }
            state.silent -= 1
            return true
        }
        if silent { throw .unreachable("no answer to \(what)") }
    }

    func setPower(slots: [Int], on: Bool) async throws(BMPError) {
        try self.answer("\(on ? "on" : "off") \(slots.sorted().map(String.init).joined(separator: ","))")
        if on, let gate = self.bmp.state.withLockedValue({ $0.gate }) { _ = await gate.wait() }
        self.bmp.state.withLockedValue { state in
            for slot in slots {
                if on { state.on.insert(slot) } else { state.on.remove(slot) }
                state.stopped = state.stopped.filter { $0[0] != slot }
            }
        }
    }

    func readFPGAFlag(slot: Int, fpga: Int) async throws(BMPError) -> UInt32 {
        try self.answer("flag \(slot) \(fpga)")
        return self.bmp.state.withLockedValue { state in
            guard let bad = state.badFPGAs[slot], bad > 0 else { return UInt32(fpga) | 0xF00 }
            state.badFPGAs[slot] = bad - 1
            return 3
        }
    }

    func setLinkStop(slot: Int, fpga: Int, bank: Int, stop: Bool) async throws(BMPError) {
        try self.answer("stop \(slot) \(fpga) \(bank)")
        self.bmp.state.withLockedValue { state in
            if stop { state.stopped.insert([slot, fpga, bank]) } else { state.stopped.remove([slot, fpga, bank]) }
        }
    }

    func readHealth(slot: Int) async throws(BMPError) -> BoardHealth {
        try self.answer("health \(slot)")
        let (serial, blacklist) = self.bmp.state.withLockedValue { ($0.serials[slot] ?? 0xABCD, $0.blacklists[slot]) }
        return BoardHealth(
            serial: BoardSerial(hardwareVersion: 5, serial: [1, 2, 3, serial], flashBuffer: 0, boardStatus: 0, vectors: 0),
            status: BoardStatus(
                converters: [0, 1966, 1966, 1966, 2949, 0, 3604, 3276], internalTemperatures: [25 * 256 + 128, .min, 0, 0],
                externalTemperatures: [.min, 40 * 256, .min, .min], fans: [1200, -1, -1, -1], warnings: 3),
            blacklist: blacklist
                ?? Blacklist(entries: [.init(chip: ChipID(2, 3), deadPhysicalCores: 0b101, deadLinks: [.west])]))
    }

    func writeBlacklist(_ list: Blacklist, slot: Int) async throws(BMPError) {
        try self.answer("blacklist \(slot)")
        self.bmp.state.withLockedValue { $0.blacklists[slot] = list }
    }

    func close() async {}
}
