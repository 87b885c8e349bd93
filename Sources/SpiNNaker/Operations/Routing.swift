//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension ChipHandle {
    /// Loads multicast entries into a run of the router that it allocates for an application.
    ///
    /// The entries are put at the place in the chip's SDRAM where applications' images go too (0x67800000): load routes
    /// and an application to one chip one after the other. No entries: nothing is done.
    ///
    /// - Returns: the number of the first entry; nil when there was nothing to load.
    /// - Throws: ``TransceiverError/Code/outOfRoutingEntries``.
    @discardableResult
    public func loadRoutes(
        _ entries: [MulticastEntry], application: UInt8
    ) async throws(TransceiverError) -> Int? {
        guard !entries.isEmpty else { return nil }
        guard entries.count <= RouterTableImage.maximumEntries else { throw self.outOfEntries(entries.count) }
        let count = UInt16(truncatingIfNeeded: entries.count)
        var image = ByteBuffer()
        RouterTableImage(entries: entries).write(into: &image)
        try await self.write(image, at: MemoryMap.systemSDRAM)
        let monitor = CoreID.monitor(of: self.chip)
        let first = try await self.transceiver.send(
            AllocateRouterEntries(count: UInt32(count), application: application), to: monitor
        ).word
        guard first != 0 else { throw self.outOfEntries(entries.count) }
        let load: LoadRouter
        do throws(WireError) {
            load = try LoadRouter(count: count, application: application, table: MemoryMap.systemSDRAM, first: first)
        } catch {
            throw TransceiverError(error, chip: self.chip)
        }
        _ = try await self.transceiver.send(load, to: monitor)
        return Int(first)
    }

    private func outOfEntries(_ count: Int) -> TransceiverError {
        TransceiverError(
            .outOfRoutingEntries, "the router of chip \(self.chip) has no run of \(count) free entries", chip: self.chip)
    }

    /// The multicast entries in use, of one application or of all.
    public func routes(of application: UInt8? = nil) async throws(TransceiverError) -> [MulticastEntry] {
        let table: UInt32 = try await self.transceiver.read(SV.routerCopy, of: self.chip)
        return try await self.routes(inTableAt: table, of: application)
    }

    func routes(inTableAt table: UInt32, of application: UInt8?) async throws(TransceiverError) -> [MulticastEntry] {
        var bytes = try await self.read(at: table, count: RouterCopyEntry.count * RouterCopyEntry.size)
        var entries: [MulticastEntry] = []
        do throws(WireError) {
            while bytes.readableBytes > 0 {
                let copy = try RouterCopyEntry(from: &bytes)
                guard let entry = copy.entry, application == nil || application == copy.application else { continue }
                entries.append(entry)
            }
        } catch {
            throw TransceiverError(error, chip: self.chip)
        }
        return entries
    }

    /// Clears every multicast entry, whoever loaded it.
    public func clearRoutes() async throws(TransceiverError) {
        _ = try await self.transceiver.send(ClearRouter(), to: .monitor(of: self.chip))
    }

    /// Where packets without a key go.
    public func setFixedRoute(_ route: RouteWord, application: UInt8) async throws(TransceiverError) {
        _ = try await self.transceiver.send(SetFixedRoute(route, application: application), to: .monitor(of: self.chip))
    }

    public func fixedRoute(application: UInt8 = 0) async throws(TransceiverError) -> RouteWord {
        try await self.transceiver.send(GetFixedRoute(application: application), to: .monitor(of: self.chip)).route
    }

    /// The router's counters and errors.
    public func routerDiagnostics() async throws(TransceiverError) -> RouterDiagnostics {
        let monitor = CoreID.monitor(of: self.chip)
        let reads = try await self.transceiver.sendAll(
            [
                (RouterRegister.address(RouterRegister.control), 4),
                (RouterRegister.address(RouterRegister.errorStatus), 4),
                (RouterRegister.address(RouterRegister.counters), 64),
            ].map { (ReadMemory(address: $0.0, size: $0.1), monitor) })
        do throws(WireError) {
            var control = reads[0].bytes
            var errors = reads[1].bytes
            var counters = reads[2].bytes
            return try RouterDiagnostics(
                control: control.take(of: "router control"),
                errors: RouterErrors(rawValue: errors.take(of: "router errors")), from: &counters)
        } catch {
            throw TransceiverError(.unusableMachine, "\(error)", chip: self.chip)
        }
    }

    /// Sets all counters of the router to zero, and all of them counting.
    public func clearRouterCounters() async throws(TransceiverError) {
        try await self.writeWord(.max, at: RouterRegister.clearCounters)
    }

    /// Says what a counter counts.
    ///
    /// - Parameter position: 0...15; SC&MP's own use is 0...11 (``RouterCounter``).
    public func setDiagnosticFilter(_ filter: DiagnosticFilter, at position: UInt8) async throws(TransceiverError) {
        try self.check(position)
        try await self.writeWord(filter.rawValue, at: RouterRegister.filter(position))
    }

    public func diagnosticFilter(at position: UInt8) async throws(TransceiverError) -> DiagnosticFilter {
        try self.check(position)
        return DiagnosticFilter(rawValue: try await self.readWord(at: RouterRegister.filter(position)))
    }

    private func check(_ position: UInt8) throws(TransceiverError) {
        guard position < 16 else {
            throw TransceiverError(.invalidArgument, "a router has no filter \(position)", chip: self.chip)
        }
    }
}

extension Transceiver {
    /// Clears the routers of the whole machine, which must have been discovered: counters, multicast entries, and the two
    /// filters that SpiNNMan uses (14 and 15: default-routed packets from elsewhere, and from here).
    public func resetRouting() async throws(TransceiverError) {
        let chips = try self.discovered().chips.map(\.id)
        try await self.clearRouterCounters()
        try await self.clearRoutes()
        let filters: [(UInt8, DiagnosticFilter)] = [(14, .defaultRoutedExternal), (15, .defaultRoutedLocal)]
        _ = try await self.sendAll(
            chips.flatMap { chip in
                filters.map { position, filter in
                    (
                        WriteMemory(
                            address: RouterRegister.filter(position),
                            data: ByteBuffer(integer: filter.rawValue, endianness: .little)),
                        CoreID.monitor(of: chip)
                    )
                }
            })
    }

    /// Clears every multicast entry of the whole machine, which must have been discovered.
    public func clearRoutes() async throws(TransceiverError) {
        _ = try await self.sendAll(self.discovered().chips.map { (ClearRouter(), CoreID.monitor(of: $0.id)) })
    }

    /// Sets all counters of all routers to zero. The machine must have been discovered.
    public func clearRouterCounters() async throws(TransceiverError) {
        let ones = WriteMemory(address: RouterRegister.clearCounters, data: ByteBuffer(integer: UInt32.max))
        _ = try await self.sendAll(self.discovered().chips.map { (ones, CoreID.monitor(of: $0.id)) })
    }

    /// The machine, which some operations need to know.
    func discovered() throws(TransceiverError) -> Machine {
        guard let machine = self.machine else {
            throw TransceiverError(.unusableMachine, "the machine has not been looked at: call discoverMachine() first")
        }
        return machine
    }
}
