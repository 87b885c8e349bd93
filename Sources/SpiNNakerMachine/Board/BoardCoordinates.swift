//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A board by its *logical* place: the triad (x, y) and which of its three boards, z in 0...2.
public struct BoardCoordinates: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var x: Int
    public var y: Int
    public var z: Int

    @inlinable
    public init(x: Int, y: Int, z: Int) {
        self.x = x
        self.y = y
        self.z = z
    }
    @inlinable
    public init(_ x: Int, _ y: Int, _ z: Int) { self.init(x: x, y: y, z: z) }

    /// `[x:0,y:0,z:0]`, as machine definition files and ``description`` have it; nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard let numbers = coordinates(text, ["x", "y", "z"]) else { return nil }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    public static func < (a: BoardCoordinates, b: BoardCoordinates) -> Bool { (a.x, a.y, a.z) < (b.x, b.y, b.z) }
    public var description: String { "[x:\(self.x),y:\(self.y),z:\(self.z)]" }
}

/// A board by where it hangs: cabinet, frame in the cabinet, slot in the frame (0...23).
public struct PhysicalCoordinates: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var cabinet: Int
    public var frame: Int
    public var board: Int

    @inlinable
    public init(cabinet: Int, frame: Int, board: Int) {
        self.cabinet = cabinet
        self.frame = frame
        self.board = board
    }

    /// `[c:0,f:0,b:0]`; nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard let numbers = coordinates(text, ["c", "f", "b"]) else { return nil }
        self.init(cabinet: numbers[0], frame: numbers[1], board: numbers[2])
    }

    /// The frame, which one BMP manages.
    public var bmp: BMPCoordinates { BMPCoordinates(cabinet: self.cabinet, frame: self.frame) }

    public static func < (a: PhysicalCoordinates, b: PhysicalCoordinates) -> Bool {
        (a.cabinet, a.frame, a.board) < (b.cabinet, b.frame, b.board)
    }
    public var description: String { "[c:\(self.cabinet),f:\(self.frame),b:\(self.board)]" }
}

/// A BMP (board management processor) by the frame of up to 24 boards that it manages.
public struct BMPCoordinates: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var cabinet: Int
    public var frame: Int

    @inlinable
    public init(cabinet: Int, frame: Int) {
        self.cabinet = cabinet
        self.frame = frame
    }

    /// `[c:0,f:0]`; nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard let numbers = coordinates(text, ["c", "f"]) else { return nil }
        self.init(cabinet: numbers[0], frame: numbers[1])
    }

    public static func < (a: BMPCoordinates, b: BMPCoordinates) -> Bool { (a.cabinet, a.frame) < (b.cabinet, b.frame) }
    public var description: String { "[c:\(self.cabinet),f:\(self.frame)]" }
}

/// The numbers of `[name:number,...]` with just these names, in this order.
private func coordinates(_ text: some StringProtocol, _ names: [String]) -> [Int]? {
    guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
    let parts = text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == names.count else { return nil }
    var numbers: [Int] = []
    for (part, name) in zip(parts, names) {
        guard part.hasPrefix(name + ":"), let number = Int(part.dropFirst(name.count + 1)) else { return nil }
        numbers.append(number)
    }
    return numbers
}

/// A chip of a whole machine, which may be wider than the 256 × 256 that one booted machine can address.
public struct ChipPosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var x: Int
    public var y: Int
    @inlinable
    public init(x: Int, y: Int) {
        self.x = x
        self.y = y
    }
    @inlinable
    public init(_ chip: ChipID) { self.init(x: Int(chip.x), y: Int(chip.y)) }
    /// nil when it does not fit in 8 bits each.
    public var chip: ChipID? {
        guard let x = UInt8(exactly: self.x), let y = UInt8(exactly: self.y) else { return nil }
        return ChipID(x: x, y: y)
    }
    public static func < (a: ChipPosition, b: ChipPosition) -> Bool { (a.x, a.y) < (b.x, b.y) }
    public var description: String { "(\(self.x), \(self.y))" }
}
