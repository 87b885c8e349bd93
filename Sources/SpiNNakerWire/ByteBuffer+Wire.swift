//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Readers and writers that throw ``WireError`` instead of returning nil. Little-endian unless a name says otherwise:
/// all of SDP, SCP, EIEIO and the proxy is; only the boot datagrams are big-endian.
extension ByteBuffer {
    @inlinable
    package mutating func take<T: FixedWidthInteger>(
        _: T.Type = T.self, endianness: Endianness = .little, of message: @autoclosure () -> String
    ) throws(WireError) -> T {
        guard let value = self.readInteger(endianness: endianness, as: T.self) else {
            throw .truncated(message: message(), needed: MemoryLayout<T>.size, available: self.readableBytes)
        }
        return value
    }

    /// A slice that shares this buffer's storage: nothing is copied.
    @inlinable
    package mutating func takeSlice(_ length: Int, of message: @autoclosure () -> String) throws(WireError) -> ByteBuffer {
        guard length >= 0, let slice = self.readSlice(length: length) else {
            throw .truncated(message: message(), needed: length, available: self.readableBytes)
        }
        return slice
    }

    @inlinable
    package mutating func skip(_ length: Int, of message: @autoclosure () -> String) throws(WireError) {
        guard length >= 0, self.readableBytes >= length else {
            throw .truncated(message: message(), needed: length, available: self.readableBytes)
        }
        self.moveReaderIndex(forwardBy: length)
    }

    @inlinable
    package func require(_ length: Int, of message: @autoclosure () -> String) throws(WireError) {
        guard self.readableBytes >= length else {
            throw .truncated(message: message(), needed: length, available: self.readableBytes)
        }
    }

    @inlinable
    package mutating func put<T: FixedWidthInteger>(_ value: T) {
        self.writeInteger(value, endianness: .little)
    }
}

extension ByteBuffer {
    @inlinable
    package func requireEnd(of message: @autoclosure () -> String) throws(WireError) {
        guard self.readableBytes == 0 else { throw .trailing(message: message(), extra: self.readableBytes) }
    }
}

/// Arrays of fixed length. A writer pads with zeros or cuts: the layout holds whatever a caller put into the array.
extension ByteBuffer {
    package mutating func takeArray<T: FixedWidthInteger>(
        _ count: Int, of message: @autoclosure () -> String
    ) throws(WireError) -> [T] {
        let size = count * MemoryLayout<T>.size
        guard count >= 0, self.readableBytes >= size else {
            throw .truncated(message: message(), needed: size, available: self.readableBytes)
        }
        var items: [T] = []
        items.reserveCapacity(count)
        while items.count < count, let item: T = self.readInteger(endianness: .little) { items.append(item) }
        return items
    }

    package mutating func takeWords(_ count: Int, of message: @autoclosure () -> String) throws(WireError) -> [UInt32] {
        try self.takeArray(count, of: message())
    }

    package mutating func putArray<T: FixedWidthInteger>(_ items: [T], count: Int) {
        for index in 0..<count {
            self.put(index < items.count ? items[index] : 0)
        }
    }

    package mutating func putWords(_ words: [UInt32], count: Int) { self.putArray(words, count: count) }

    package mutating func putBytes(_ bytes: [UInt8], count: Int) {
        let kept = bytes.prefix(count)
        self.writeBytes(kept)
        self.writeRepeatingByte(0, count: count - kept.count)
    }

    /// Six bytes, the first most significant, as everyone prints a MAC.
    package mutating func takeMAC(of message: @autoclosure () -> String) throws(WireError) -> UInt64 {
        let high: UInt16 = try self.take(endianness: .big, of: message())
        let low: UInt32 = try self.take(endianness: .big, of: message())
        return UInt64(high) << 32 | UInt64(low)
    }

    package mutating func putMAC(_ mac: UInt64) {
        self.writeInteger(UInt16(truncatingIfNeeded: mac >> 32), endianness: .big)
        self.writeInteger(UInt32(truncatingIfNeeded: mac), endianness: .big)
    }
}
