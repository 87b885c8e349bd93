//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension CoreHandle {
    /// Reads memory as this core sees it. (SDRAM and system RAM are the chip's, ITCM and DTCM the core's own.)
    ///
    /// Any length and alignment; it is one wait, however many requests that takes.
    ///
    /// - Parameters:
    ///   - address: a byte address. Registers must be read as words: a multiple of 4, and a length of 4.
    ///   - count: in bytes.
    ///   - route: nil: the configuration's.
    ///   - progress: told now and then how many bytes are read; on the connection's event loop, so be quick. See
    ///     ``TransferProgress`` too.
    public func read(
        at address: UInt32, count: Int, via route: MemoryRoute? = nil, progress: (@Sendable (_ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) -> ByteBuffer {
        if let service = try self.transceiver.memoryService(for: count, of: self.core, via: route) {
            return try await service.readAll(at: address, count: count, of: self.core, progress)
        }
        let connection = self.transceiver.connection(to: self.core.chip)
        return try await self.transceiver.wrapping { () async throws(SCPError) in
            try await connection.read(address: address, count: count, from: self.core, progress: progress)
        }
    }

    /// Writes memory as this core sees it: all readable bytes of `bytes`, from `address` on.
    public func write(
        _ bytes: ByteBuffer, at address: UInt32, via route: MemoryRoute? = nil,
        progress: (@Sendable (_ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) {
        if let service = try self.transceiver.memoryService(for: bytes.readableBytes, of: self.core, via: route) {
            return try await service.writeAll(bytes, at: address, to: self.core, progress)
        }
        let connection = self.transceiver.connection(to: self.core.chip)
        try await self.transceiver.wrapping { () async throws(SCPError) in
            try await connection.write(bytes, address: address, to: self.core, progress: progress)
        }
    }
}

extension ChipHandle {
    /// Reads the chip's memory: SDRAM, system RAM, registers. See ``CoreHandle/read(at:count:via:progress:)``.
    public func read(
        at address: UInt32, count: Int, via route: MemoryRoute? = nil, progress: (@Sendable (_ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) -> ByteBuffer {
        try await self.monitor.read(at: address, count: count, via: route, progress: progress)
    }

    /// Writes the chip's memory.
    public func write(
        _ bytes: ByteBuffer, at address: UInt32, via route: MemoryRoute? = nil,
        progress: (@Sendable (_ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) {
        try await self.monitor.write(bytes, at: address, via: route, progress: progress)
    }

    /// Writes memory piece by piece as `pieces` come, holding no more than one of them. Returns how many bytes that was,
    /// and their sum as 32-bit words modulo 2³².
    public func write<Pieces: AsyncSequence & Sendable>(
        _ pieces: Pieces, at address: UInt32
    ) async throws -> (count: Int, sum: UInt32) where Pieces.Element == ByteBuffer {
        var sum = WordSum()
        var next = address
        for try await piece in pieces {
            try await self.write(piece, at: next)
            sum.add(piece)
            next &+= UInt32(truncatingIfNeeded: piece.readableBytes)
        }
        return (sum.count, sum.value)
    }

    /// Reads memory in pieces of `pieceSize`, for a range too long to hold. Each is read when it is asked for.
    public func pieces(at address: UInt32, count: Int, pieceSize: Int = 256 * 1024) -> MemoryStream {
        MemoryStream(chip: self, address: address, count: count, pieceSize: max(256, pieceSize))
    }

    /// A little-endian word.
    public func readWord(at address: UInt32) async throws(TransceiverError) -> UInt32 {
        try await self.transceiver.readWord(address, of: .monitor(of: self.chip))
    }

    public func writeWord(_ word: UInt32, at address: UInt32) async throws(TransceiverError) {
        try await self.write(ByteBuffer(integer: word, endianness: .little), at: address)
    }

    /// Fills memory with a word. Both `address` and `count` (bytes) must be multiples of 4.
    public func fill(at address: UInt32, with word: UInt32, count: Int) async throws(TransceiverError) {
        let connection = self.transceiver.connection(to: self.chip)
        try await self.transceiver.wrapping { () async throws(SCPError) in
            try await connection.fill(address: address, word: word, count: count, of: .monitor(of: self.chip))
        }
    }

    /// Reads memory of the neighbour behind a link, which need not be fit to answer itself. Whole words only.
    public func readNeighbour(
        over link: Link, at address: UInt32, count: Int
    ) async throws(TransceiverError) -> ByteBuffer {
        let connection = self.transceiver.connection(to: self.chip)
        return try await self.transceiver.wrapping { () async throws(SCPError) in
            try await connection.readLink(link, address: address, count: count, from: .monitor(of: self.chip))
        }
    }

    /// Writes memory of the neighbour behind a link. Whole words only.
    public func writeNeighbour(
        over link: Link, _ bytes: ByteBuffer, at address: UInt32
    ) async throws(TransceiverError) {
        let connection = self.transceiver.connection(to: self.chip)
        try await self.transceiver.wrapping { () async throws(SCPError) in
            try await connection.writeLink(link, bytes, address: address, to: .monitor(of: self.chip))
        }
    }
}

/// Memory as a sequence of pieces: see ``ChipHandle/pieces(at:count:pieceSize:)``.
public struct MemoryStream: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    let chip: ChipHandle
    let address: UInt32
    let count: Int
    let pieceSize: Int

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: MemoryStream
        var offset = 0

        public mutating func next() async throws -> ByteBuffer? {
            guard self.offset < self.stream.count else { return nil }
            let size = Swift.min(self.stream.pieceSize, self.stream.count - self.offset)
            let piece = try await self.stream.chip.read(
                at: self.stream.address &+ UInt32(truncatingIfNeeded: self.offset), count: size)
            self.offset += size
            return piece
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}

private func partProgress(
    _ progress: (@Sendable (_ part: Int, _ done: Int) -> Void)?, _ part: Int
) -> (@Sendable (Int) -> Void)? {
    guard let progress else { return nil }
    return { progress(part, $0) }
}

extension Transceiver {
    /// One range of memory, for ``write(_:)`` and ``read(_:)``.
    public struct MemoryRange: Hashable, Sendable {
        public var chip: ChipID
        public var address: UInt32
        /// In bytes.
        public var count: Int
        public init(chip: ChipID, address: UInt32, count: Int) {
            self.chip = chip
            self.address = address
            self.count = count
        }
    }

    /// Writes to many chips at once; boards work side by side. Ends with the first failure.
    public func write(
        _ parts: [(chip: ChipID, address: UInt32, bytes: ByteBuffer)],
        progress: (@Sendable (_ part: Int, _ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) {
        _ = try await self.concurrently(parts.count) { (index: Int) async throws(TransceiverError) -> Void in
            let part = parts[index]
            try await self[part.chip].write(part.bytes, at: part.address, progress: partProgress(progress, index))
        }
    }

    /// Reads from many chips at once, in the order of `ranges`.
    public func read(
        _ ranges: [MemoryRange], progress: (@Sendable (_ part: Int, _ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) -> [ByteBuffer] {
        try await self.concurrently(ranges.count) { (index: Int) async throws(TransceiverError) -> ByteBuffer in
            let range = ranges[index]
            return try await self[range.chip].read(
                at: range.address, count: range.count, progress: partProgress(progress, index))
        }
    }

    /// Runs `body` for 0..<count, a bounded number at a time; the results in order. The first failure cancels the rest.
    func concurrently<Value: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) async throws(TransceiverError) -> Value
    ) async throws(TransceiverError) -> [Value] {
        // Enough to keep every board's window full while one operation ends and the next begins.
        let limit = 4 * max(1, self.withState { $0.boards.count })
        var results = [Value?](repeating: nil, count: count)
        var failure: TransceiverError?
        await withTaskGroup(of: Finished<Value>.self) { tasks in
            var next = 0
            func add() {
                guard next < count else { return }
                let index = next
                next += 1
                tasks.addTask { await Finished(index, body) }
            }
            for _ in 0..<limit { add() }
            for await finished in tasks {
                switch finished.result {
                case .success(let value):
                    results[finished.index] = value
                    if failure == nil { add() }
                case .failure(let error):
                    // Those that are cancelled for it fail too, later.
                    if failure == nil {
                        failure = error
                        tasks.cancelAll()
                    }
                }
            }
        }
        if let failure { throw failure }
        return results.compactMap { $0 }
    }

    /// Reads with a check that as much came as was asked for.
    func readBytes(_ address: UInt32, _ count: Int, of core: CoreID) async throws(TransceiverError) -> ByteBuffer {
        let connection = self.connection(to: core.chip)
        return try await self.wrapping { () async throws(SCPError) in
            try await connection.read(address: address, count: count, from: core)
        }
    }

    func readWord(_ address: UInt32, of core: CoreID) async throws(TransceiverError) -> UInt32 {
        let bytes = try await self.readBytes(address, 4, of: core)
        return bytes.getInteger(at: bytes.readerIndex, endianness: .little) ?? 0
    }

    /// One system variable of a chip.
    func read<Value>(_ field: SV.Field<Value>, of chip: ChipID) async throws(TransceiverError) -> Value {
        let bytes = try await self.readBytes(field.address, field.size, of: .monitor(of: chip))
        return bytes.getInteger(at: bytes.readerIndex, endianness: .little) ?? 0
    }
}

/// One of many operations that run side by side, done. A struct for the reason given at `BoardAnswers`.
private struct Finished<Value: Sendable>: Sendable {
    let index: Int
    let result: Result<Value, TransceiverError>

    init(_ index: Int, _ body: @Sendable (Int) async throws(TransceiverError) -> Value) async {
        self.index = index
        do {
            self.result = .success(try await body(index))
        } catch {
            self.result = .failure(error)
        }
    }
}
