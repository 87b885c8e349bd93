//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

@Suite(.timeLimit(.minutes(3))) struct MachineTests {
    @Test func leavingOutTakesTheLinksToo() {
        let machine = Machine.spinn3.leavingOut(
            MachineFaults(
                chips: [ChipID(1, 1)], cores: [CoreID(0, 1, 4)], links: [ChipLink(chip: ChipID(0, 0), link: .north)]))
        #expect(machine.chips.map(\.id) == [ChipID(0, 0), ChipID(0, 1), ChipID(1, 0)])
        #expect(machine[ChipID(0, 1)]?.applicationCores.contains(4) == false)
        #expect(machine[ChipID(0, 1)]?.applicationCores.count == 16)
        // (1, 1) is behind two links of (0, 0), and north behind a third.
        #expect(machine[.origin]?.links == [.east, .west, .south])
        #expect(machine[ChipID(0, 1)]?.links.contains(.south) == false, "the other end of the dead link")
    }

    @Test func aBoardThatIsLeftOut() throws {
        let shape = try #require(MachineShape(triadsWide: 1, triadsHigh: 1, wrapsX: true, wrapsY: true))
        let chips = shape.chips.map { id in
            Machine.Chip(
                id: id, applicationCores: [1], workingCores: 18, links: Set(Link.allCases), freeSDRAM: 1, freeRoutingEntries: 1,
                nearestEthernet: shape.ethernetChip(nearest: id) ?? id)
        }
        let machine = Machine(shape: shape, root: .origin, chips: chips).leavingOut(MachineFaults(boards: [ChipID(4, 8)]))
        #expect(machine.chips.count == 96)
        #expect(machine.ethernetChips.map(\.id) == [ChipID(0, 0), ChipID(8, 4)])
    }

    @Test func aUsersListOfFaults() throws {
        var chips = Machine.spinn3.chips
        for index in chips.indices { chips[index].physicalCores = (0..<18).map { UInt8(17 - $0) } }
        let machine = Machine(shape: MachineShape(board: .spinn3), root: .origin, chips: chips)
        let ignores = try Ignores(downChips: "1,0", downCores: "0,1,3:0,1,-2", downLinks: "0,0,1,192.168.240.1:9,9,1")
        let (left, notes) = machine.leavingOut(ignores)
        #expect(left[ChipID(1, 0)] == nil)
        // Physical core 2 is virtual core 15.
        #expect(Set(1..<18).subtracting(left[ChipID(0, 1)]?.applicationCores.map(Int.init) ?? []) == [3, 15])
        #expect(left[.origin]?.links.contains(.northEast) == false)
        #expect(left[ChipID(1, 1)]?.links.contains(.southWest) == false)
        #expect(notes.map(\.reason) == [.noSuchChip])
    }
}

@Suite(.timeLimit(.minutes(3))) struct BootImageTests {
    private func directory() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "spinnaker-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    @Test func foundInAnEnvironmentOfPython() throws {
        let directory = try self.directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let data = directory.appending(path: "lib/python3.11/site-packages/spinnman/messages/spinnaker_boot/boot_data")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        try Data(repeating: 7, count: 1024).write(to: data.appending(path: "scamp.boot"))
        #expect(try BootImage.ofSpiNNMan(in: directory.path).bytes.readableBytes == 1024)
    }

    @Test func whereItWasLookedForIsSaid() throws {
        let directory = try self.directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        do throws(TransceiverError) {
            _ = try BootImage.ofSpiNNMan(in: directory.path)
            Issue.record("an image out of nothing")
        } catch {
            #expect("\(error)".contains(directory.path))
            #expect("\(error)".contains("scamp.boot"))
        }
        let file = directory.appending(path: "x.boot")
        try Data(repeating: 7, count: 33 * 1024).write(to: file)
        #expect(throws: TransceiverError.self) { try BootImage(contentsOf: file.path) }
        #expect(throws: TransceiverError.self) { try BootImage(contentsOf: directory.appending(path: "none").path) }
    }
}
