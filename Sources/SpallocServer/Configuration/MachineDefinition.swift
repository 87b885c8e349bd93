//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine

/// A machine as its administrator describes it: boards by triad, slot and address, and the BMPs that power them.
public struct MachineDefinition: Hashable, Sendable {
    public struct Board: Hashable, Sendable {
        public var coordinates: BoardCoordinates
        public var physical: PhysicalCoordinates
        /// Of the board's Ethernet chip.
        public var address: String

        public init(coordinates: BoardCoordinates, physical: PhysicalCoordinates, address: String) {
            self.coordinates = coordinates
            self.physical = physical
            self.address = address
        }
    }

    /// The BMP of one frame.
    public struct BMP: Hashable, Sendable {
        public var cabinet: Int
        public var frame: Int
        public var address: String
        public var port: Int

        public init(cabinet: Int, frame: Int, address: String, port: Int = 17893) {
            self.cabinet = cabinet
            self.frame = frame
            self.address = address
            self.port = port
        }
    }

    /// One side of one board, behind which nothing is to be used.
    public struct DeadLink: Hashable, Sendable {
        public var board: BoardCoordinates
        public var side: Link

        public init(board: BoardCoordinates, side: Link) {
            self.board = board
            self.side = side
        }
    }

    public var name: String
    public var tags: [String]
    /// In triads.
    public var width: Int
    /// In triads.
    public var height: Int
    public var boards: [Board]
    public var bmps: [BMP]
    /// Boards known not to work. They may be ones that are not in `boards`.
    public var deadBoards: [BoardCoordinates]
    public var deadLinks: [DeadLink]

    public init(
        name: String, tags: [String] = ["default"], width: Int, height: Int, boards: [Board], bmps: [BMP],
        deadBoards: [BoardCoordinates] = [], deadLinks: [DeadLink] = []
    ) {
        self.name = name
        self.tags = tags
        self.width = width
        self.height = height
        self.boards = boards
        self.bmps = bmps
        self.deadBoards = deadBoards
        self.deadLinks = deadLinks
    }

    /// The most triads that a machine may have on a side. (The reference stops at 21, too few for the demonstration's 24.)
    static let maximumSide = 64

    package static func validate(_ machines: [MachineDefinition]) throws(SpallocServerError) {
        for machine in machines { try machine.validate() }
        func requireUnique(_ values: [String], _ what: String) throws(SpallocServerError) {
            var seen: Set<String> = []
            for value in values where !seen.insert(value).inserted {
                throw SpallocServerError(.machineDefinition, "\(what) \"\(value)\" is given twice")
            }
        }
        try requireUnique(machines.map(\.name), "machine")
        try requireUnique(machines.flatMap { $0.boards.map(\.address) }, "board address")
        try requireUnique(machines.flatMap { $0.bmps.map { "\($0.address):\($0.port)" } }, "BMP address")
    }

    func validate() throws(SpallocServerError) {
        func fail(_ message: String) -> SpallocServerError {
            SpallocServerError(.machineDefinition, "machine \"\(self.name)\": \(message)")
        }
        guard MachineDefinition.isName(self.name) else { throw fail("the name is blank, too long or has odd characters") }
        for tag in self.tags where !MachineDefinition.isName(tag) { throw fail("the tag \"\(tag)\" has odd characters") }
        guard (1...MachineDefinition.maximumSide).contains(self.width),
            (1...MachineDefinition.maximumSide).contains(self.height)
        else { throw fail("\(self.width) x \(self.height) triads is out of range") }
        guard !self.boards.isEmpty else { throw fail("it has no boards") }
        let geometry = TriadGeometry(width: self.width, height: self.height)
        var coordinates: Set<BoardCoordinates> = []
        var slots: Set<PhysicalCoordinates> = []
        var frames: Set<[Int]> = []
        for bmp in self.bmps {
            guard frames.insert([bmp.cabinet, bmp.frame]).inserted else {
                throw fail("there are two BMPs for cabinet \(bmp.cabinet), frame \(bmp.frame)")
            }
            guard IPv4Address(bmp.address) != nil else { throw fail("\"\(bmp.address)\" is not an IPv4 address") }
            guard (1...65535).contains(bmp.port) else { throw fail("BMP port \(bmp.port) is out of range") }
        }
        for board in self.boards {
            guard geometry.contains(board.coordinates) else { throw fail("board \(board.coordinates) is outside it") }
            guard coordinates.insert(board.coordinates).inserted else {
                throw fail("board \(board.coordinates) is given twice")
            }
            guard slots.insert(board.physical).inserted else { throw fail("slot \(board.physical) is given twice") }
            guard (0...23).contains(board.physical.board), (0...255).contains(board.physical.cabinet),
                (0...255).contains(board.physical.frame)
            else { throw fail("slot \(board.physical) is out of range") }
            guard frames.contains([board.physical.cabinet, board.physical.frame]) else {
                throw fail("board \(board.coordinates) is in \(board.physical), a frame without a BMP")
            }
            guard IPv4Address(board.address) != nil else { throw fail("\"\(board.address)\" is not an IPv4 address") }
        }
        for board in self.deadBoards where !geometry.contains(board) { throw fail("dead board \(board) is outside it") }
        for link in self.deadLinks where !geometry.contains(link.board) {
            throw fail("dead link of \(link.board) is outside it")
        }
    }

    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 50
            && text.unicodeScalars.allSatisfy { $0 != "{" && $0 != "}" && $0 != "/" && $0.value > 0x20 && $0.value != 0x7F }
            && !text.contains(where: \.isWhitespace)
    }
}
