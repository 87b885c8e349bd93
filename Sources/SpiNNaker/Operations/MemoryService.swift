//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// Another way to the memory of a machine's chips, for much at a time: a service next to the boards that does the SCP itself.
public protocol MemoryService: Sendable {
    /// - Returns: exactly `count` bytes.
    func read(chip: ChipID, address: UInt32, count: Int) async throws -> ByteBuffer
    func write(_ bytes: ByteBuffer, chip: ChipID, address: UInt32) async throws
}

/// Which way a read or a write of memory goes.
public enum MemoryRoute: Hashable, Sendable {
    /// By the service if there is one and it is worth it: see ``TransceiverConfiguration/memoryServiceThreshold``.
    case automatic
    /// By SCP over the links to the boards. Over a job that is its proxy.
    case links
    /// By the memory service. Over a job that is HTTP.
    case service
}

extension Transceiver {
    /// The way that memory of this length takes: ``MemoryRoute/links`` or ``MemoryRoute/service``.
    ///
    /// - Parameter core: the service sees memory as the monitor, core 0, does.
    public func memoryRoute(forBytes count: Int, of core: UInt8 = 0) -> MemoryRoute {
        switch self.configuration.memoryRoute {
        case .links: .links
        case .service: .service
        case .automatic:
            self.memoryService != nil && core == 0 && count >= self.configuration.memoryServiceThreshold ? .service : .links
        }
    }

    /// The service, if that is the way for this; nil: the links are.
    func memoryService(
        for count: Int, of core: CoreID, via route: MemoryRoute?
    ) throws(TransceiverError) -> (any MemoryService)? {
        let route = route == nil || route == .automatic ? self.memoryRoute(forBytes: count, of: core.p) : route
        guard route == .service else { return nil }
        guard let service = self.memoryService else {
            throw TransceiverError(.invalidArgument, "there is no memory service to go by", chip: core.chip)
        }
        guard core.p == 0 else {
            throw TransceiverError(
                .invalidArgument, "the memory service sees memory as core 0 does, not as core \(core.p)", chip: core.chip)
        }
        return service
    }
}

extension MemoryService {
    /// Bytes per call, so that progress can be told and a cancellation is noticed.
    private var pieceSize: Int { 1 << 20 }

    func readAll(
        at address: UInt32, count: Int, of core: CoreID, _ progress: (@Sendable (Int) -> Void)?
    ) async throws(TransceiverError) -> ByteBuffer {
        var bytes = ByteBuffer()
        try await self.inPieces(address, count, core) { address, offset, size in
            let piece = try await self.read(chip: core.chip, address: address, count: size)
            guard piece.readableBytes == size else {
                throw TransceiverError(
                    .serviceFailed, "the memory service gave \(piece.readableBytes) bytes of \(size)", chip: core.chip)
            }
            bytes.writeImmutableBuffer(piece)
            progress?(offset + size)
        }
        return bytes
    }

    func writeAll(
        _ bytes: ByteBuffer, at address: UInt32, to core: CoreID, _ progress: (@Sendable (Int) -> Void)?
    ) async throws(TransceiverError) {
        try await self.inPieces(address, bytes.readableBytes, core) { address, offset, size in
            guard let piece = bytes.getSlice(at: bytes.readerIndex + offset, length: size) else { return }
            try await self.write(piece, chip: core.chip, address: address)
            progress?(offset + size)
        }
    }

    private func inPieces(
        _ address: UInt32, _ count: Int, _ core: CoreID,
        _ body: (_ address: UInt32, _ offset: Int, _ size: Int) async throws -> Void
    ) async throws(TransceiverError) {
        guard count >= 0, UInt64(address) + UInt64(count) <= 1 << 32 else {
            throw TransceiverError(
                .invalidArgument, "\(count) bytes do not fit behind 0x\(String(address, radix: 16))", chip: core.chip)
        }
        var offset = 0
        while offset < count {
            let size = min(self.pieceSize, count - offset)
            let from = address &+ UInt32(truncatingIfNeeded: offset)
            do {
                try Task.checkCancellation()
                try await body(from, offset, size)
            } catch let error as TransceiverError {
                throw error
            } catch {
                if Task.isCancelled {
                    throw TransceiverError(SCPError(.cancelled, link: "memory service", core: core, address: from))
                }
                throw TransceiverError(
                    .serviceFailed, "memory of \(core.chip) at 0x\(String(from, radix: 16)): \(error)", chip: core.chip,
                    underlying: error)
            }
            offset += size
        }
    }
}
