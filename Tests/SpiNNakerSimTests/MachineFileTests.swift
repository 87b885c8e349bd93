//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpiNNakerSimCommands

@Suite(.timeLimit(.minutes(3))) struct MachineFileTests {
    private func parse(_ json: String) throws -> MachineFile { try MachineFile.parse(Data(json.utf8), name: "m.json") }

    @Test func everyKeyIsTaken() throws {
        let file = try self.parse(
            """
            {"machine": "3x2", "base": 40, "boot-time-scale": 0.5, "power-on-delay": 0.25, "powered": true, "seed": 9,
             "strict-addresses": true, "monitor-core": 3, "firmware-link-quirks": false, "hello": true,
             "dead-boards": ["1,0,2"], "dead-chips": ["0,0,1/4,7", "1,1"], "dead-cores": ["0,0,0/1,1/17", "0,0,0/1,1/3"],
             "dead-links": ["[x:2,y:1,z:0]/0,0/SW"], "network": {"drop": 0.25, "latency": "2ms"}, "network-out": {"drop-every": 3},
             "timeline": [{"state": "running"}, {"after": 1.5, "state": "run-time-exception"}],
             "timelines": {"IF_curr_exp": [{"state": "paused"}]}}
            """)
        var machine = VirtualMachineDescription(.spinn3)
        file.apply(to: &machine)
        var expected = VirtualMachineDescription(
            .triads(width: 3, height: 2), bootTimeScale: 0.5, powerOnDelay: .milliseconds(250), isPoweredAtStart: true,
            addressFaults: .strict, base: 40, seed: 9)
        expected.monitorCore = 3
        expected.hasFirmwareLinkQuirks = false
        expected.sendsHello = true
        let chip = BoardChip(local: ChipID(1, 1))
        expected.faults = HardwareFaults(
            deadBoards: [BoardCoordinates(1, 0, 2)],
            deadChips: [BoardChip(board: BoardCoordinates(0, 0, 1), local: ChipID(4, 7)), chip], deadCores: [chip: [3, 17]],
            deadLinks: [
                BoardChipLink(chip: BoardChip(board: BoardCoordinates(2, 1, 0), local: ChipID(0, 0)), link: .southWest)
            ])
        expected.timeline = ApplicationTimeline([.init(.running), .init(after: .milliseconds(1500), .runTimeException)])
        expected.timelines = ["IF_curr_exp": ApplicationTimeline([.init(.paused)])]
        #expect(machine == expected)
        #expect(file.incoming == NetworkFaults(drop: 0.25, latency: .milliseconds(2)))
        #expect(file.outgoing == NetworkFaults(dropEvery: 3, latency: .zero))
    }

    @Test func anEmptyOneChangesNothing() throws {
        var machine = VirtualMachineDescription(.spinn5, base: 77)
        let before = machine
        try self.parse("{}").apply(to: &machine)
        #expect(machine == before)
    }

    @Test func theKeyAndWhatIsWrongWithItAreNamed() {
        for (json, complaint) in [
            (#"{"bas": 3}"#, #"m.json: unknown key "bas"; did you mean "base"?"#),
            (#"{"machine": "4"}"#, #"m.json: machine: "4" is no machine: WxH (triads of three boards), spinn5 or spinn3"#),
            (#"{"base": 256}"#, "m.json: base: 256 is not in 0...255"),
            (#"{"base": "1"}"#, "m.json: base: this is not a number"),
            (#"{"boot-time-scale": -1}"#, "m.json: boot-time-scale: -1.0 is not in 0...1000"),
            (#"{"monitor-core": 18}"#, "m.json: monitor-core: 18 is not in 0...17"),
            (#"{"powered": 1}"#, "m.json: powered: this is not a true or false"),
            (#"{"dead-boards": ["0,0"]}"#, #"m.json: dead-boards: "0,0" is not a board, like 0,0,1"#),
            (#"{"dead-chips": "0,0"}"#, "m.json: dead-chips: this is not a list"),
            (
                #"{"dead-cores": ["0,0/18"]}"#,
                #"m.json: dead-cores: "0,0/18" is not a physical core of a chip, like 0,0,1/4,7/17"#
            ),
            (#"{"dead-links": ["0,0/Q"]}"#, #"m.json: dead-links: "0,0/Q" is not a link of a chip, like 0,0,1/4,7/NE"#),
            (#"{"network": {"drop": 2}}"#, #"m.json: network: drop is a probability in 0...1, not "2""#),
            (#"{"network": {"dorp": 1}}"#, #"m.json: network: unknown key "dorp"; did you mean "drop"?"#),
            (#"{"timeline": [{"state": "run"}]}"#, #"m.json: timeline[0].state: "run" is none of"#),
            (#"{"timeline": [{"state": "running", "after": -1}]}"#, "m.json: timeline[0].after: -1.0 is not in"),
            ("nothing", "m.json: not JSON"),
        ] {
            #expect(performing: { try self.parse(json) }, throws: { "\($0)".hasPrefix(complaint) || self.show($0, complaint) })
        }
    }

    /// Always false; the message of a failed expectation does not show the error.
    private func show(_ error: any Error, _ complaint: String) -> Bool {
        Issue.record("\(error)\nexpected: \(complaint)")
        return false
    }

    @Test func aFileThatIsNotThereIsNamed() {
        #expect(throws: SimError("/nowhere/m.json can not be read")) { try MachineFile.read(path: "/nowhere/m.json") }
    }
}

@Suite(.timeLimit(.minutes(3))) struct NetworkWordsTests {
    @Test func wordsOfFaults() throws {
        let faults = try NetworkFaults.parse(words: [
            "drop=0.1", "duplicate=0.2", "reorder=0.3", "corrupt=1", "drop-every=4", "latency=500us", "jitter=2ms",
            "reorder-delay=0.1s",
        ])
        #expect(
            faults
                == NetworkFaults(
                    drop: 0.1, dropEvery: 4, duplicate: 0.2, reorder: 0.3, corrupt: 1, latency: .microseconds(500),
                    jitter: .milliseconds(2), reorderDelay: .milliseconds(100)))
        #expect(try NetworkFaults.parse(words: ["none"]) == nil)
        for words in [[], ["drop"], ["drop=-1"], ["drop=x"], ["latency=5"], ["latency=-1ms"], ["drop-every=1.5"], ["loss=1"]] {
            #expect(throws: SimError.self, "\(words)") { try NetworkFaults.parse(words: words) }
        }
    }
}
