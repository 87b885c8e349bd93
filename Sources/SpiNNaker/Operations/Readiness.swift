//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension Transceiver {
    /// Sees to it that the machine is booted and of a version that this library knows.
    ///
    /// It asks the root chip for its version. If there is no answer, and there is an image and a link to the boot ROM, it
    /// boots the machine and asks again. With a BMP it first asks that whether the boards have power, and switches them on if
    /// they have not; boards that have power and do not come up with one boot are power cycled. (SpiNNMan boots three times
    /// before it thinks of power, which takes half a minute when the board is off.) Then it sets the timeout of reply tags on
    /// every connected board, and asks each whether its Ethernet is up.
    ///
    /// - Parameters:
    ///   - image: what to boot with. SC&MP is not part of this library: its image is `scamp.boot` of `spinnaker_tools`, and
    ///     part of an installed SpiNNMan. Virtual machines boot with ``BootImage/placeholder``. nil: do not boot.
    ///   - values: how the machine is to come up; nil: SpiNNMan's values for a SpiNN-5 board.
    @discardableResult
    public func ensureReady(image: BootImage? = nil, values: BootValues? = nil) async throws(TransceiverError) -> VersionInfo {
        let probe = SCPPolicy(
            timeout: TimeAmount(self.configuration.timeout), retries: self.configuration.probeRetries, resendsEarly: false)
        var found = try await self.settledVersion(probe)
        if found == nil, let image { found = try await self.bringUp(image, values) }
        guard let version = found else {
            let why = image == nil ? "nothing to boot it with was given" : "booting it did not help"
            throw TransceiverError(.notBooted, "the machine does not answer, and \(why)", chip: .root)
        }
        guard version.name == "SC&MP", version.version.major == 4 else {
            throw TransceiverError(
                .incompatibleVersion, "the machine runs \(version.name) \(version.versionText); SC&MP 4 is needed", chip: .root)
        }
        try await self.prepareBoards(root: version.chip)
        return version
    }

    /// Boots the machine: START, the blocks of the image, CONTROL, with the configuration's pause after each.
    ///
    /// Nothing is acknowledged. Whether it worked, ``ensureReady(image:values:)`` finds out.
    public func sendBoot(_ image: BootImage, values: BootValues? = nil) async throws(TransceiverError) {
        guard let boot = self.boot else {
            throw TransceiverError(.noConnection, "there is no link to the boot ROM")
        }
        let values = values ?? BootValues(board: .spinn5, unixTime: UInt32(truncatingIfNeeded: time(nil)))
        let clock = ContinuousClock()
        var next = clock.now
        for message in BootSequence(image: image, values: values) {
            var datagram = ByteBufferAllocator().buffer(capacity: BootMessage.headerSize + message.data.readableBytes)
            message.write(into: &datagram)
            let bytes = datagram
            boot.eventLoop.execute {
                boot.write(bytes)
                boot.flush()
            }
            next += self.configuration.bootPause
            do {
                try await clock.sleep(until: next)
            } catch {
                throw TransceiverError(SCPError(.cancelled, link: boot.linkDescription))
            }
        }
        // What was known of the machine was of another boot.
        self.withState { state in
            state.machine = nil
            state.shape = nil
            state.iobufSize = nil
            self.rebuildSelector(&state)
        }
    }

    /// Boots a machine that does not answer, with power if there is a BMP to give it; nil: it does not answer yet.
    private func bringUp(_ image: BootImage, _ values: BootValues?) async throws(TransceiverError) -> VersionInfo? {
        if !self.bmps.isEmpty {
            var needy: [BMP] = []
            for bmp in self.bmps where await bmp.knowsOfNoPower() { needy.append(bmp) }
            if needy.isEmpty {
                // Most likely it only is not booted.
                if let version = try await self.boot(image, values, attempts: 1) { return version }
                needy = self.bmps
            }
            for bmp in needy { try await bmp.setPower(on: true) }
            try await self.pause(self.configuration.powerOnPause)
        }
        return try await self.boot(image, values, attempts: max(1, self.configuration.bootAttempts))
    }

    /// Boots the machine until it answers; nil: it never did.
    private func boot(
        _ image: BootImage, _ values: BootValues?, attempts: Int
    ) async throws(TransceiverError) -> VersionInfo? {
        // A booted machine is asked often, so that it is noticed when it comes up, and long enough.
        let interval = TimeAmount.milliseconds(250)
        let tries = TimeAmount(self.configuration.bootTimeout).nanoseconds / interval.nanoseconds
        let patient = SCPPolicy(timeout: interval, retries: max(0, Int(tries) - 1), resendsEarly: false)
        for _ in 0..<attempts {
            try await self.sendBoot(image, values: values)
            if let version = try await self.settledVersion(patient) { return version }
        }
        return nil
    }

    /// Asks for the version until the machine has found its shape; nil: no answer.
    private func settledVersion(_ policy: SCPPolicy) async throws(TransceiverError) -> VersionInfo? {
        let end = ContinuousClock.now + self.configuration.notReadyTimeout
        while true {
            do throws(TransceiverError) {
                let version = try await self.send(GetVersion(), to: .monitor(of: .root), policy: policy)
                if version.chip != .root { return version }
            } catch {
                if error.isTimeout { return nil }
                throw error
            }
            guard ContinuousClock.now < end else {
                throw TransceiverError(.notBooted, "the machine does not find its shape", chip: .root)
            }
            try await self.pause(self.configuration.notReadyPause)
        }
    }

    /// Sets the reply tags' timeout (2.56 s) and checks the Ethernet of each connected board.
    private func prepareBoards(root: ChipID) async throws(TransceiverError) {
        let boards = self.withState { state in
            for index in state.boards.indices where state.boards[index].chip == .root { state.boards[index].chip = root }
            self.rebuildSelector(&state)
            return state.boards
        }
        for board in boards {
            let monitor = CoreID.monitor(of: board.chip)
            _ = try await self.wrapping { () async throws(SCPError) in
                try await board.connection.send(SetIPTagTimeout(code: 9), to: monitor)
            }
            var info: ChipInfo?
            for attempt in 0..<3 {
                if attempt > 0 { try await self.pause(self.configuration.notReadyPause) }
                info = try await self.wrapping { () async throws(SCPError) in
                    try await board.connection.send(GetChipInfo(), to: monitor)
                }
                if info?.isEthernetUp == true { break }
            }
            guard let info, info.isEthernetUp else {
                throw TransceiverError(
                    .unusableMachine, "the Ethernet of \(board.chip) (\(board.connection.link.linkDescription)) is down",
                    chip: board.chip)
            }
            self.withState { state in
                for index in state.boards.indices where state.boards[index].chip == board.chip {
                    state.boards[index].address = info.address
                }
            }
        }
    }
}
