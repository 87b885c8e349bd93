//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// The text that a core has written so far.
public struct CoreText: Hashable, Sendable {
    public var core: CoreID
    /// As written. Bytes that are no text show as U+FFFD; a line that is not ended yet is not there.
    public var text: String
}

extension Transceiver {
    /// The text that cores have written to their buffers, in the order of the set.
    ///
    /// - Parameter cores: nil: every application core of the machine, which then must have been discovered.
    public func text(of cores: CoreSubsets? = nil) async throws(TransceiverError) -> [CoreText] {
        let wanted: [CoreID]
        if let cores {
            wanted = cores.filter { Int($0.p) < MemoryMap.cores }
        } else {
            wanted = try self.discovered().chips.flatMap { chip in
                (1..<UInt8(truncatingIfNeeded: max(1, chip.workingCores))).map { CoreID(chip: chip.id, p: $0) }
            }
        }
        guard !wanted.isEmpty else { return [] }
        var reader = TextReader(cores: wanted, blockSize: try await self.iobufSize())
        let pointers = try await self.sendAll(
            wanted.map {
                (ReadMemory(address: VCPU.address(of: $0.p) + VCPU.Offset.iobuf, size: 4), CoreID.monitor(of: $0.chip))
            })
        for (index, pointer) in pointers.enumerated() {
            reader.found(
                pointer.bytes.getInteger(at: pointer.bytes.readerIndex, endianness: .little) ?? 0, of: index)
        }
        while let reads = reader.next() {
            let replies = try await self.sendAll(
                reads.map { (ReadMemory(address: $0.address, size: $0.size), CoreID.monitor(of: wanted[$0.core].chip)) })
            for (read, reply) in zip(reads, replies) {
                guard reply.bytes.readableBytes >= read.size else {
                    throw TransceiverError(
                        .unusableMachine, "a text buffer of core \(wanted[read.core]) was not read whole",
                        chip: wanted[read.core].chip)
                }
                reader.received(reply.bytes, for: read)
            }
        }
        return reader.texts
    }

    private func iobufSize() async throws(TransceiverError) -> Int {
        if let size = self.withState({ $0.iobufSize }) { return Int(size) }
        let size: UInt32 = try await self.read(SV.iobufSize, of: .root)
        self.withState { $0.iobufSize = size }
        return Int(size)
    }
}

extension CoreHandle {
    /// The text that the core has written so far.
    public func text() async throws(TransceiverError) -> String {
        try await self.transceiver.text(of: [self.core]).first?.text ?? ""
    }
}

/// Which parts of which buffers are to be read next. No I/O.
///
/// A first read takes a block's header and up to 240 bytes of its text. What it says leads to more of the block, and to
/// the next block; the reads of all cores go out together.
struct TextReader {
    struct Read: Hashable {
        var core: Int
        var block: Int
        var address: UInt32
        var size: Int
        /// Of the text, in the block; nil: the block's header comes first.
        var offset: Int?
    }

    private let cores: [CoreID]
    private let blockSize: Int
    private var heads: [Read] = []
    private var tails: [Read] = []
    /// By core, by block.
    private var blocks: [[[UInt8]]]

    /// A core's blocks are a chain in memory that it writes itself: one that goes round is cut here.
    private static let maximumBlocks = 4096

    init(cores: [CoreID], blockSize: Int) {
        self.cores = cores
        // Nobody has more than the SDRAM.
        self.blockSize = min(max(0, blockSize), MemoryMap.sdramSize)
        self.blocks = Array(repeating: [], count: cores.count)
    }

    /// The address of a core's first block; 0: it has none.
    mutating func found(_ address: UInt32, of core: Int) {
        if address != 0 { self.queue(address, of: core) }
    }

    private mutating func queue(_ address: UInt32, of core: Int) {
        let size = min(self.blockSize + IOBUFBlock.headerSize, SCP.maximumData)
        self.heads.append(Read(core: core, block: self.blocks[core].count, address: address, size: size, offset: nil))
        self.blocks[core].append([])
    }

    /// What to read now; nil: all is read. Tails before heads, the last found first, as SpiNNMan does it.
    mutating func next() -> [Read]? {
        let reads = Array(self.tails.reversed() + self.heads.reversed())
        self.tails = []
        self.heads = []
        return reads.isEmpty ? nil : reads
    }

    mutating func received(_ bytes: ByteBuffer, for read: Read) {
        if let offset = read.offset {
            let text = Array(bytes.readableBytesView.prefix(read.size))
            self.blocks[read.core][read.block].replaceSubrange(offset..<(offset + read.size), with: text)
            return
        }
        let next: UInt32 = bytes.getInteger(at: bytes.readerIndex, endianness: .little) ?? 0
        let valid: UInt32 = bytes.getInteger(at: bytes.readerIndex + 12, endianness: .little) ?? 0
        // A count that can not be is taken for as much as a block holds.
        let count = min(Int(valid), self.blockSize)
        let first = Array(
            bytes.readableBytesView.dropFirst(IOBUFBlock.headerSize).prefix(min(count, read.size - IOBUFBlock.headerSize)))
        self.blocks[read.core][read.block] = first + [UInt8](repeating: 0, count: count - first.count)
        var offset = first.count
        while offset < count {
            let size = min(SCP.maximumData, count - offset)
            self.tails.append(
                Read(
                    core: read.core, block: read.block,
                    address: read.address &+ UInt32(truncatingIfNeeded: IOBUFBlock.headerSize + offset), size: size,
                    offset: offset))
            offset += size
        }
        if next != 0, self.blocks[read.core].count < TextReader.maximumBlocks { self.queue(next, of: read.core) }
    }

    var texts: [CoreText] {
        zip(self.cores, self.blocks).map { core, blocks in
            CoreText(core: core, text: String(decoding: blocks.joined(), as: UTF8.self))
        }
    }
}
