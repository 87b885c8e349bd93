//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// Loading and starting applications, signals, counts.
extension NativeSystem {
    /// Bytes that the idle stub takes where images are staged.
    private static let stubSize = 3840

    // MARK: Start

    /// CMD_AR: the image that is staged. CMD_AS: one anywhere, and the monitor's bit is not looked at.
    func run(_ packet: SCPPacket, image: UInt32, start word: UInt32, at chip: NativeChip, now: NIODeadline) -> Outcome {
        if packet.command == .applicationRun, word & 1 == 1 { return .refused(.badArgument) }
        self.start(image: image, word: word, on: chip, now: now)
        return .ok
    }

    /// Fetches the neighbour's staged image, checks it, and starts it.
    func copyAndRun(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip, now: NIODeadline) -> Outcome {
        let (word, size, start) = (packet.arguments.arg1, packet.arguments.arg2, packet.arguments.arg3)
        guard start & 1 == 0, word & 7 <= 5, size % 4 == 0, let link = Link(rawValue: UInt8(word & 7)) else {
            return .refused(.badArgument)
        }
        let base = chip.parameters.sdramSystem
        // More than there is SDRAM would run off its end.
        guard size <= 0x6800_0000 - base else { return .refused(.timeout) }
        var sum: UInt32 = 0
        if size > 0 {
            guard let number = self.fabric.neighbour(ofChip: chip.number, link) else { return .refused(.timeout) }
            sum = self.copy(size, from: self.chip(number), to: chip, at: base, now: now)
        }
        let wanted = word >> 3
        if wanted != 0, sum & 0x1FFF_FFFF != wanted {
            reply.bytes.put(sum)
            return .refusedWithPayload(.badChecksum)
        }
        self.start(image: base, word: start, on: chip, now: now)
        return .ok
    }

    /// - Returns: the sum of the words.
    private func copy(_ size: UInt32, from source: NativeChip?, to chip: NativeChip, at base: UInt32, now: NIODeadline)
        -> UInt32
    {
        var sum: UInt32 = 0
        var done: UInt32 = 0
        var piece = ByteBuffer()
        while done < size {
            let step = min(size - done, 4096)
            piece.clear()
            if let source, source.memory.read(base + done, count: Int(step), core: nil, now: now, into: &piece) {
                for word in stride(from: 0, to: Int(step), by: 4) {
                    sum &+= piece.getInteger(at: word, endianness: .little) ?? 0
                }
            } else {
                // Still in its boot ROM.
                piece.writeRepeatingByte(0, count: Int(step))
            }
            _ = piece.withUnsafeReadableBytes { chip.memory.write(base + done, $0, core: nil) }
            done += step
        }
        return sum
    }

    /// Starts an image on the cores of a mask: `app << 24 | flags << 18 | mask`. A bit without a core does nothing.
    func start(image: UInt32, word: UInt32, on chip: NativeChip, now: NIODeadline) {
        let start = ApplicationStart(word: word)
        let mask = start.cores.rawValue
        guard mask != 0 else { return }
        chip.applications.add(cores: mask, application: start.application)
        chip.syncFlags |= mask
        let ram = chip.memory.systemRAM
        ram.write32(16, image)
        ram.write32(20, UInt32(start.flags) << 8 | UInt32(start.application))
        let kind = ApplicationImage.recognise(at: image, in: chip.memory, now: now)
        for number in 1..<chip.cores.count where mask >> UInt32(number) & 1 == 1 {
            let core = chip.core(number)
            core.prepare(application: start.application, now: now)
            core.start(kind?.makeProgram(self.fabric.description), flags: start.flags, now: now)
        }
    }

    /// Cores run the idle stub again.
    private func idle(_ mask: UInt32, of chip: NativeChip, now: NIODeadline) {
        guard mask != 0 else { return }
        self.restoreStub(on: chip)
        self.start(image: chip.parameters.sdramSystem, word: mask, on: chip, now: now)
    }

    /// SC&MP keeps the stub in ITCM and stages it like any image, over whatever was staged there.
    private func restoreStub(on chip: NativeChip) {
        let at = Int(chip.parameters.sdramSystem & 0x07FF_FFFF)
        chip.memory.sdram.fill(at, word: 0, count: NativeSystem.stubSize)
        let header = ApplicationImage.stub
        header.withUnsafeBytes { chip.memory.sdram.write(at, $0) }
    }

    // MARK: Signals

    func signal(_ packet: SCPPacket, at chip: NativeChip, now: NIODeadline) -> Outcome {
        switch packet.arguments.arg1 {
        case SignalType.multicast.rawValue:
            guard chip === chip.machine.root else { return .refused(.badArgument) }
            self.broadcast(packet.arguments.arg2, in: chip.machine, now: now)
        case SignalType.nearestNeighbour.rawValue:
            self.flood(
                FloodPacket(opcode: .signal0, key: 0, data: 5 << 28 | packet.arguments.arg2), from: chip, links: 0x3F, now: now)
        default: return .refused(.badArgument)
        }
        return .ok
    }

    /// By multicast packet down the tree: to every chip, the root included.
    private func broadcast(_ data: UInt32, in machine: NativeMachine, now: NIODeadline) {
        for chip in machine.chips where chip.isAlive && chip.isMonitorAlive { self.signal(data, on: chip, now: now) }
    }

