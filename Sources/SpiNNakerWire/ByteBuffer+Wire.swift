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
