//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerMachine

extension ChipHandle {
    /// Writes a file's contents to memory, a megabyte of it in ours at a time.
    ///
    /// - Returns: how many bytes that was, and their sum as little-endian 32-bit words modulo 2³², the last one filled up with
    ///   zeros.
    /// - Throws: ``TransceiverError/Code/fileFailed``, which names the path; what was written by then stays.
    @discardableResult
    public func write(
        contentsOfFile path: String, at address: UInt32, progress: (@Sendable (_ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) -> (count: Int, sum: UInt32) {
        let file = try await PieceFile.open(path)
        do throws(TransceiverError) {
            guard UInt64(address) + UInt64(clamping: file.size) <= 1 << 32 else {
                throw TransceiverError(
                    .invalidArgument, "\(path) (\(file.size) bytes) does not fit behind 0x\(String(address, radix: 16))",
                    chip: self.chip)
            }
            var sum = WordSum()
            var next = address
            while true {
                let piece = try await file.read()
                guard piece.readableBytes > 0 else { break }
                try await self.write(piece, at: next, progress: behind(sum.count, progress))
                sum.add(piece)
                next &+= UInt32(truncatingIfNeeded: piece.readableBytes)
            }
            await file.close()
            return (sum.count, sum.value)
        } catch {
            await file.close()
            throw error
        }
    }

    /// Reads memory into a file, a megabyte of it in ours at a time. A file that is there is replaced when all is read.
    public func read(
        at address: UInt32, count: Int, intoFile path: String, progress: (@Sendable (_ done: Int) -> Void)? = nil
    ) async throws(TransceiverError) {
        guard var pieces = MemoryPieces(address: address, count: count, pieceSize: PieceFile.pieceSize) else {
            throw TransceiverError(
                .invalidArgument, "\(count) bytes do not fit behind 0x\(String(address, radix: 16))", chip: self.chip)
        }
        let draft = path + ".part"
        let file = try await PieceFile.create(draft)
        do throws(TransceiverError) {
            while let piece = pieces.next() {
                let bytes = try await self.read(
                    at: piece.address, count: piece.size, progress: behind(piece.offset, progress))
                try await file.write(bytes)
            }
            await file.close()
            try await PieceFile.replace(path, by: draft)
        } catch {
            await file.close()
            await PieceFile.remove(draft)
            throw error
        }
    }
}

/// Progress of a part that begins at `offset`, as progress of the whole.
private func behind(_ offset: Int, _ progress: (@Sendable (Int) -> Void)?) -> (@Sendable (Int) -> Void)? {
    guard let progress else { return nil }
    return { progress(offset + $0) }
}

/// A file, by the piece, on threads that may block.
private struct PieceFile: Sendable {
    static let pieceSize = 1 << 20

    let path: String
    let size: Int
    private let handle: FileHandle

    static func open(_ path: String) async throws(TransceiverError) -> PieceFile {
        try await PieceFile.blocking(path) {
            let handle = try FileHandle(forReadingFrom: URL(filePath: path))
            let size = try handle.seekToEnd()
            try handle.seek(toOffset: 0)
            return PieceFile(path: path, size: Int(clamping: size), handle: handle)
        }
    }

    static func create(_ path: String) async throws(TransceiverError) -> PieceFile {
        try await PieceFile.blocking(path) {
            guard FileManager.default.createFile(atPath: path, contents: nil) else {
                throw CocoaError(.fileWriteUnknown)
            }
            return PieceFile(path: path, size: 0, handle: try FileHandle(forWritingTo: URL(filePath: path)))
        }
    }

    static func replace(_ path: String, by draft: String) async throws(TransceiverError) {
        try await PieceFile.blocking(path) {
            guard rename(draft, path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        }
    }

    static func remove(_ path: String) async {
        // It is a draft; whether it is there does not matter.
        try? await PieceFile.blocking(path) { try FileManager.default.removeItem(atPath: path) }
    }

    /// At most ``pieceSize`` bytes; none at the end.
    func read() async throws(TransceiverError) -> ByteBuffer {
        let handle = self.handle
        return try await PieceFile.blocking(self.path) {
            ByteBuffer(bytes: try handle.read(upToCount: PieceFile.pieceSize) ?? Data())
        }
    }

    func write(_ bytes: ByteBuffer) async throws(TransceiverError) {
        let handle = self.handle
        try await PieceFile.blocking(self.path) { try handle.write(contentsOf: Data(bytes.readableBytesView)) }
    }

    func close() async {
        let handle = self.handle
        try? await PieceFile.blocking(self.path) { try handle.close() }
    }

    private static func blocking<Value: Sendable>(
        _ path: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws(TransceiverError) -> Value {
        do {
            return try await NIOThreadPool.singleton.runIfActive(body)
        } catch {
            throw TransceiverError(.fileFailed, "\(path): \(error)", underlying: error)
        }
    }
}
