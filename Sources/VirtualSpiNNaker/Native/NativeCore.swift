//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// An application core: what SC&MP remembers of it, and the program that runs on it. Its state is in its VCPU block, where
/// hosts see and change it.
package final class NativeCore {
    package unowned let chip: NativeChip
    /// Virtual number, 1...17.
    package let number: UInt8
    /// SC&MP's own note of the application: signals and counts go by it, whatever a host writes into the VCPU block.
    package private(set) var application: UInt8 = 0
    package private(set) var program: (any CoreProgram)?
    /// Counts restarts, so that a timer of an earlier program is recognised.
    private var life = 0
    /// Takes no messages and no pings: an application in an endless loop.
    package var isHung = false
    /// The phase of the next barrier: 0 first, because a start sets the flag.
    private var nextBarrier: UInt8 = 0
    private var afterBarrier: ((NIODeadline) -> Void)?
    private var isWaitingForStart = false
    private var iobuf = IOBUFWriter()

    init(chip: NativeChip, number: UInt8) {
        self.chip = chip
        self.number = number
    }

    var id: CoreID { CoreID(chip: self.chip.address, p: self.number) }
    var system: NativeSystem { self.chip.system }
    private var block: Int { VCPUOffset.base + VCPUOffset.size * Int(self.number) }
    private var ram: SparseMemory { self.chip.memory.systemRAM }

    // MARK: State

    package var state: CoreState { self.chip.coreState(self.number) }

    func setState(_ state: CoreState) {
        guard self.state != state else { return }
        self.ram.write8(self.block + VCPUOffset.state, state.rawValue)
        self.system.fabric.report(
            .coreState(board: self.chip.board, chip: self.chip.address, core: self.number, state: state))
    }

    /// user0...user3 of the VCPU block: the application's and the host's.
    func user(_ index: Int) -> UInt32 { self.ram.read32(self.block + VCPUOffset.user0 + 4 * index) }
    func setUser(_ index: Int, _ value: UInt32) { self.ram.write32(self.block + VCPUOffset.user0 + 4 * index, value) }

    // MARK: Mailbox

    /// A message lies in the mailbox, and nobody has taken it.
    var isMailboxFull: Bool { self.ram.read8(self.block + VCPUOffset.mailboxCommandToCore) != 0 }

    /// Takes no messages: not running, or hung.
    var isDeaf: Bool { self.isHung || self.state.rawValue < CoreState.initialising.rawValue }

    func holdInMailbox(buffer: UInt32) {
        self.ram.write32(self.block + VCPUOffset.mailboxToCore, buffer)
        self.ram.write8(self.block + VCPUOffset.mailboxCommandToCore, 1)
    }

    // MARK: Start and stop

    /// What SC&MP notes before it resets the core.
    func prepare(application: UInt8, now: NIODeadline) {
        self.life += 1
        self.application = application
        self.program = nil
        self.isHung = false
        self.isWaitingForStart = false
        self.afterBarrier = nil
        self.nextBarrier = 0
        self.ram.write8(self.block + VCPUOffset.applicationID, application)
        self.ram.write32(self.block + VCPUOffset.time, self.chip.machine.unixTime(at: now))
        self.setState(.initialising)
    }

    /// The core has been reset and runs an image: SARK clears its VCPU block, all but the user words.
    func start(_ program: (any CoreProgram)?, flags: UInt8, now: NIODeadline) {
        let users = (0..<4).map { self.user($0) }
        self.ram.fill(self.block, word: 0, count: VCPUOffset.size)
        for (index, value) in users.enumerated() { self.setUser(index, value) }
        self.ram.write8(self.block + VCPUOffset.physicalCore, self.chip.cores.physical(self.number) ?? 0xFF)
        self.ram.write8(self.block + VCPUOffset.applicationID, self.application)
        self.ram.write32(self.block + VCPUOffset.time, self.chip.machine.unixTime(at: now))
        self.ram.write32(self.block + VCPUOffset.softwareVersion, SVOffset.version)
        for (index, byte) in (program?.name ?? "sark").utf8.prefix(16).enumerated() {
            self.ram.write8(self.block + VCPUOffset.name + index, byte)
        }
        self.iobuf = IOBUFWriter()
        self.program = program
        guard let program else { return self.setState(.idle) }
        if flags & 1 == 1 {
            self.isWaitingForStart = true
            self.setState(.ready)
        } else {
            self.enterMain(program, now: now)
        }
    }

    private func enterMain(_ program: any CoreProgram, now: NIODeadline) {
        self.setState(.cMain)
        program.main(self, now: now)
    }

    /// Clock off.
    func powerDown() {
        self.life += 1
        self.application = 0
        self.program = nil
        self.ram.write8(self.block + VCPUOffset.applicationID, 0)
        self.setState(.poweredDown)
    }

    // MARK: What programs do

    /// Calls `body` after a while, if the core still runs the same program then.
    func after(_ delay: TimeAmount, now: NIODeadline, _ body: @escaping (NativeCore, NIODeadline) -> Void) {
        let life = self.life
        let chip = self.chip
        self.system.fabric.timers.schedule(at: now + delay) { [weak self] then in
            guard let self, chip.isAlive, chip.isMonitorAlive, self.life == life, !self.isDeaf else { return }
            body(self, then)
        }
    }

    /// Sends a message as `spin1_send_sdp_msg` does: by the monitor, from this core.
    func send(
        to destination: SDPAddress, chip: ChipID, tag: UInt8, port: UInt8, data: ByteBuffer, now: NIODeadline
    ) {
        let header = SDPHeader(
            flags: .replyNotExpected, tag: tag, destination: destination,
            source: SDPAddress(port: port, cpu: self.number), destinationChip: chip, sourceChip: self.chip.address)
        self.system.route(SDPMessage(header: header, data: data), at: self.chip, sender: nil, now: now)
    }

    /// Data out of the machine by a tag of the board's Ethernet chip.
    func sendToHost(tag: UInt8, port: UInt8, data: ByteBuffer, now: NIODeadline) {
        self.send(to: .ethernet, chip: self.chip.nearestEthernet, tag: tag, port: port, data: data, now: now)
    }

    /// Appends to the core's IOBUF.
    package func print(_ text: String, now: NIODeadline) {
        self.iobuf.write(text, core: self, now: now)
    }

    func setIOBUF(_ address: UInt32) { self.ram.write32(self.block + VCPUOffset.iobuf, address) }

    func clearIOBUF() {
        var address = self.ram.read32(self.block + VCPUOffset.iobuf)
        // The chain stays where it is; its blocks are empty.
        for _ in 0..<1024 where address != 0 {
            self.chip.memory.write32(address &+ 12, 0)
            address = self.chip.memory.read32(address)
        }
        self.iobuf.rewind(to: self.ram.read32(self.block + VCPUOffset.iobuf))
    }

    /// Waits at a barrier, SYNC0 and SYNC1 by turns. One whose phase has been released already lets the core through.
    func waitAtBarrier(now: NIODeadline, then body: @escaping (NIODeadline) -> Void) {
        let phase = self.nextBarrier
        self.nextBarrier = 1 - phase
        let flag = self.chip.syncFlags >> UInt32(self.number) & 1
        if UInt32(phase) == flag {
            self.setState(.running)
            body(now)
        } else {
            self.afterBarrier = body
            self.setState(phase == 0 ? .sync0 : .sync1)
        }
    }

    func finish() {
        self.life += 1
        self.afterBarrier = nil
        self.setState(.finished)
    }

    /// Stops with a run-time error, registers dumped.
    func fail(_ code: UInt8, registers: [UInt32] = [], now: NIODeadline) {
        self.life += 1
        for (index, value) in registers.prefix(8).enumerated() { self.ram.write32(self.block + 4 * index, value) }
        self.ram.write32(self.block + VCPUOffset.psr, 0x6000_00DF)
        self.ram.write32(self.block + VCPUOffset.sp, 0x0040_FE00)
        self.ram.write32(self.block + VCPUOffset.lr, 0x0000_0400)
        self.ram.write8(self.block + VCPUOffset.rteCode, code)
        self.setState(.runTimeException)
    }

    /// Stops answering. With a software watchdog SC&MP notices: it pings one core each 10 ms, and gives each so many tries.
    func hang(now: NIODeadline) {
        self.isHung = true
        let tries = Int64(self.chip.parameters.softWatchdog)
        guard tries > 0 else { return }
        let life = self.life
        let chip = self.chip
        let delay = TimeAmount.milliseconds(10 * tries * Int64(max(1, chip.cores.count - 1)))
        self.system.fabric.timers.schedule(at: now + delay) { [weak self] _ in
            guard let self, chip.isAlive, chip.isMonitorAlive, self.life == life, self.isHung else { return }
            self.life += 1
            self.setState(.watchdog)
        }
    }

    // MARK: Signals

    /// START, PAUSE, CONT, EXIT, TIMER and the user signals, as SARK takes them.
    func receive(_ signal: Signal, now: NIODeadline) {
        guard !self.isDeaf, let program = self.program else { return }
        switch signal {
        case .start:
            guard self.isWaitingForStart else { return }
            self.isWaitingForStart = false
            self.enterMain(program, now: now)
        case .pause:
            if self.state == .running { self.setState(.paused) }
        case .continue:
            if self.state == .paused { self.setState(.running) }
        case .exit:
            // A core that has not entered its event loop has nothing to leave.
            guard !self.isWaitingForStart else { return }
            self.finish()
        default: program.signalled(signal, self, now: now)
        }
    }

    /// The flag of this core's barrier has changed.
    func flagChanged(now: NIODeadline) {
        guard let body = self.afterBarrier, !self.isDeaf else { return }
        let flag = self.chip.syncFlags >> UInt32(self.number) & 1
        let phase: UInt32 = self.state == .sync0 ? 0 : 1
        guard flag == phase else { return }
        self.afterBarrier = nil
        self.setState(.running)
        body(now)
    }

    /// A message to a port other than 0.
    func receive(_ message: SDPMessage, now: NIODeadline) {
        self.program?.received(message, self, now: now)
    }
}
