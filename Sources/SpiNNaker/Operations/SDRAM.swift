//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A block of a heap, as ``ChipHandle/heap(_:)`` finds it.
public struct HeapEntry: Hashable, Sendable {
    /// Of the header; the block's bytes begin 8 behind it.
    public var address: UInt32
    /// Bytes that can be used.
    public var size: UInt32
    /// Who has it; nil: it is free.
    public var application: UInt8?
    public var tag: UInt8?
    public var isFree: Bool { self.application == nil }
}

/// The heaps of a chip.
public enum ChipHeap: Hashable, Sendable {
    case sdram
    case systemRAM
    /// SC&MP's own part of the SDRAM.
    case system

    var root: SV.Field<UInt32> {
        switch self {
        case .sdram: SV.sdramHeap
        case .systemRAM: SV.systemRAMHeap
        case .system: SV.systemHeap
        }
    }
}

extension ChipHandle {
    /// Allocates SDRAM for an application.
    ///
    /// - Parameters:
    ///   - tag: not 0: the block can be found by it, and an allocation whose reply is lost finds its own block again, if
    ///     `size` is a multiple of 4. A lost reply of an allocation without a tag leaves a block behind.
    /// - Returns: the address of the block's first byte.
    /// - Throws: ``TransceiverError/Code/outOfSDRAM``.
    public func allocateSDRAM(
        _ size: UInt32, application: UInt8, tag: UInt8? = nil
    ) async throws(TransceiverError) -> UInt32 {
        let request = AllocateSDRAM(size: size, application: application, tag: tag)
        let address = try await self.transceiver.send(request, to: .monitor(of: self.chip)).word
        guard address != 0 else { throw self.outOfSDRAM(size, application, tag) }
        return address
    }

    fileprivate func outOfSDRAM(_ size: UInt32, _ application: UInt8, _ tag: UInt8?) -> TransceiverError {
        let tagged = tag.map { " with tag \($0)" } ?? ""
        return TransceiverError(
            .outOfSDRAM, "chip \(self.chip) has no block of \(size) bytes for application \(application)\(tagged)",
            chip: self.chip)
    }

    /// Gives a block back, by the address that ``allocateSDRAM(_:application:tag:)`` returned.
    public func freeSDRAM(at address: UInt32) async throws(TransceiverError) {
        _ = try await self.transceiver.send(FreeSDRAM(address: address), to: .monitor(of: self.chip))
    }

    /// Gives back all blocks of an application; returns how many there were.
    @discardableResult
    public func freeSDRAM(of application: UInt8) async throws(TransceiverError) -> Int {
        Int(try await self.transceiver.send(FreeSDRAMOfApplication(application: application), to: .monitor(of: self.chip)).word)
    }

    /// How much SDRAM is free, and how much of it in one block.
    public func sdramSpace() async throws(TransceiverError) -> SDRAMSpace {
        try await self.transceiver.send(GetSDRAMSpace(), to: .monitor(of: self.chip))
    }

    /// The block that an application has under a tag; nil: there is none.
    public func taggedSDRAM(application: UInt8, tag: UInt8) async throws(TransceiverError) -> UInt32? {
        let address = try await self.transceiver.send(
            GetTaggedSDRAM(application: application, tag: tag), to: .monitor(of: self.chip)
        ).word
        return address == 0 ? nil : address
    }

    /// Walks a heap from its first block to its last.
    ///
    /// The machine does not stand still for it; a chain that runs backwards ends the walk with an error.
    public func heap(_ heap: ChipHeap = .sdram) async throws(TransceiverError) -> [HeapEntry] {
        let monitor = CoreID.monitor(of: self.chip)
        let root: UInt32 = try await self.transceiver.read(heap.root, of: self.chip)
        // The second word of the root is the first block.
        let words = try await self.transceiver.readBytes(root, 8, of: monitor)
        var address: UInt32 = words.getInteger(at: words.readerIndex + 4, endianness: .little) ?? 0
        var entries: [HeapEntry] = []
        while address != 0 {
            var bytes = try await self.transceiver.readBytes(address, HeapBlock.size, of: monitor)
            let block: HeapBlock
            do throws(WireError) {
                block = try HeapBlock(from: &bytes)
            } catch {
                throw TransceiverError(error, chip: self.chip)
            }
            if block.isLast { break }
            guard block.next > address else {
                throw TransceiverError(
                    .unusableMachine, "the heap of chip \(self.chip) runs backwards at 0x\(String(address, radix: 16))",
                    chip: self.chip)
            }
            entries.append(
                HeapEntry(
                    address: address, size: block.payloadSize(at: address), application: block.application, tag: block.tag))
            address = block.next
        }
        return entries
    }
}

extension Transceiver {
    /// One allocation, for ``allocateSDRAM(_:)``.
    public struct SDRAMRequest: Hashable, Sendable {
        public var chip: ChipID
        public var size: UInt32
        public var application: UInt8
        public var tag: UInt8?
        public init(chip: ChipID, size: UInt32, application: UInt8, tag: UInt8? = nil) {
            self.chip = chip
            self.size = size
            self.application = application
            self.tag = tag
        }
    }

    /// Allocates on many chips at once; the addresses in the order of the requests. When one of them fails, those that
    /// were made are still there: ``ChipHandle/freeSDRAM(of:)`` gives an application's back.
    public func allocateSDRAM(_ requests: [SDRAMRequest]) async throws(TransceiverError) -> [UInt32] {
        let replies = try await self.sendAll(
            requests.map {
                (
                    AllocateSDRAM(size: $0.size, application: $0.application, tag: $0.tag),
                    CoreID.monitor(of: $0.chip)
                )
            })
        for (reply, request) in zip(replies, requests) where reply.word == 0 {
            throw self[request.chip].outOfSDRAM(request.size, request.application, request.tag)
        }
        return replies.map(\.word)
    }
}