    /// `signal << 16 | mask << 8 | app`: to the cores whose application, masked, is `app`.
    func signal(_ data: UInt32, on chip: NativeChip, now: NIODeadline) {
        let signal = Signal(rawValue: UInt8(data >> 16 & 15))
        let mask = UInt8(truncatingIfNeeded: data >> 8)
        let application = UInt8(truncatingIfNeeded: data)
        var cores: UInt32 = 0
        for number in 1..<max(1, chip.cores.count) where chip.application(ofCore: number) & mask == application {
            cores |= 1 << UInt32(number)
        }
        switch signal {
        case .initialise: self.idle(cores, of: chip, now: now)
        case .powerDown: for core in chip.cores(cores) { core.powerDown() }
        case .stop:
            // Upwards from the application, as long as the mask fits.
            var candidate = application
            while candidate & mask == application {
                self.clean(candidate, of: chip)
                guard candidate < 255 else { break }
                candidate += 1
            }
            self.idle(cores, of: chip, now: now)
        case .sync0:
            chip.syncFlags &= ~cores
            for core in chip.cores(cores) { core.flagChanged(now: now) }
        case .sync1:
            chip.syncFlags |= cores
            for core in chip.cores(cores) { core.flagChanged(now: now) }
        default: for core in chip.cores(cores) { core.receive(signal, now: now) }
        }
    }

    /// Gives back what an application holds.
    private func clean(_ application: UInt8, of chip: NativeChip) {
        // A chip whose memory nobody has touched holds nothing for anybody.
        guard chip.existingMemory != nil, !chip.applications.isClean(application) else { return }
        chip.freeSDRAM(ofApplication: application)
        chip.free(application: application, heap: chip.parameters.systemRAMHeap)
        if application != 0 { chip.free(application: application, heap: chip.parameters.systemHeap) }
        _ = RouterCopy.release(application: application, isCleared: true, in: chip.memory, copy: chip.layout.routerCopy)
        chip.applications.stop(application)
    }

    // MARK: Count

    /// Counts cores of the chip's board by application and state. The answer takes 10 ms, whatever happens.
    func count(_ packet: SCPPacket, _ reply: Reply, at chip: NativeChip, now: NIODeadline) -> Outcome {
        guard !chip.isCounting else { return .refused(.p2pBusy) }
        chip.isCounting = true
        var total: UInt32 = 0
        var isComplete = true
        let application = packet.arguments.arg1
        let state = packet.arguments.arg2
        for other in self.boardChips(of: chip) {
            guard let other, other.isAlive, other.isMonitorAlive, other.injectedResult == nil else {
                isComplete = false
                continue
            }
            total += other.count(application: application, state: state)
        }
        let flags = packet.header.flags
        self.fabric.timers.schedule(at: now + .milliseconds(10)) { [unowned self] then in
            guard chip.isAlive, chip.isMonitorAlive else { return }
            chip.isCounting = false
            guard flags.contains(.replyWanted) else { return }
            var reply = reply
            reply.bytes.put(total)
            if isComplete {
                // The rest of the request is sent back with it.
                reply.bytes.put(packet.arguments.arg2)
                reply.bytes.put(packet.arguments.arg3)
                reply.bytes.writeImmutableBuffer(packet.data)
            } else {
                reply.setResult(.p2pNoReply)
            }
            self.send(reply, from: chip, now: then)
        }
        return .deferred
    }

    /// The chip, and those to which it has a route among the 47 that would be its board's if it were the Ethernet chip. (From
    /// another chip the count is of little use; that is the firmware's way.)
    ///
    /// SC&MP 4.0.0 does not wrap these addresses at the edge of a torus, and so misses cores of boards that lie across it: a
    /// host would wait for them for ever. The model wraps them.
    private func boardChips(of chip: NativeChip) -> [NativeChip?] {
        let machine = chip.machine
        var chips: [NativeChip?] = [chip]
        for local in BoardShape.spinn5.chips where local != .origin {
            var x = Int(chip.address.x) + Int(local.x)
            var y = Int(chip.address.y) + Int(local.y)
            if machine.width % 12 == 0, x >= machine.width { x -= machine.width }
            if machine.height % 12 == 0, y >= machine.height { y -= machine.height }
            guard let x = UInt8(exactly: x), let y = UInt8(exactly: y) else { continue }
            let address = ChipID(x: x, y: y)
            if chip.memory.p2pEntry(of: address) < Routes.none { chips.append(machine.chip(at: address)) }
        }
        return chips
    }

    // MARK: Remap

    /// Takes a core out of service: the maps are made anew, and all application cores start again with the idle stub.
    func remap(_ packet: SCPPacket, at chip: NativeChip, now: NIODeadline) -> Outcome {
        let core = packet.arguments.arg1
        guard core <= 18 else { return .refused(.badArgument) }
        let number = UInt8(core)
        let physical = packet.arguments.arg2 & 1 == 1 ? number : chip.cores.physical(number)
        guard let physical, let virtual = chip.cores.virtual(physical), virtual != 0,
            let map = CoreMap(working: chip.cores.working & ~(1 << UInt32(physical)), elected: chip.cores.monitor)
        else { return .refused(.badArgument) }
        chip.remap(map)
        self.idle((1 << UInt32(map.count)) - 2, of: chip, now: now)
        return .ok
    }
}
