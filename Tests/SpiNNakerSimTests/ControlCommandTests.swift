//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpiNNakerSimCommands

@Suite(.timeLimit(.minutes(3))) struct ControlCommandTests {
    @Test func commandsThatStandAlone() throws {
        #expect(try ControlCommand(line: "boards") == .boards)
        #expect(try ControlCommand(line: "  status  ") == .status)
        #expect(try ControlCommand(line: "bmps") == .bmps)
        #expect(try ControlCommand(line: "?") == .help)
        #expect(try ControlCommand(line: "quit") == .quit)
        #expect(try ControlCommand(line: "") == nil)
        #expect(try ControlCommand(line: "# a remark") == nil)
    }

    @Test func power() throws {
        #expect(try ControlCommand(line: "power on all") == .power(.on, .all))
        #expect(
            try ControlCommand(line: "power cycle 0,0,1 127.1.0.9 7")
                == .power(
                    .cycle,
                    .some([.coordinates(BoardCoordinates(0, 0, 1)), .address(IPv4Address(127, 1, 0, 9)), .number(7)])))
    }

    @Test func network() throws {
        let faults = NetworkFaults(drop: 0.5, latency: .zero)
        #expect(try ControlCommand(line: "network drop=0.5") == .network(.both, faults))
        #expect(try ControlCommand(line: "network in drop=0.5") == .network(.incoming, faults))
        #expect(try ControlCommand(line: "network out none") == .network(.outgoing, nil))
    }

    @Test func everyFault() throws {
        let board = BoardCoordinates(0, 0, 1)
        let chip = BoardChip(board: board, local: ChipID(4, 7))
        let faults: [(String, InjectedFault)] = [
            ("dead-chip 0,0,1/4,7", .deadChip(chip)),
            ("dead-core 0,0,1/4,7/17", .deadCore(chip, core: 17)),
            ("dead-link 0,0,1/4,7/NE", .deadLink(BoardChipLink(chip: chip, link: .northEast))),
            ("monitor-crash 0,0,1/4,7", .monitorCrash(chip)),
            ("p2p 0,0,1/4,7 RC_P2P_BUSY", .p2pResult(chip, .p2pBusy)),
            ("p2p 0,0,1/4,7 0x8b", .p2pResult(chip, .p2pNoReply)),
            ("p2p 0,0,1/4,7 off", .p2pResult(chip, nil)),
            ("stuck-core 0,0,1/4,7/3 c-main", .stuckCore(chip, core: 3, state: .cMain)),
            ("no-sdram 0,0,1/4,7 on", .noSDRAM(chip, true)),
            ("no-router-entries 0,0,1/4,7 off", .noRouterEntries(chip, false)),
            ("phy-down 0,0,1 on", .phyDown(board, true)),
            ("no-tags 0,0,1", .noTags(board)),
            ("fpga 0,0,1/2 on", .fpgaUnconfigured(board, fpga: 2, true)),
            ("power-failure 0,0,1 off", .powerFailure(board, false)),
            ("bmp 0,0,1 rc_p2p_noreply", .bmpResult(board, .p2pNoReply)),
        ]
        for (words, fault) in faults { #expect(try ControlCommand(line: "fault " + words) == .fault(fault), "\(words)") }
        // None is forgotten here, nor in the help.
        #expect(Set(faults.map { String($0.0.prefix { $0 != " " }) }) == Set(InjectedFault.forms.map(\.name)))
        for form in InjectedFault.forms {
            #expect(ControlCommand.helpText.contains("fault \(form.name) \(form.parameters) "))
        }
    }

    @Test func whatIsWrongIsSaid() {
        for (line, complaint) in [
            ("boot", #"there is no command "boot"; help lists them"#),
            ("boards 3", "boards takes nothing more"),
            ("power", "power is told on, off or cycle, and then boards"),
            ("power on", "which boards? all, or some, each like 0,0,1, 127.1.0.9 or 3"),
            ("power on 1,2", #""1,2" is not a board, like 0,0,1"#),
            ("fault", "which fault? One of dead-chip, dead-core"),
            ("fault dead-chip", "it is: fault dead-chip CHIP"),
            ("fault dead-chip 0,0,1/4,7 now", "it is: fault dead-chip CHIP"),
            ("fault p2p 0,0,1/4,7 RC_NONSENSE", "it is: fault p2p CHIP CODE|off"),
            ("fault fpga 0,0,1/3 on", "it is: fault fpga BOARD/FPGA on|off"),
            ("network", "network is told none, or what is wrong, like drop=0.01 latency=2ms"),
            ("network drop", #""drop" is not NAME=VALUE"#),
        ] {
            do {
                _ = try ControlCommand(line: line)
                Issue.record("\(line) was taken")
            } catch {
                #expect(error.description.hasPrefix(complaint))
            }
        }
    }

    @Test func aReplyEndsInALineForPrograms() {
        #expect(ControlReply().wire == "ok\n")
        #expect(ControlReply(text: "a\nb").wire == "a\nb\nok\n")
        #expect(ControlReply(error: SimError("no")).wire == "error: no\n")
        #expect(ControlReply(text: ["a", "b"], end: "ok") == ControlReply(text: "a\nb"))
        #expect(ControlReply(text: [], end: "error: no") == ControlReply(error: SimError("no")))
        #expect(ControlReply(text: [], end: "okay") == nil)
    }

    @Test func linesOfAStream() {
        var lines = LineBuffer(longest: 8)
        /// All that there are now.
        func next() -> [String] {
            var all: [String] = []
            while let line = lines.next() { all.append(line) }
            return all
        }
        var isTaken = lines.append(ByteBuffer(string: "one\r\ntw"))
        #expect(isTaken)
        #expect(next() == ["one"])
        isTaken = lines.append(ByteBuffer(string: "o\n\nthree"))
        #expect(isTaken)
        #expect(next() == ["two", ""])
        let rest = [lines.rest(), lines.rest()]
        #expect(rest == ["three", nil])
        isTaken = lines.append(ByteBuffer(string: "much too long"))
        #expect(!isTaken)
    }

    @Test func eventsForPeople() {
        let events: [(MachineEvent, String)] = [
            (.power(board: 1, isOn: true), "board B1 is on"),
            (.booted(board: 0, chips: 48), "board B0 was booted: SC&MP on 48 chips"),
            (.bootFailed(board: 0), "board B0 was booted in vain"),
            (.refused(board: 0, chip: ChipID(1, 2), result: .badArgument), "board B0, chip (1, 2): SC&MP refused: RC_ARG"),
            (.badAddress(board: 0, chip: ChipID(1, 2), address: 0xFF), "board B0, chip (1, 2): there is nothing at 0xff"),
            (.leds(board: 0, chip: ChipID(1, 2), lit: 5), "board B0, chip (1, 2): LEDs 101"),
            (.coreState(board: 0, chip: ChipID(1, 2), core: 3, state: .running), "board B0, chip (1, 2), core 3: running"),
        ]
        for (event, line) in events { #expect(event.line { "B\($0)" }.hasPrefix(line)) }
    }
}
