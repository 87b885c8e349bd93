//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension Transceiver {
    /// How many cores of an application are in a state, over the whole machine.
    ///
    /// Each board's Ethernet chip counts its board. If chips of a board stay silent through all retries, those that
    /// answered are counted.
    ///
    /// - Parameter boards: Ethernet chips; nil: all boards of the machine, or while it has not been discovered, all
    ///   connected ones.
    public func countCores(
        application: UInt8, in state: CoreState, boards: [ChipID]? = nil
    ) async throws(TransceiverError) -> Int {
        let boards = boards ?? self.machine?.ethernetChips.map(\.id) ?? self.connectedChips
        let policy = self.configuration.policy(timeout: .seconds(2))
        let calls = boards.map {
            SCPCall(CountCores(application: application, state: state), to: .monitor(of: $0))
        }
        let results = try await self.results(of: calls, policy: policy)
        var total = 0
        for (board, result) in zip(boards, results) {
            total += try await self.count(result, of: board, CountCores(application: application, state: state), policy)
        }
        return total
    }

    /// The count in a result; when another count was going on (an OK without payload), asks again.
    private func count(
        _ result: Result<SCPReply, SCPError>, of board: ChipID, _ request: CountCores, _ policy: SCPPolicy
    ) async throws(TransceiverError) -> Int {
        let monitor = CoreID.monitor(of: board)
        var result = result
        for attempt in 0... {
            do throws(TransceiverError) {
                return Int(try self.decode(result, of: CountCores.self, from: monitor).count)
            } catch {
                guard case .malformedReply = error.request?.code, attempt < self.configuration.retries else { throw error }
            }
            try await self.pause(.milliseconds(20))
            guard let again = try await self.results(of: [SCPCall(request, to: monitor)], policy: policy).first else { break }
            result = again
        }
        return 0
    }

    /// Waits until cores are in one of some states.
    ///
    /// It counts the application's cores over the machine, which is quick; it looks at each core only when the count says
    /// that something is wrong, every hundredth time, and at the end.
    ///
    /// - Parameters:
    ///   - cores: those that are waited for.
    ///   - states: any of these will do.
    ///   - timeout: from now; nil: no end but cancellation.
    ///   - interval: between two counts.
    ///   - errorStates: any core in one of these ends the wait.
    /// - Throws: ``TransceiverError/Code/coresNotInState`` with the cores that are in an error state, or that have not
    ///   come by the end.
    public func waitForCores(
        _ cores: CoreSubsets, application: UInt8, in states: Set<CoreState>, timeout: Duration? = nil,
        interval: Duration = .milliseconds(100), errorStates: Set<CoreState> = [.runTimeException, .watchdog]
    ) async throws(TransceiverError) {
        let wanted = cores.count
        let end = timeout.map { ContinuousClock.now + $0 }
        let boards = self.machine.map { machine in
            Set(cores.chips.compactMap { machine[$0]?.nearestEthernet }).sorted()
        }
        var tries = 0
        while true {
            var ready = 0
            for state in states.sorted(by: { $0.rawValue < $1.rawValue }) {
                ready += try await self.countCores(application: application, in: state, boards: boards)
            }
            if ready >= wanted { break }
            for state in errorStates.sorted(by: { $0.rawValue < $1.rawValue }) {
                guard try await self.countCores(application: application, in: state, boards: boards) > 0 else { continue }
                let failed = try await self.coreInfos(of: cores, in: errorStates)
                if !failed.isEmpty { throw self.notInState(failed, "failed") }
            }
            tries += 1
            if tries % 100 == 0, try await self.coreInfos(of: cores, in: states).count >= wanted { return }
            if let end, ContinuousClock.now >= end { break }
            try await self.pause(interval)
        }
        // The count is of the application, not of these cores; and it may have been short for a chip that stayed silent.
        let late = try await self.coreInfos(of: cores).filter { !states.contains($0.state) }
        if !late.isEmpty { throw self.notInState(late, "did not come in time") }
    }

    private func notInState(_ cores: [CoreInfo], _ what: String) -> TransceiverError {
        let shown = cores.prefix(10).map(\.description).joined(separator: "; ")
        let more = cores.count > 10 ? "; and \(cores.count - 10) more" : ""
        return TransceiverError(
            .coresNotInState, "\(cores.count) cores \(what): \(shown)\(more)", chip: cores.first?.core.chip, cores: cores)
    }
}
