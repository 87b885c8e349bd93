//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire
import Testing
import WireFuzz

extension Seeded {
    mutating func value<T: FixedWidthInteger>(_: T.Type = T.self) -> T { T(truncatingIfNeeded: self.next()) }
    mutating func below(_ limit: Int) -> Int { Int(self.next() % UInt64(limit)) }
    mutating func flag() -> Bool { self.next() & 1 == 1 }
}

/// Writes a message, reads it, and writes it again: the value and the bytes must both come back.
func checkCodec<Message: Equatable>(
    of message: Message, decode: (ByteBuffer) throws -> Message, encode: (Message, inout ByteBuffer) throws -> Void
) throws {
    var buffer = ByteBuffer()
    try encode(message, &buffer)
    let again = try decode(buffer)
    #expect(again == message)
    var bytes = ByteBuffer()
    try encode(again, &bytes)
    #expect(bytes == buffer)
}

/// Cuts a message at every length, and gives every byte every one of eight other values: a decoder may throw a
/// ``WireError``, or find another message; anything else fails (and a trap ends the run).
func abuse<Message>(
    _ buffer: ByteBuffer, decode: (ByteBuffer) throws -> Message
) -> (refusedLengths: [Int], refusedBytes: Int) {
    var refusedLengths: [Int] = []
    var refusedBytes = 0
    func survives(_ bytes: ByteBuffer) -> Bool {
        do {
            _ = try decode(bytes)
            return true
        } catch is WireError {
            return false
        } catch {
            Issue.record("\(error) is no WireError")
            return false
        }
    }
    for length in 0..<buffer.readableBytes {
        guard let cut = buffer.getSlice(at: buffer.readerIndex, length: length) else { continue }
        if !survives(cut) { refusedLengths.append(length) }
    }
    for index in buffer.readerIndex..<buffer.writerIndex {
        for flip in [UInt8(0x01), 0x02, 0x08, 0x10, 0x40, 0x80, 0xC0, 0xFF] {
            var bytes = buffer
            guard let old = bytes.getInteger(at: index, as: UInt8.self) else { continue }
            bytes.setInteger(old ^ flip, at: index)
            if !survives(bytes) { refusedBytes += 1 }
        }
    }
    return (refusedLengths, refusedBytes)
}

/// Runs every vector of these families, and expects to find that many of them.
func check(_ families: VectorFamilies, except exceptions: [VectorException] = [], count: Int) throws {
    var checked = 0
    var used: Set<String> = []
    for vector in try GoldenVector.loadAll() {
        guard let family = families["\(vector.kind)/\(vector.class)"] ?? families[vector.kind] else { continue }
        do {
            let outcome = try family(vector)
            #expect(outcome.compared > 0, "\(vector.id): nothing compared")
            for difference in outcome.differences {
                if let exception = exceptions.first(where: { $0.covers(vector, difference) }) {
                    used.insert(exception.prefix)
                } else {
                    Issue.record("\(vector.id): \(difference)")
                }
            }
        } catch {
            Issue.record("\(vector.id): \(error)")
        }
        checked += 1
    }
    #expect(checked == count)
    #expect(used == Set(exceptions.map(\.prefix)), "an exception excuses nothing")
}
