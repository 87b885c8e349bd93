//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// ``VirtualApplication/barrierTest(barriers:)``
final class BarrierTest: CoreProgram {
    var name: String { "barrier-test" }
    private let barriers: UInt32
    private var passed: UInt32 = 0

    init(barriers: UInt32) { self.barriers = barriers }

    func main(_ core: NativeCore, now: NIODeadline) { self.next(core, now: now) }

    private func next(_ core: NativeCore, now: NIODeadline) {
        guard self.passed < self.barriers else { return core.finish() }
        core.waitAtBarrier(now: now) { then in
            self.passed += 1
            core.setUser(2, self.passed)
            // A moment of work between two barriers, in which the state shows RUNNING.
            core.after(.milliseconds(1), now: then) { core, then in self.next(core, now: then) }
        }
    }
}

/// ``VirtualApplication/runTimeError(code:)``
final class RunTimeErrorTest: CoreProgram {
    var name: String { "rte-test" }
    private let code: UInt8

    init(code: UInt8) { self.code = code }

    func main(_ core: NativeCore, now: NIODeadline) {
        core.print("about to fail with \(self.code)\n", now: now)
        core.fail(self.code, registers: (0..<8).map { 0xC0DE_0000 | $0 }, now: now)
    }
}

/// ``VirtualApplication/hang``
final class HangTest: CoreProgram {
    var name: String { "hang-test" }

    func main(_ core: NativeCore, now: NIODeadline) {
        core.setState(.running)
        core.hang(now: now)
    }
}

/// ``VirtualApplication/memoryWriter(size:tag:word:)``
final class MemoryWriter: CoreProgram {
    var name: String { "memory-writer" }
    private let size: UInt32
    private let tag: UInt8
    private let word: UInt32

    init(size: UInt32, tag: UInt8, word: UInt32) {
        self.size = size
        self.tag = tag
        self.word = word
    }

    func main(_ core: NativeCore, now: NIODeadline) {
        let address = core.chip.allocateSDRAM(self.size, tag: UInt32(self.tag), application: core.application, mayRepeat: false)
        guard address != 0 else { return core.fail(10, now: now) }
        core.setUser(2, address)
        _ = core.chip.memory.fill(address, word: self.word, count: Int(self.size & ~3), core: core.number)
        core.finish()
    }
}

/// ``VirtualApplication/succeed(result:)``
final class Succeed: CoreProgram {
    var name: String { "succeed" }
    private let result: UInt32

    init(result: UInt32) { self.result = result }

    func main(_ core: NativeCore, now: NIODeadline) {
        core.setUser(0, self.result)
        core.finish()
    }
}
