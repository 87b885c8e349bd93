//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// Told on the event loop, now and then and at the end, how many bytes are done. It must be quick.
package typealias ProgressHandler = @Sendable (_ done: Int) -> Void

/// A read or write of any length, by the piece.
/// Unchecked: an operation is touched on its connection's event loop only, once it has begun.
class MemoryOperation<Output: Sendable>: SCPOperationWithResult<Output>, @unchecked Sendable {
    final var pieces: MemoryPieces
    final let core: CoreID
    /// The neighbour's memory over this link, instead of the chip's own.
    final let neighbour: Link?
    final let policy: SCPPolicy
    private var done = 0
    private var reported = 0
    private let progress: ProgressHandler?

    /// Progress is told at most once per this many bytes.
    private static var progressStep: Int { 16 * 1024 }

    init(_ pieces: MemoryPieces, of core: CoreID, neighbour: Link?, policy: SCPPolicy, progress: ProgressHandler?) {
        self.pieces = pieces
        self.core = core
        self.neighbour = neighbour
        self.policy = policy
        self.progress = progress
    }

    var command: SCPCommand { .read }

    override final var hasMore: Bool { self.pieces.hasMore }

    /// Counts a piece; true when it was the last.
    final func finishPiece(_ size: Int) -> Bool {
        self.done += size
        let isLast = self.done == self.pieces.count
        if let progress, isLast || self.done - self.reported >= MemoryOperation.progressStep {
            self.reported = self.done
            progress(self.done)
        }
        return isLast
    }

    override final func failed(_ index: Int, _ failure: SCPFailure) {
        self.finish(
            .failure(
                SCPError(
                    failure, link: self.link, core: self.core, command: self.command,
                    address: self.pieces.piece(at: index).address)))
    }

    override final func end(_ code: SCPError.Code, cause: String?) {
        self.finish(
            .failure(
                SCPError(
                    code, link: self.link, core: self.core, command: self.command, address: self.pieces.address, cause: cause)))
    }
}

/// Unchecked: an operation is touched on its connection's event loop only, once it has begun.
final class ReadOperation: MemoryOperation<ByteBuffer>, @unchecked Sendable {
    /// The whole result; replies are put where they belong as they come.
    private var result: ByteBuffer

    override init(_ pieces: MemoryPieces, of core: CoreID, neighbour: Link?, policy: SCPPolicy, progress: ProgressHandler?) {
        self.result = ByteBufferAllocator().buffer(capacity: pieces.count)
        self.result.moveWriterIndex(to: pieces.count)
        super.init(pieces, of: core, neighbour: neighbour, policy: policy, progress: progress)
    }

    override var command: SCPCommand { self.neighbour == nil ? .read : .linkRead }

    override func begin() {
        if self.pieces.count == 0 { self.finish(.success(self.result)) }
    }

    override func startNext(in pipeline: inout SCPPipeline, now: NIODeadline) -> ByteBuffer? {
        guard let piece = self.pieces.next() else { return nil }
        let token = SCPToken(operation: self, index: piece.offset)
        if let neighbour = self.neighbour {
            return pipeline.start(
                ReadLink(address: piece.address, size: piece.size, link: neighbour), to: self.core, policy: self.policy,
                token: token, now: now)
        }
        return pipeline.start(
            ReadMemory(address: piece.address, size: piece.size), to: self.core, policy: self.policy, token: token, now: now)
    }

    override func completed(_ index: Int, _ reply: SCPReply, attempts: Int) {
        let piece = self.pieces.piece(at: index)
        guard reply.payload.readableBytes >= piece.size else {
            self.finish(
                .failure(
                    SCPError(
                        .malformedReply(
                            .truncated(message: "memory", needed: piece.size, available: reply.payload.readableBytes)),
                        link: self.link, core: self.core, command: self.command, address: piece.address, attempts: attempts)))
            return
        }
        reply.payload.withUnsafeReadableBytes { bytes in
            _ = self.result.setBytes(UnsafeRawBufferPointer(rebasing: bytes.prefix(piece.size)), at: index)
        }
        if self.finishPiece(piece.size) { self.finish(.success(self.result)) }
    }
}

/// Unchecked: an operation is touched on its connection's event loop only, once it has begun.
final class WriteOperation: MemoryOperation<Void>, @unchecked Sendable {
    private let source: ByteBuffer

    init(
        _ pieces: MemoryPieces, from source: ByteBuffer, of core: CoreID, neighbour: Link?, policy: SCPPolicy,
        progress: ProgressHandler?
    ) {
        self.source = source
        super.init(pieces, of: core, neighbour: neighbour, policy: policy, progress: progress)
    }

