//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Memory whose pages exist once they are written: 128 MiB that nobody has touched cost a few hundred bytes.
///
/// A page that does not exist reads as zeroes, or as what ``InitialPages`` says it holds. Offsets are reduced modulo the
/// size, as address decoders do; nothing here can be led out of bounds.
package final class SparseMemory {
    package static let pageSize = 4096
    @usableFromInline static let pageShift = 12
    /// Pages per directory: 64 pages are 256 KiB.
    @usableFromInline static let directoryShift = 6

    @usableFromInline typealias Page = UnsafeMutableRawPointer
    @usableFromInline typealias Directory = UnsafeMutablePointer<Page?>

    package let size: Int
    @usableFromInline let mask: Int
    @usableFromInline let directories: UnsafeMutablePointer<Directory?>
    private let directoryCount: Int
    /// Pages that exist.
    package private(set) var residentPages = 0
    /// What pages hold before anybody writes to them. It owns this memory, so it outlives it.
    package unowned var initial: (any InitialPages)?

    /// - Parameter size: bytes, rounded up to a power of two of at least one page.
    package init(size: Int) {
        var rounded = SparseMemory.pageSize
        while rounded < size { rounded *= 2 }
        self.size = rounded
        self.mask = rounded - 1
        self.directoryCount = max(1, rounded >> (SparseMemory.pageShift + SparseMemory.directoryShift))
        self.directories = .allocate(capacity: self.directoryCount)
        self.directories.initialize(repeating: nil, count: self.directoryCount)
    }

    deinit {
        self.removeAll()
        self.directories.deallocate()
    }

    /// Back to what it was when it was made.
    package func removeAll() {
        for index in 0..<self.directoryCount {
            guard let directory = self.directories[index] else { continue }
            for page in 0..<(1 << SparseMemory.directoryShift) { directory[page]?.deallocate() }
            directory.deallocate()
            self.directories[index] = nil
        }
        self.residentPages = 0
    }

    @inlinable
    func existingPage(_ offset: Int) -> Page? {
        let page = offset >> SparseMemory.pageShift
        guard let directory = self.directories[page >> SparseMemory.directoryShift] else { return nil }
        return directory[page & (1 << SparseMemory.directoryShift - 1)]
    }

    /// The page for reading: nil when it is all zeroes.
    @inlinable
    func pageForReading(_ offset: Int) -> Page? {
        if let page = self.existingPage(offset) { return page }
        guard let initial = self.initial, initial.hasContent(page: offset >> SparseMemory.pageShift) else { return nil }
        return self.makePage(offset)
    }

    @inlinable
    func pageForWriting(_ offset: Int) -> Page {
        self.existingPage(offset) ?? self.makePage(offset)
    }

    @usableFromInline
    func makePage(_ offset: Int) -> Page {
        let page = offset >> SparseMemory.pageShift
        let directory: Directory
        if let existing = self.directories[page >> SparseMemory.directoryShift] {
            directory = existing
        } else {
            directory = .allocate(capacity: 1 << SparseMemory.directoryShift)
            directory.initialize(repeating: nil, count: 1 << SparseMemory.directoryShift)
            self.directories[page >> SparseMemory.directoryShift] = directory
        }
        let memory = Page.allocate(byteCount: SparseMemory.pageSize, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: SparseMemory.pageSize)
        directory[page & (1 << SparseMemory.directoryShift - 1)] = memory
        self.residentPages += 1
        if let initial = self.initial, initial.hasContent(page: page) {
            initial.fill(page: page, UnsafeMutableRawBufferPointer(start: memory, count: SparseMemory.pageSize))
        }
        return memory
    }

    /// Whether a page has been touched: until then its content is known without looking.
    package func isTouched(_ offset: Int) -> Bool { self.existingPage(offset & self.mask) != nil }

    // MARK: Bytes

    @inlinable
    package func read(_ offset: Int, count: Int, into buffer: inout ByteBuffer) {
        var offset = offset & self.mask
        var left = count
        while left > 0 {
            let within = offset & (SparseMemory.pageSize - 1)
            let step = min(left, SparseMemory.pageSize - within)
            if let page = self.pageForReading(offset) {
                buffer.writeBytes(UnsafeRawBufferPointer(start: page + within, count: step))
            } else {
                buffer.writeRepeatingByte(0, count: step)
            }
            offset = (offset + step) & self.mask
            left -= step
        }
    }

    @inlinable
    package func write(_ offset: Int, _ bytes: UnsafeRawBufferPointer) {
        var offset = offset & self.mask
        var done = 0
        while done < bytes.count {
            let within = offset & (SparseMemory.pageSize - 1)
            let step = min(bytes.count - done, SparseMemory.pageSize - within)
            UnsafeMutableRawBufferPointer(start: self.pageForWriting(offset) + within, count: step)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<(done + step)]))
            offset = (offset + step) & self.mask
            done += step
        }
    }

    /// `count` bytes of a repeated little-endian word; whole words only. A page that would only become zeroes is not made.
    package func fill(_ offset: Int, word: UInt32, count: Int) {
        var offset = offset & self.mask & ~3
        var left = count & ~3
        while left > 0 {
            let within = offset & (SparseMemory.pageSize - 1)
            let step = min(left, SparseMemory.pageSize - within)
            if word != 0 || self.pageForReading(offset) != nil {
                let words = (self.pageForWriting(offset) + within).assumingMemoryBound(to: UInt32.self)
                words.update(repeating: word.littleEndian, count: step / 4)
            }
            offset = (offset + step) & self.mask
            left -= step
        }
    }

    // MARK: Words. Addresses are rounded down to their size, as on a bus.

    @inlinable
    package func read32(_ offset: Int) -> UInt32 {
        let offset = offset & self.mask & ~3
        guard let page = self.pageForReading(offset) else { return 0 }
        return UInt32(littleEndian: page.load(fromByteOffset: offset & (SparseMemory.pageSize - 1), as: UInt32.self))
    }

    @inlinable
    package func write32(_ offset: Int, _ value: UInt32) {
        let offset = offset & self.mask & ~3
        self.pageForWriting(offset).storeBytes(
            of: value.littleEndian, toByteOffset: offset & (SparseMemory.pageSize - 1), as: UInt32.self)
    }

    @inlinable
    package func read16(_ offset: Int) -> UInt16 {
        let offset = offset & self.mask & ~1
        guard let page = self.pageForReading(offset) else { return 0 }
        return UInt16(littleEndian: page.load(fromByteOffset: offset & (SparseMemory.pageSize - 1), as: UInt16.self))
    }

    @inlinable
    package func write16(_ offset: Int, _ value: UInt16) {
        let offset = offset & self.mask & ~1
        self.pageForWriting(offset).storeBytes(
            of: value.littleEndian, toByteOffset: offset & (SparseMemory.pageSize - 1), as: UInt16.self)
    }

    @inlinable
    package func read8(_ offset: Int) -> UInt8 {
        let offset = offset & self.mask
        guard let page = self.pageForReading(offset) else { return 0 }
        return page.load(fromByteOffset: offset & (SparseMemory.pageSize - 1), as: UInt8.self)
    }

    @inlinable
    package func write8(_ offset: Int, _ value: UInt8) {
        let offset = offset & self.mask
        self.pageForWriting(offset).storeBytes(of: value, toByteOffset: offset & (SparseMemory.pageSize - 1), as: UInt8.self)
    }
}

/// What some memory holds when power comes, or when SC&MP has started: computed page by page when first touched, so that
/// a chip nobody looks into costs nothing.
package protocol InitialPages: AnyObject {
    /// Whether the page holds anything but zeroes.
    func hasContent(page: Int) -> Bool
    /// `bytes` are zero.
    func fill(page: Int, _ bytes: UnsafeMutableRawBufferPointer)
}
