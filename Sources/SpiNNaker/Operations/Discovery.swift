//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension Transceiver {
    /// What the root chip says it is.
    public func version() async throws(TransceiverError) -> VersionInfo {
        try await self.send(GetVersion(), to: .monitor(of: .root))
    }

    /// Looks at every chip of the machine, all boards at once, and remembers what it finds as ``machine``.
    ///
    /// Chips that do not answer are left out, and noted; so are links that work one way only. It asks the root chip for
    /// the machine's size, its own coordinates and the P2P tables, then each chip that is in the tables for its state and
    /// its core maps.
    ///
    /// - Throws: ``TransceiverError`` when the root chip does not answer or has no address, or the size is not one.
    @discardableResult
    public func discoverMachine() async throws(TransceiverError) -> Machine {
        let shape = try await self.readShape()
        let version = try await self.version()
        guard version.chip != .root else {
            throw TransceiverError(.unusableMachine, "the machine is still looking for its shape")
        }
        self.withState { state in
            state.shape = shape
            self.rebuildSelector(&state)
        }
        var survey = Survey(shape: shape, root: version.chip, expected: [])
        survey.expected = try await self.readKnownChips(shape, root: version.chip)

        let calls = survey.expected.flatMap { chip in
            let monitor = CoreID.monitor(of: chip)
            return [
                SCPCall(GetChipInfo(), to: monitor),
                SCPCall(
                    ReadMemory(
                        address: SV.physicalToVirtual.address, size: SV.physicalToVirtual.size + SV.virtualToPhysical.size),
                    to: monitor),
            ]
        }
        let results = try await self.results(of: calls)
        for (index, chip) in survey.expected.enumerated() {
            // A chip that does not answer both is not used: its failure is its note.
            guard let info = try? self.decode(results[2 * index], of: GetChipInfo.self, from: .monitor(of: chip)),
                var maps = try? results[2 * index + 1].get().payload,
                let physical = maps.readBytes(length: SV.physicalToVirtual.size), !physical.isEmpty,
                let virtual = maps.readBytes(length: SV.virtualToPhysical.size)
            else { continue }
            survey.answers[chip] = info
            survey.virtualToPhysical[chip] = virtual
        }
        let machine = try survey.machine()
        self.withState { state in
            state.machine = machine
            // A link whose chip was not known leads to the root.
            for index in state.boards.indices where state.boards[index].chip == .root {
                state.boards[index].chip = machine.root
            }
            for index in state.boards.indices { state.boards[index].address = machine[state.boards[index].chip]?.address }
            self.rebuildSelector(&state)
        }
        return machine
    }

    /// Makes links to the boards whose addresses the machine knows and that there is no link to yet; `connect` makes one, to the
    /// board with that number (the root board's is 0). A board that can not be reached stays without: its messages go through the others.
    func connectBoards(
        _ connect: @Sendable @escaping (IPv4Address, Int) async throws -> any DatagramLink
    ) async throws(TransceiverError) {
        let shape = try await self.readShape()
        let version = try await self.version()
        let known = Set(self.connectedChips)
        let root = version.chip
        self.withState { state in
            state.shape = shape
            for index in state.boards.indices where state.boards[index].chip == .root { state.boards[index].chip = root }
            self.rebuildSelector(&state)
        }
        let candidates = shape.ethernetChips.filter { $0 != root && !known.contains($0) }
        let results = try await self.results(
            of: candidates.map { SCPCall(ReadMemory(address: SV.ipAddress.address, size: 4), to: .monitor(of: $0)) })
        let boards = zip(candidates, results).compactMap { chip, result -> (chip: ChipID, address: IPv4Address)? in
            guard var payload = try? result.get().payload,
                let word = payload.readInteger(endianness: .little, as: UInt32.self), word != 0
            else { return nil }
            return (chip, IPv4Address(wireWord: word))
        }
        // All at once: a board that does not answer is waited for once, not once for each. In their order, whoever answers first.
        let found = await withTaskGroup(of: (Int, Board?).self) { group in
            for (index, board) in boards.enumerated() {
                group.addTask { (index, await self.openBoard(board.chip, board.address, number: index + 1, connect)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for index in boards.indices {
            if let board = found[index] { self.addBoard(board) }
        }
    }

    /// A connection to a board that says it is the one looked for; nil: there is none.
    private func openBoard(
        _ chip: ChipID, _ address: IPv4Address, number: Int,
        _ connect: @Sendable (IPv4Address, Int) async throws -> any DatagramLink
    ) async -> Board? {
        guard let link = try? await connect(address, number) else { return nil }
        let connection = SCPConnection(link: link, configuration: self.configuration.connection)
        connection.start()
        // Three retries, as SpiNNMan's check of a connection has.
        let policy = SCPPolicy(timeout: TimeAmount(self.configuration.timeout), retries: 3)
        // The board itself must say that its Ethernet is up, and that it is the chip it should be.
        guard let reply = try? await connection.reply(to: GetChipInfo(), from: .monitor(of: chip), policy: policy),
            reply.header.sourceChip == chip, let info = try? reply.decode(for: GetChipInfo.self), info.isEthernetUp
        else {
            connection.close()
            return nil
        }
        return Board(chip: chip, connection: connection, address: address)
    }

    /// The machine's size, from the root chip's system variables.
    func readShape() async throws(TransceiverError) -> MachineShape {
        if let shape = self.withState({ $0.shape }) { return shape }
        let bytes = try await self.readBytes(
            SV.p2pDimensions.address, SV.p2pDimensions.size, of: .monitor(of: .root))
        // y first: `width << 8 | height` as a little-endian half-word.
        let size = ChipID(p2pAddress: bytes.getInteger(at: bytes.readerIndex, endianness: .little) ?? 0)
        guard let shape = MachineShape(width: size.x == 0 ? 256 : Int(size.x), height: size.y == 0 ? 256 : Int(size.y)),
            size.x != 0 || size.y != 0
        else {
            throw TransceiverError(.unusableMachine, "the machine does not know its size")
        }
        return shape
    }

    /// The chips that the root chip has a route to, by x, then y.
    private func readKnownChips(_ shape: MachineShape, root: ChipID) async throws(TransceiverError) -> [ChipID] {
        let size = P2PTable.columnSize(height: shape.height)
        let columns = try await self.sendAll(
            (0..<shape.width).map { x in
                (
                    ReadMemory(address: P2PTable.columnAddress(UInt8(truncatingIfNeeded: x)), size: size),
                    CoreID.monitor(of: root)
                )
            })
        var chips: [ChipID] = []
        for (x, column) in columns.enumerated() {
            var bytes = column.bytes
            let routes: [P2PRoute]
            do throws(WireError) {
                routes = try P2PColumn(from: &bytes, height: shape.height).routes
            } catch {
                throw TransceiverError(.unusableMachine, "the P2P table of the root chip: \(error)", chip: root)
            }
            for (y, route) in routes.enumerated() where route != .none {
                chips.append(ChipID(UInt8(truncatingIfNeeded: x), UInt8(truncatingIfNeeded: y)))
            }
        }
        return chips
    }
}
