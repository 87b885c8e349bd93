//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

// CMD_ALLOC and CMD_RTR.
extension NativeSystem {
    func allocate(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip) -> Outcome {
        guard let command = try? AllocateCommand(arguments: packet.arguments, data: packet.data) else {
            return .refused(.badArgument)
        }
        let application = command.application
        switch command.operation {
        case .allocateSDRAM:
            reply.bytes.put(
                chip.allocateSDRAM(
                    command.arg2, tag: command.arg3, application: application, mayRepeat: command.flags.contains(.retryTag)))
            chip.applications.setClean(false, application: application)
        case .freeSDRAM: chip.freeSDRAM(command.arg2)
        case .freeSDRAMOfApplication: reply.bytes.put(chip.freeSDRAM(ofApplication: application))
        case .allocateRouterEntries:
            reply.bytes.put(
                chip.hasRouterEntries
                    ? RouterCopy.allocate(command.arg2, application: application, in: chip.memory, copy: chip.layout.routerCopy)
                    : 0)
            chip.applications.setClean(false, application: application)
        case .freeRouterEntries:
            RouterCopy.release(command.arg2, isCleared: command.arg3 != 0, in: chip.memory, copy: chip.layout.routerCopy)
        case .freeRouterEntriesOfApplication:
            reply.bytes.put(
                RouterCopy.release(
                    application: application, isCleared: command.arg2 != 0, in: chip.memory, copy: chip.layout.routerCopy))
        case .sdramSpace:
            reply.bytes.put(Heap.freeBytes(root: chip.parameters.sdramHeap, in: chip.memory))
            reply.bytes.put(chip.largestFreeSDRAM)
        case .taggedSDRAM:
            reply.bytes.put(chip.taggedSDRAM(UInt8(truncatingIfNeeded: command.arg2), application: application))
        default: return .refused(.badArgument)
        }
        return .ok
    }

    func router(_ packet: SCPPacket, _ reply: inout Reply, at chip: NativeChip) -> Outcome {
        guard let command = try? RouterCommand(arguments: packet.arguments, data: packet.data) else {
            return .refused(.badArgument)
        }
        let copy = chip.layout.routerCopy
        let entries = UInt32(SystemHeapLayout.routerEntries)
        switch command.operation {
        case .initialise: RouterCopy.reset(in: chip.memory, copy: copy)
        case .clear:
            let (end, overflow) = command.arg2.addingReportingOverflow(UInt32(command.count))
            guard !overflow, end <= entries else { return .refused(.badArgument) }
            RouterCopy.clear(Int(command.arg2)..<Int(end), in: chip.memory, copy: copy)
        case .load: return self.loadRoutes(command, at: chip)
        case .fixedRoute:
            let fixed = SVOffset.base + SVOffset.fixedRoute
            if command.arg2 & 0x8000_0000 != 0 {
                reply.bytes.put(chip.memory.systemRAM.read32(fixed))
            } else {
                let route = command.arg2 & 0x00FF_FFFF
                chip.memory.systemRAM.write32(fixed, route)
                let register = 0x84
                let kept = chip.memory.router.read32(register) & 0xFF00_0000
                chip.memory.router.write32(register, kept | RouterCopy.physicalRoute(route, cores: chip.cores))
            }
        default: return .refused(.badArgument)
        }
        return .ok
    }

    /// Entries from a table in memory, 16 bytes each: u16 index, u16 (of the first: how many, when the command does not say),
    /// u32 route, key, mask. What lies before an impossible one stays loaded.
    private func loadRoutes(_ command: RouterCommand, at chip: NativeChip) -> Outcome {
        let memory = chip.memory
        let count = command.count == 0 ? Int(memory.read32(command.arg2) >> 16) : Int(command.count)
        guard count <= SystemHeapLayout.routerEntries else { return .refused(.badArgument) }
        for index in 0..<count {
            let at = command.arg2 &+ 16 * UInt32(index)
            let entry = (memory.read32(at) & 0xFFFF) &+ command.arg3
            guard entry < UInt32(SystemHeapLayout.routerEntries) else { return .refused(.badArgument) }
            let route = memory.read32(at &+ 4)
            // The application's number rides on the route's top byte; 0 leaves whatever the table has there.
            let owner = UInt8(truncatingIfNeeded: (route >> 24) &+ UInt32(command.application))
            RouterCopy.load(
                Int(entry), route: route, key: memory.read32(at &+ 8), mask: memory.read32(at &+ 12), application: owner,
                cores: chip.cores, in: memory, copy: chip.layout.routerCopy)
        }
        return .ok
    }
}

extension NativeChip {
    var parameters: BootParameters { self.machine.parameters }
    package var layout: SystemHeapLayout { SystemHeapLayout(heap: self.machine.parameters.systemHeap) }

    /// - Returns: the address of the block; 0 when there is none.
    func allocateSDRAM(_ size: UInt32, tag: UInt32, application: UInt8, mayRepeat: Bool) -> UInt32 {
        guard size != 0, tag <= 255, self.hasSDRAM else { return 0 }
        let owner = UInt16(application) << 8 | UInt16(tag)
        let slot = self.layout.allocationTags + 4 * UInt32(owner)
        if tag != 0 {
            let held = self.memory.read32(slot)
            if held != 0 {
                // The size asked for is compared with the rounded one: only whole words can be asked for again.
                return mayRepeat && Heap.payloadSize(held, in: self.memory) == size ? held : 0
            }
        }
        let payload = Heap.allocate(size, owner: owner, root: self.parameters.sdramHeap, in: self.memory)
        if payload != 0, tag != 0 { self.memory.write32(slot, payload) }
        return payload
    }

    func freeSDRAM(_ payload: UInt32) { self.release(payload, heap: self.parameters.sdramHeap) }

    private func release(_ payload: UInt32, heap: UInt32) {
        guard let owner = Heap.release(payload, root: heap, in: self.memory), owner & 0xFF != 0 else { return }
        self.memory.write32(self.layout.allocationTags + 4 * UInt32(owner), 0)
    }

    /// - Returns: how many blocks have been given back.
    @discardableResult
    func freeSDRAM(ofApplication application: UInt8) -> UInt32 {
        self.free(application: application, heap: self.parameters.sdramHeap)
    }

    @discardableResult
    func free(application: UInt8, heap: UInt32) -> UInt32 {
        let blocks = Heap.blocks(ofApplication: application, root: heap, in: self.memory)
        for payload in blocks { self.release(payload, heap: heap) }
        return UInt32(clamping: blocks.count)
    }

    func taggedSDRAM(_ tag: UInt8, application: UInt8) -> UInt32 {
        self.memory.read32(self.layout.allocationTags + 4 * (UInt32(application) << 8 | UInt32(tag)))
    }
}
