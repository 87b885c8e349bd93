//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerEngine
import SpiNNakerWire
import Testing

@Suite struct VisualiserMachineTests {
    typealias Machine = VisualiserMachine<Int>

    private func number(_ action: Machine.Action?) throws -> Int {
        guard case .database(let notice) = action else {
            Issue.record("\(String(describing: action)) is no database")
            return -1
        }
        return notice.number
    }

    /// `notify.handshake`: two parts of a run, each from a port of its own.
    @Test func theWholeSequenceTwice() throws {
        var machine = Machine()
        for source in [1, 2] {
            let notice = try self.number(machine.received(.database(path: "/tmp/a"), from: source))
            #expect(machine.phase == .reading)
            #expect(machine.databaseRead(notice) == source)
            #expect(machine.phase == .ready)
            #expect(machine.received(.startResume, from: source) == .started)
            #expect(machine.received(.stopPause, from: source) == .stopped)
            #expect(machine.phase == .stopped)
        }
    }

    @Test func whatComesTwiceIsToldOnce() throws {
        var machine = Machine()
        let notice = try self.number(machine.received(.database(path: "/tmp/a"), from: 1))
        // Still being read: the answer comes when it has been.
        #expect(machine.received(.database(path: "/tmp/a"), from: 1) == nil)
        #expect(machine.databaseRead(notice) == 1)
        #expect(machine.received(.database(path: "/tmp/a"), from: 1) == .acknowledge(1))
        #expect(machine.received(.startResume, from: 1) == .started)
        #expect(machine.received(.startResume, from: 1) == nil)
        #expect(machine.received(.database(path: "/tmp/a"), from: 1) == .acknowledge(1))
        #expect(machine.phase == .running)
        #expect(machine.received(.stopPause, from: 1) == .stopped)
        #expect(machine.received(.stopPause, from: 1) == nil)
    }

    @Test func whatIsMissingIsDoneWithout() throws {
        var machine = Machine()
        #expect(machine.received(.stopPause, from: 1) == nil)
        // No database: this visualiser came late.
        #expect(machine.received(.startResume, from: 1) == .started)
        // The stop was lost.
        let notice = try self.number(machine.received(.database(path: nil), from: 1))
        // Nobody waits for the acknowledgement.
        #expect(machine.received(.startResume, from: 1) == .started)
        #expect(machine.databaseRead(notice) == 1)
        #expect(machine.phase == .running)
        // The start was lost.
        _ = machine.received(.stopPause, from: 1)
        _ = machine.databaseRead(try self.number(machine.received(.database(path: nil), from: 1)))
        #expect(machine.received(.stopPause, from: 1) == .stopped)
    }

    @Test func anyChangeMakesADatabaseNew() throws {
        var machine = Machine()
        let first = try self.number(machine.received(.database(path: "/tmp/a"), from: 1))
        let other = try self.number(machine.received(.database(path: "/tmp/b"), from: 1))
        let third = try self.number(machine.received(.database(path: "/tmp/b"), from: 2))
        #expect(Set([first, other, third]).count == 3)
        #expect(machine.databaseRead(first) == nil)
        #expect(machine.databaseRead(third) == 2)
    }
}
