//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// An item of ``Ignores`` that could not be applied, and why.
public struct IgnoreNote: Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The machine has no board of that address.
        case unknownBoard(IPv4Address)
        /// The machine has no such chip.
        case noSuchChip
        /// No virtual core is that physical core: it is dead already, and nothing is left to do.
        case physicalCoreUnused
        /// The monitor core of a chip can not be left out; leave out the chip.
        case monitor
    }

    public let item: String
    public let reason: Reason

    public var description: String {
        switch self.reason {
        case .unknownBoard(let address): "\(self.item): the machine has no board \(address)"
        case .noSuchChip: "\(self.item): the machine has no such chip"
        case .physicalCoreUnused: "\(self.item): the physical core is not in use"
        case .monitor: "\(self.item): the monitor core can not be left out"
        }
    }
}

extension Ignores {
    /// The faults of a machine that this list asks for, and notes on what of it does not apply.
    ///
    /// - Parameters:
    ///   - shape: the machine that the ignores are of.
    ///   - boards: the Ethernet chip of each board by its address.
    ///   - virtualCore: the virtual number of a chip's physical core, from the chip's core map (`sv` + 0x94); nil when the
    ///     physical core is not in use.
    public func resolve(
        in shape: MachineShape, boards: [IPv4Address: ChipID], virtualCore: (ChipID, UInt8) -> UInt8?
    ) -> (faults: MachineFaults, notes: [IgnoreNote]) {
        var faults = MachineFaults()
        var notes: [IgnoreNote] = []

        func global(_ chip: ChipID, _ board: IPv4Address?, _ item: String) -> ChipID? {
            var found: ChipID? = shape.contains(chip) ? chip : nil
            if let board {
                guard let ethernet = boards[board] else {
                    notes.append(IgnoreNote(item: item, reason: .unknownBoard(board)))
                    return nil
                }
                found = shape.chip(chip, onBoardOf: ethernet)
            }
            if found == nil { notes.append(IgnoreNote(item: item, reason: .noSuchChip)) }
            return found
        }

        for item in self.chips {
            guard let chip = global(item.chip, item.board, item.description) else { continue }
            faults.chips.insert(chip)
        }
        for item in self.cores {
            guard let chip = global(item.chip, item.board, item.description) else { continue }
            for number in item.numbers {
                let core: UInt8?
                switch number {
                case .virtual(let p): core = p
                case .physical(let p): core = virtualCore(chip, p)
                }
                switch core {
                case nil: notes.append(IgnoreNote(item: item.description, reason: .physicalCoreUnused))
                case 0: notes.append(IgnoreNote(item: item.description, reason: .monitor))
                case .some(let p): faults.cores.insert(CoreID(chip: chip, p: p))
                }
            }
        }
        for item in self.links {
            guard let chip = global(item.end.chip, item.board, item.description) else { continue }
            faults.removeLink(ChipLink(chip: chip, link: item.end.link), of: shape)
        }
        return (faults, notes)
    }
}
