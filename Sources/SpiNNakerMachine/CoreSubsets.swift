//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A set of cores, kept as one 32-bit mask per chip. Virtual core numbers 0...31.
///
/// Iterates in order: by chip (x, then y), then core.
public struct CoreSubsets: Hashable, Sendable {
    /// Never holds an empty mask, so that equal sets are equal values.
    private var masks: [ChipID: UInt32]

    public init() { self.masks = [:] }

    public init(_ cores: some Sequence<CoreID>) {
        self.init()
        for core in cores { self.insert(core) }
    }

    public init(chip: ChipID, cores: some Sequence<UInt8>) {
        self.init()
        for p in cores { self.insert(CoreID(chip: chip, p: p)) }
    }

    public var isEmpty: Bool { self.masks.isEmpty }

    /// Cores in the set.
    public var count: Int { self.masks.values.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// The chips that have a core in the set, in order.
    public var chips: [ChipID] { self.masks.keys.sorted() }
    public var chipCount: Int { self.masks.count }

    /// Bit p is core p: the form in which SCP's commands name the cores of a chip.
    public func mask(of chip: ChipID) -> UInt32 { self.masks[chip] ?? 0 }

    /// In order.
    public func cores(of chip: ChipID) -> [UInt8] {
        let mask = self.mask(of: chip)
        return (0..<32).filter { mask & (1 << UInt32($0)) != 0 }
    }

    public func contains(_ core: CoreID) -> Bool { self.mask(of: core.chip) & CoreSubsets.bit(core.p) != 0 }

    /// - Returns: whether it is new. A core above 31 can not exist, and is not taken.
    @discardableResult
    public mutating func insert(_ core: CoreID) -> Bool {
        let bit = CoreSubsets.bit(core.p)
        let old = self.mask(of: core.chip)
        guard bit != 0, old & bit == 0 else { return false }
        self.masks[core.chip] = old | bit
        return true
    }

    /// - Returns: whether it was there.
    @discardableResult
    public mutating func remove(_ core: CoreID) -> Bool {
        guard self.contains(core) else { return false }
        self.setMask(self.mask(of: core.chip) & ~CoreSubsets.bit(core.p), of: core.chip)
        return true
    }

    public mutating func setMask(_ mask: UInt32, of chip: ChipID) { self.masks[chip] = mask == 0 ? nil : mask }

    public func union(_ other: CoreSubsets) -> CoreSubsets {
        var result = self
        for (chip, mask) in other.masks { result.masks[chip] = self.mask(of: chip) | mask }
        return result
    }

    public func intersection(_ other: CoreSubsets) -> CoreSubsets {
        var result = CoreSubsets()
        for (chip, mask) in self.masks { result.setMask(mask & other.mask(of: chip), of: chip) }
        return result
    }

    public func subtracting(_ other: CoreSubsets) -> CoreSubsets {
        var result = self
        for (chip, mask) in self.masks { result.setMask(mask & ~other.mask(of: chip), of: chip) }
        return result
    }

    /// The set cut up by board: one subset for each Ethernet chip that has chips in it,
    /// in order. Chips that the machine does not have are left out.
    public func byBoard(of shape: MachineShape) -> [(ethernet: ChipID, cores: CoreSubsets)] {
        var boards: [ChipID: CoreSubsets] = [:]
        for (chip, mask) in self.masks {
            guard let ethernet = shape.ethernetChip(nearest: chip) else { continue }
            boards[ethernet, default: CoreSubsets()].setMask(mask, of: chip)
        }
        return boards.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func bit(_ p: UInt8) -> UInt32 { p < 32 ? 1 << UInt32(p) : 0 }
}

extension CoreSubsets: Sequence {
    public struct Iterator: IteratorProtocol {
        private let entries: [(chip: ChipID, mask: UInt32)]
        private var index = 0
        private var rest: UInt32

        fileprivate init(_ subsets: CoreSubsets) {
            self.entries = subsets.masks.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            self.rest = self.entries.first?.mask ?? 0
        }

        public mutating func next() -> CoreID? {
            while self.index < self.entries.count {
                if self.rest != 0 {
                    let p = UInt8(truncatingIfNeeded: self.rest.trailingZeroBitCount)
                    self.rest &= self.rest &- 1
                    return CoreID(chip: self.entries[self.index].chip, p: p)
                }
                self.index += 1
                if self.index < self.entries.count { self.rest = self.entries[self.index].mask }
            }
            return nil
        }
    }

    public func makeIterator() -> Iterator { Iterator(self) }
    public var underestimatedCount: Int { self.masks.count }
}

extension CoreSubsets: ExpressibleByArrayLiteral, CustomStringConvertible {
    public init(arrayLiteral elements: CoreID...) { self.init(elements) }

    /// `(0, 0) 1-3,5; (0, 1) 4`
    public var description: String {
        self.chips.map { chip in
            var parts: [String] = []
            var run: ClosedRange<UInt8>?
            func text(_ run: ClosedRange<UInt8>) -> String {
                run.count == 1 ? "\(run.lowerBound)" : "\(run.lowerBound)-\(run.upperBound)"
            }
            for p in self.cores(of: chip) {
                if let open = run, p == open.upperBound + 1 {
                    run = open.lowerBound...p
                } else {
                    if let open = run { parts.append(text(open)) }
                    run = p...p
                }
            }
            if let open = run { parts.append(text(open)) }
            return "\(chip) \(parts.joined(separator: ","))"
        }.joined(separator: "; ")
    }
}
