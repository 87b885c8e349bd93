//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// Why the transceiver could not do what it was asked.
public struct TransceiverError: Error, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// A request to a board failed: see ``TransceiverError/request``.
        case requestFailed
        /// No machine answers, and it could not be booted.
        case notBooted
        /// What answers is no SC&MP (or BC&MP), or not of a version that this library knows.
        case incompatibleVersion
        /// There is no connection for this: to the boot ROM, to a BMP.
        case noConnection
        /// What the machine says of itself can not be used.
        case unusableMachine
        /// The chip has no block of SDRAM of this size, or the tag is taken.
        case outOfSDRAM
        /// The chip's router has no run of entries of this length.
        case outOfRoutingEntries
        /// The chip copied an application's image, and its sum is wrong.
        case checksumMismatch
        /// Cores did not reach the state that was waited for: see ``TransceiverError/cores``.
        case coresNotInState
        /// The service that memory was to go by failed: see ``TransceiverError/underlying``.
        case serviceFailed
        /// A file could not be read or written.
        case fileFailed
        /// The argument can not be used.
        case invalidArgument
    }

    public var code: Code
    public var message: String
    /// The request that failed: link, core, command, address, attempts.
    public var request: SCPError?
    public var chip: ChipID?
    /// The cores in question, with what they said of themselves.
    public var cores: [CoreInfo]
    /// What a service or the file system said.
    public var underlying: (any Error)?

    public init(
        _ code: Code, _ message: String, request: SCPError? = nil, chip: ChipID? = nil, cores: [CoreInfo] = [],
        underlying: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.request = request
        self.chip = chip
        self.cores = cores
        self.underlying = underlying
    }

    init(_ error: SCPError) {
        self.init(.requestFailed, "\(error)", request: error, chip: error.core?.chip)
    }

    init(_ error: WireError, chip: ChipID? = nil) {
        self.init(.invalidArgument, "\(error)", chip: chip)
    }

    /// Whether the task was cancelled.
    public var isCancellation: Bool { self.request?.code == .cancelled }
    /// Whether a board did not answer.
    public var isTimeout: Bool { self.request?.code == .timedOut }

    public var description: String { self.message }
}