    override var command: SCPCommand { self.neighbour == nil ? .write : .linkWrite }

    override func begin() {
        if self.pieces.count == 0 { self.finish(.success(())) }
    }

    override func startNext(in pipeline: inout SCPPipeline, now: NIODeadline) -> ByteBuffer? {
        guard let piece = self.pieces.next(),
            let data = self.source.getSlice(at: self.source.readerIndex + piece.offset, length: piece.size)
        else { return nil }
        let token = SCPToken(operation: self, index: piece.offset)
        if let neighbour = self.neighbour {
            return pipeline.start(
                WriteLink(address: piece.address, data: data, link: neighbour), to: self.core, policy: self.policy,
                token: token, now: now)
        }
        return pipeline.start(
            WriteMemory(address: piece.address, data: data), to: self.core, policy: self.policy, token: token, now: now)
    }

    override func completed(_ index: Int, _ reply: SCPReply, attempts: Int) {
        if self.finishPiece(self.pieces.piece(at: index).size) { self.finish(.success(())) }
    }
}

extension SCPConnection {
    /// Reads `count` bytes from `address` on, as `core` sees memory: one await, however many requests.
    package func read(
        address: UInt32, count: Int, from core: CoreID, policy: SCPPolicy? = nil, progress: ProgressHandler? = nil
    ) async throws(SCPError) -> ByteBuffer {
        let pieces = try self.pieces(address, count, of: core, command: .read)
        return try await self.run(
            ReadOperation(
                pieces, of: core, neighbour: nil, policy: policy ?? self.configuration.policy, progress: progress))
    }

    /// Writes all of `buffer`'s readable bytes from `address` on.
    package func write(
        _ buffer: ByteBuffer, address: UInt32, to core: CoreID, policy: SCPPolicy? = nil, progress: ProgressHandler? = nil
    ) async throws(SCPError) {
        let pieces = try self.pieces(address, buffer.readableBytes, of: core, command: .write)
        try await self.run(
            WriteOperation(
                pieces, from: buffer, of: core, neighbour: nil, policy: policy ?? self.configuration.policy,
                progress: progress))
    }

    /// Reads the memory of the chip behind `link` of `core`'s chip. Whole words only.
    package func readLink(
        _ link: Link, address: UInt32, count: Int, from core: CoreID, policy: SCPPolicy? = nil
    ) async throws(SCPError) -> ByteBuffer {
        let pieces = try self.wholeWords(address, count, of: core, command: .linkRead)
        return try await self.run(
            ReadOperation(pieces, of: core, neighbour: link, policy: policy ?? self.configuration.policy, progress: nil))
    }

    /// Writes the memory of the chip behind `link` of `core`'s chip. Whole words only.
    package func writeLink(
        _ link: Link, _ buffer: ByteBuffer, address: UInt32, to core: CoreID, policy: SCPPolicy? = nil
    ) async throws(SCPError) {
        let pieces = try self.wholeWords(address, buffer.readableBytes, of: core, command: .linkWrite)
        try await self.run(
            WriteOperation(
                pieces, from: buffer, of: core, neighbour: link, policy: policy ?? self.configuration.policy, progress: nil))
    }

    /// Fills `count` bytes with a word. Whole words only; one request does it all.
    package func fill(
        address: UInt32, word: UInt32, count: Int, of core: CoreID, policy: SCPPolicy? = nil
    ) async throws(SCPError) {
        let pieces = try self.wholeWords(address, count, of: core, command: .fill)
        guard count > 0 else { return }
        guard let size = UInt32(exactly: pieces.count) else {
            throw self.invalid("the range is too long", core, .fill, address)
        }
        _ = try await self.send(FillMemory(address: address, word: word, size: size), to: core, policy: policy)
    }

    private func pieces(
        _ address: UInt32, _ count: Int, of core: CoreID, command: SCPCommand
    ) throws(SCPError) -> MemoryPieces {
        guard let pieces = MemoryPieces(address: address, count: count) else {
            throw self.invalid("\(count) bytes do not fit behind the address", core, command, address)
        }
        return pieces
    }

    private func wholeWords(
        _ address: UInt32, _ count: Int, of core: CoreID, command: SCPCommand
    ) throws(SCPError) -> MemoryPieces {
        guard address % 4 == 0, count % 4 == 0 else {
            throw self.invalid("address and length (\(count)) must be whole words", core, command, address)
        }
        return try self.pieces(address, count, of: core, command: command)
    }

    private func invalid(_ reason: String, _ core: CoreID, _ command: SCPCommand, _ address: UInt32) -> SCPError {
        SCPError(.invalidRequest(reason), link: self.link.linkDescription, core: core, command: command, address: address)
    }
}
