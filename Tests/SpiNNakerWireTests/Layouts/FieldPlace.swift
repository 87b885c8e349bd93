//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// A field of a layout, and how to fill it with ones.
struct FieldPlace<Message> {
    let name: String
    let bytes: Range<Int>
    let fill: (inout Message) -> Void

    init(_ name: String, _ bytes: Range<Int>, _ fill: @escaping (inout Message) -> Void) {
        self.name = name
        self.bytes = bytes
        self.fill = fill
    }

    /// A number, of its own width.
    init<Value: FixedWidthInteger & UnsignedInteger>(_ name: String, _ offset: Int, _ path: WritableKeyPath<Message, Value>) {
        self.init(name, offset..<(offset + MemoryLayout<Value>.size)) { $0[keyPath: path] = .max }
    }

    /// A number with names.
    init<Value: RawRepresentable>(_ name: String, _ offset: Int, _ path: WritableKeyPath<Message, Value>)
    where Value.RawValue: FixedWidthInteger & UnsignedInteger {
        self.init(name, offset..<(offset + MemoryLayout<Value.RawValue>.size)) {
            if let value = Value(rawValue: .max) { $0[keyPath: path] = value }
        }
    }

    /// Words, halves or bytes behind one another.
    static func items<Value: FixedWidthInteger>(
        _ name: String, _ offset: Int, count: Int, _ path: WritableKeyPath<Message, [Value]>, filler: Value = ~0
    ) -> [FieldPlace] {
        (0..<count).map { index in
            let start = offset + index * MemoryLayout<Value>.size
            return FieldPlace("\(name) \(index)", start..<(start + MemoryLayout<Value>.size)) { message in
                while message[keyPath: path].count < count { message[keyPath: path].append(0) }
                message[keyPath: path][index] = filler
            }
        }
    }
}

/// In a message of zeros each field, filled with ones, must show as ones in its bytes and nowhere else; reading must give
/// that message again; and the fields and the padding must be the whole message.
///
/// This is what a round trip does not see: two fields changed over, one too narrow, or one over another.
func checkPlaces<Message: Equatable>(
    of zero: Message, size: Int, padding: [Range<Int>] = [], _ places: [FieldPlace<Message>],
    write: (Message, inout ByteBuffer) throws -> Void, read: (ByteBuffer) throws -> Message,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    func image(_ message: Message) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try write(message, &buffer)
        return Array(buffer.readableBytesView)
    }
    let blank = try image(zero)
    #expect(blank.count == size, sourceLocation: sourceLocation)
    var owners = [Int](repeating: 0, count: size)
    for range in padding { for byte in range { owners[byte] += 1 } }
    for place in places {
        var message = zero
        place.fill(&message)
        let bytes = try image(message)
        var expected = blank
        for byte in place.bytes {
            expected[byte] = 0xFF
            owners[byte] += 1
        }
        #expect(bytes == expected, "\(place.name)", sourceLocation: sourceLocation)
        #expect(try read(ByteBuffer(bytes: bytes)) == message, "\(place.name)", sourceLocation: sourceLocation)
    }
    let odd = owners.indices.filter { owners[$0] != 1 }
    #expect(odd.isEmpty, "of no field, or of two: \(odd)", sourceLocation: sourceLocation)
}
