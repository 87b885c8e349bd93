//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import VirtualSpiNNaker

// How people write places of a machine: the same on the command line, in a description and in a control command.
//
// | thing | written | for example |
// |---|---|---|
// | board | `x,y,z`, or `[x:0,y:0,z:0]` | `2,0,1` |
// | chip | `board/x,y`, relative to the board's Ethernet chip | `2,0,1/4,7` |
// | physical core | `chip/core` | `2,0,1/4,7/17` |
// | link | `chip/link`, of E NE N W SW S or their long names | `2,0,1/4,7/NE` |
//
// On a machine of one board the board may be left out: `4,7/NE`.

extension BoardCoordinates {
    init?(place text: some StringProtocol) {
        if let coordinates = BoardCoordinates(text) {
            self = coordinates
            return
        }
        guard let numbers = wholeNumbers(text), numbers.count == 3 else { return nil }
        self.init(numbers[0], numbers[1], numbers[2])
    }
}

extension ChipID {
    init?(place text: some StringProtocol) {
        guard let numbers = wholeNumbers(text), numbers.count == 2, let x = UInt8(exactly: numbers[0]),
            let y = UInt8(exactly: numbers[1])
        else { return nil }
        self.init(x, y)
    }
}

extension BoardChip {
    init?(place text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1:
            guard let chip = ChipID(place: parts[0]) else { return nil }
            self.init(local: chip)
        case 2:
            guard let board = BoardCoordinates(place: parts[0]), let chip = ChipID(place: parts[1]) else { return nil }
            self.init(board: board, local: chip)
        default:
            return nil
        }
    }
}

/// One physical core of a chip.
struct BoardCore: Hashable, Sendable {
    var chip: BoardChip
    /// 0...17
    var core: UInt8

    init?(place text: some StringProtocol) {
        guard let (chip, last) = splitLast(text), let core = UInt8(last), core < 18 else { return nil }
        self.chip = chip
        self.core = core
    }
}

extension BoardChipLink {
    init?(place text: some StringProtocol) {
        guard let (chip, last) = splitLast(text),
            let link = Link.allCases.first(where: { $0.description == last.uppercased() || $0.name == last })
        else { return nil }
        self.init(chip: chip, link: link)
    }
}

/// A board as somebody at a running machine may name it.
enum BoardName: Hashable, Sendable {
    case coordinates(BoardCoordinates)
    case address(IPv4Address)
    case number(Int)

    init?(place text: some StringProtocol) {
        if let coordinates = BoardCoordinates(place: text) {
            self = .coordinates(coordinates)
        } else if let address = IPv4Address(text) {
            self = .address(address)
        } else if let numbers = wholeNumbers(text), numbers.count == 1 {
            self = .number(numbers[0])
        } else {
            return nil
        }
    }
}

/// Everything up to the last slash as a chip, and what follows.
private func splitLast<Text: StringProtocol>(_ text: Text) -> (BoardChip, String)? {
    guard let slash = text.lastIndex(of: "/"), let chip = BoardChip(place: text[..<slash]) else { return nil }
    return (chip, String(text[text.index(after: slash)...]))
}

/// Numbers from 0 up with commas between them.
private func wholeNumbers(_ text: some StringProtocol) -> [Int]? {
    var numbers: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard !part.isEmpty, part.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(part) else { return nil }
        numbers.append(number)
    }
    return numbers
}
