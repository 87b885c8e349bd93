//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension CoreHandle {
    /// What the monitor keeps about the core.
    public func info() async throws(TransceiverError) -> CoreInfo {
        let infos = try await self.transceiver.coreInfos(of: [self.core])
        guard let info = infos.first else {
            throw TransceiverError(.invalidArgument, "no core can be \(self.core)", chip: self.core.chip)
        }
        return info
    }

    /// One of the core's four user registers, 0...3. By convention register 0 holds the address of the core's data.
    public func userRegister(_ number: UInt8) async throws(TransceiverError) -> UInt32 {
        try await self.transceiver.readWord(
            VCPU.userAddress(of: self.core.p, try self.checked(number)), of: .monitor(of: self.core.chip))
    }

    public func setUserRegister(_ number: UInt8, to word: UInt32) async throws(TransceiverError) {
        try await self.transceiver[self.core.chip].writeWord(
            word, at: VCPU.userAddress(of: self.core.p, try self.checked(number)))
    }

    private func checked(_ number: UInt8) throws(TransceiverError) -> UInt8 {
        guard number < 4, Int(self.core.p) < MemoryMap.cores else {
            throw TransceiverError(
                .invalidArgument, "there is no user register \(number) of core \(self.core)", chip: self.core.chip)
        }
        return number
    }
}

extension ChipHandle {
    /// Sets the chip's LEDs.
    public func setLEDs(_ actions: LEDActions) async throws(TransceiverError) {
        _ = try await self.transceiver.send(SetLEDs(actions), to: .monitor(of: self.chip))
    }

    /// Sets how many pings in a row a core may leave unanswered before SC&MP takes it for hung and its state becomes
    /// ``CoreState/watchdog``. 0: however many, which is what machines booted by SpiNNMan or by us begin with.
    public func setWatchdog(afterMisses misses: UInt8) async throws(TransceiverError) {
        try await self.write(ByteBuffer(integer: misses), at: SV.softWatchdog.address)
    }

    /// How much faster than it should the chip's clock runs: ticks per microsecond too many or too few.
    public func clockDrift() async throws(TransceiverError) -> Double {
        let drift: Int32 = try await self.transceiver.read(SV.clockDrift, of: self.chip)
        return Double(drift) / 131_072
    }
}

extension Transceiver {
    /// What the monitors keep about cores, in the order of the set.
    ///
    /// - Parameters:
    ///   - cores: nil: every application core of the machine, which then must have been discovered.
    ///   - states: only cores in one of these; nil: all.
    public func coreInfos(
        of cores: CoreSubsets? = nil, in states: Set<CoreState>? = nil
    ) async throws(TransceiverError) -> [CoreInfo] {
        let wanted: [CoreID]
        if let cores {
            wanted = cores.filter { Int($0.p) < MemoryMap.cores }
        } else {
            wanted = try self.discovered().chips.flatMap { chip in
                (0..<UInt8(truncatingIfNeeded: chip.workingCores)).map { CoreID(chip: chip.id, p: $0) }
            }
        }
        let blocks = try await self.sendAll(
            wanted.map {
                (ReadMemory(address: VCPU.address(of: $0.p), size: VCPU.size), CoreID.monitor(of: $0.chip))
            })
        var infos: [CoreInfo] = []
        for (core, block) in zip(wanted, blocks) {
            var bytes = block.bytes
            let vcpu: VCPU
            do throws(WireError) {
                vcpu = try VCPU(from: &bytes)
            } catch {
                throw TransceiverError(.unusableMachine, "core \(core): \(error)", chip: core.chip)
            }
            if let states, !states.contains(vcpu.state) { continue }
            infos.append(CoreInfo(core: core, vcpu: vcpu))
        }
        return infos
    }

    /// Writes user registers of many cores at once.
    public func setUserRegisters(
        _ values: [(core: CoreID, number: UInt8, word: UInt32)]
    ) async throws(TransceiverError) {
        _ = try await self.sendAll(
            values.map {
                (
                    WriteMemory(
                        address: VCPU.userAddress(of: $0.core.p, $0.number),
                        data: ByteBuffer(integer: $0.word, endianness: .little)),
                    CoreID.monitor(of: $0.core.chip)
                )
            })
    }

    /// Writes single words on many chips at once.
    public func writeWords(_ values: [(chip: ChipID, address: UInt32, word: UInt32)]) async throws(TransceiverError) {
        _ = try await self.sendAll(
            values.map {
                (
                    WriteMemory(address: $0.address, data: ByteBuffer(integer: $0.word, endianness: .little)),
                    CoreID.monitor(of: $0.chip)
                )
            })
    }

    /// The same on every chip of the machine, which must have been discovered: see ``ChipHandle/setWatchdog(afterMisses:)``.
    public func setWatchdog(afterMisses misses: UInt8) async throws(TransceiverError) {
        let write = WriteMemory(address: SV.softWatchdog.address, data: ByteBuffer(integer: misses))
        _ = try await self.sendAll(self.discovered().chips.map { (write, CoreID.monitor(of: $0.id)) })
    }

    /// Turns the messages that keep the boards' clocks together on or off.
    public func setSynchronisation(_ enabled: Bool) async throws(TransceiverError) {
        _ = try await self.send(SetSynchronisation(enabled: enabled), to: .monitor(of: .root))
    }
}
