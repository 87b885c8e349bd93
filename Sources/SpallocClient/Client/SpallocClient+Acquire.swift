//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension SpallocClient {
    /// How much is done to get a machine that works.
    public struct Acquisition: Sendable {
        /// Jobs that are tried.
        public var attempts: Int = 3
        /// For the queue and the power of each.
        public var readyTimeout: Duration = .seconds(300)
        /// What the machine is booted with; nil: it must boot by itself.
        public var image: BootImage?
        /// Whether boards that fail are reported to the service, which takes a board out of service after some reports.
        public var reportsFailures = true
        public var transceiver = TransceiverConfiguration()

        public init() {}
    }

    /// Gets boards that work: creates a job, waits, boots, looks at every board; a job with a board that fails is reported,
    /// dropped, and another is tried, a bounded number of times. No bad job is held while the next is asked for, since that
    /// could block a whole machine.
    ///
    /// - Parameter onFailure: hears of each attempt that failed.
    /// - Throws: what the last attempt failed of; whatever `body` throws, which is never tried again.
    public func acquire<Result>(
        _ request: SpallocJobRequest, by acquisition: Acquisition = Acquisition(),
        onFailure: (_ attempt: Int, any Error) -> Void = { _, _ in },
        _ body: (SpallocJob, Transceiver) async throws -> Result
    ) async throws -> Result {
        var attempt = 1
        while true {
            do {
                return try await self.withJob(request) { job in
                    var isHandedOver = false
                    do {
                        try await job.waitUntilReady(timeout: acquisition.readyTimeout) { _ in }
                        return try await job.withTransceiver(configuration: acquisition.transceiver) { transceiver in
                            try await job.verify(transceiver, image: acquisition.image)
                            isHandedOver = true
                            return try await body(job, transceiver)
                        }
                    } catch {
                        guard !isHandedOver, !Task.isCancelled else { throw error }
                        let failure = AcquisitionFailure(error)
                        if acquisition.reportsFailures { await job.report(failure) }
                        throw failure
                    }
                }
            } catch let failure as AcquisitionFailure {
                guard attempt < acquisition.attempts, !Task.isCancelled, failure.mayWorkElsewhere else { throw failure.cause }
                onFailure(attempt, failure.cause)
                attempt += 1
            }
        }
    }
}

/// Says that it was the machine, or the way to it, and not the user's own code, that failed.
private struct AcquisitionFailure: Error, CustomStringConvertible {
    let cause: any Error
    /// The Ethernet chip of the board at fault, or another of its chips.
    let chip: ChipID?

    init(_ error: any Error) {
        if let missing = error as? MissingBoard {
            (self.cause, self.chip) = (missing.error, missing.chip)
        } else {
            let transceiver = error as? TransceiverError
            self.cause = error
            self.chip = transceiver?.chip ?? transceiver?.request?.core?.chip
        }
    }

    var description: String { "\(self.cause)" }

    /// Not when the service would not give another job either.
    var mayWorkElsewhere: Bool {
        switch self.cause {
        case let error as SpallocError:
            [.jobDestroyed, .timeout, .notReady, .proxyFailed].contains(error.code) || error.isTransient
        case let error as TransceiverError: !error.isCancellation
        default: false
        }
    }
}

/// A board of the job that the booted machine does not have.
private struct MissingBoard: Error {
    let chip: ChipID
    let error: SpallocError
}

extension SpallocJob {
    /// Boots, looks at the machine, and wants every board of the job in it.
    fileprivate func verify(_ transceiver: Transceiver, image: BootImage?) async throws {
        try await transceiver.ensureReady(image: image)
        let machine = try await transceiver.discoverMachine()
        for connection in try await self.connections() {
            guard let chip = connection.chip.chip, machine[chip] == nil else { continue }
            throw MissingBoard(
                chip: chip,
                error: SpallocError(
                    .notReady, "board \(chip) at \(connection.hostname) is not in the booted machine", job: self.id))
        }
    }

    /// Names the board to the service, once. That this fails must not hide why it was done.
    fileprivate func report(_ failure: AcquisitionFailure) async {
        guard !Task.isCancelled, failure.chip != nil || failure.cause is TransceiverError else { return }
        let chip = failure.chip.flatMap { $0 == .root ? nil : $0 } ?? .origin
        guard let place = try? await self.whereIs(ChipPosition(chip)), let board = place.logicalBoardCoordinates else { return }
        _ = try? await self.reportIssue(
            "acquire: \(failure.cause)",
            boards: [IssueReport.Board(machine: place.machine, x: board.x, y: board.y, z: board.z)])
    }
}
