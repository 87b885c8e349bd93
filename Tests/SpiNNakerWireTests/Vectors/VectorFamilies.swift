//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Checks one vector in every direction that it has, and returns where we differ from it.
typealias VectorCheck = @Sendable (GoldenVector) throws -> Outcome

/// Checks by `kind`, or by `kind/class` where classes of one kind belong to different layers (the finer key wins).
typealias VectorFamilies = [String: VectorCheck]

/// What became of one vector: the fields in which we differ. None: we agree.
struct Outcome {
    struct Difference: CustomStringConvertible {
        let field: String
        let ours: String
        let theirs: String
        var description: String { "\(self.field): ours \(self.ours), theirs \(self.theirs)" }
    }

    private(set) var differences: [Difference] = []
    /// How many fields were looked at: a vector of which nothing is compared is not checked.
    private(set) var compared = 0

    init() {}

    /// Ours must be theirs; where they have nothing (the vector lacks the field), that is a difference too.
    mutating func expect<Value: Equatable>(_ field: String, _ ours: Value?, _ theirs: Value?) {
        self.compared += 1
        if ours != theirs {
            self.differences.append(
                Difference(
                    field: field, ours: ours.map { "\($0)" } ?? "nothing", theirs: theirs.map { "\($0)" } ?? "nothing"))
        }
    }

    mutating func expect(_ field: String, bytes ours: ByteBuffer, _ theirs: [UInt8]?) {
        self.expect(field, Outcome.hex(ours.readableBytesView), theirs.map(Outcome.hex))
    }

    /// For integers of any width against the number in the JSON.
    mutating func expect(_ field: String, _ ours: some BinaryInteger, _ theirs: JSON?) {
        self.expect(field, Int(exactly: ours), theirs?.int)
    }

    mutating func expect(_ field: String, _ ours: String, _ theirs: JSON?) {
        self.expect(field, ours, theirs?.string)
    }

    mutating func expect(_ field: String, _ ours: Bool, _ theirs: JSON?) {
        self.expect(field, ours, theirs?.bool)
    }

    mutating func expect(_ field: String, _ ours: [Int], _ theirs: JSON?) {
        self.expect(field, ours, theirs?.array?.compactMap(\.int))
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xF)])
        }
        return text
    }
}

/// A vector that has not the shape its kind promises.
struct VectorShapeError: Error, CustomStringConvertible {
    let description: String
    init(_ vector: GoldenVector, _ missing: String) { self.description = "\(vector.id) has no \(missing)" }
}

extension GoldenVector {
    /// The wire image as a buffer.
    func image() throws -> ByteBuffer {
        guard let bytes = self.bytes else { throw VectorShapeError(self, "hex") }
        return ByteBuffer(bytes: bytes)
    }

    /// A number of the arguments.
    func integer<Value: FixedWidthInteger>(_ key: String, as _: Value.Type = Value.self) throws -> Value {
        guard let value = self.args[key]?.int.flatMap({ Value(exactly: $0) }) else { throw VectorShapeError(self, key) }
        return value
    }

    func flag(_ key: String) throws -> Bool {
        guard let value = self.args[key]?.bool else { throw VectorShapeError(self, key) }
        return value
    }

    /// Bytes that the arguments hold as hex.
    func argumentBytes(_ key: String) throws -> [UInt8] {
        guard let text = self.args[key]?.string else { throw VectorShapeError(self, key) }
        return GoldenVector.bytes(ofHex: text)
    }

    func integers<Value: FixedWidthInteger>(_ key: String, as _: Value.Type = Value.self) throws -> [Value] {
        guard let items = self.args[key]?.array else { throw VectorShapeError(self, key) }
        return try items.map {
            guard let value = $0.int.flatMap({ Value(exactly: $0) }) else { throw VectorShapeError(self, key) }
            return value
        }
    }
}
