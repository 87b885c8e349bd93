//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI
import SpiNNakerMachine

/// A job of an ``InMemorySpallocClient``.
public struct InMemorySpallocJob: SpallocJobProtocol {
    public let id: Int
    let client: InMemorySpallocClient

    public func details() async throws(SpallocError) -> JobDescription {
        let record = try self.client.record(self.id)
        return JobDescription(state: record.state, reason: record.reason)
    }

    public func machine() async throws(SpallocError) -> JobMachine? {
        let record = try self.client.record(self.id)
        guard let root = record.boards.first else { return nil }
        let connections = record.boards.map { board in
            // The addresses are of no network: board n of triad (x, y) is 192.0.2.n of a documentation range.
            JobMachine.Connection(
                chip: self.chip(of: board, root: root),
                hostname: "192.0.2.\((board.x * self.client.height + board.y) * 3 + board.z + 1)")
        }
        let depth = record.boards.count == 1 ? 1 : 3
        return JobMachine(
            width: self.client.width, height: self.client.height, depth: depth, machineName: self.client.machineName,
            connections: connections, boards: record.boards)
    }

    /// A board's Ethernet chip relative to the root board's: triads are 12 chips apart, within one z is (0,0), (8,4), (4,8).
    private func chip(of board: BoardCoordinates, root: BoardCoordinates) -> ChipPosition {
        func position(_ board: BoardCoordinates) -> (x: Int, y: Int) {
            let offset = [(0, 0), (8, 4), (4, 8)][min(max(board.z, 0), 2)]
            return (board.x * 12 + offset.0, board.y * 12 + offset.1)
        }
        let (a, b) = (position(board), position(root))
        let (width, height) = (self.client.width * 12, self.client.height * 12)
        return ChipPosition(x: (a.x - b.x + width) % width, y: (a.y - b.y + height) % height)
    }

    public func whereIs(_ chip: ChipPosition) async throws(SpallocError) -> WhereIs? {
        guard let machine = try await self.machine() else { return nil }
        guard let index = machine.connections.firstIndex(where: { $0.chip == chip }) else {
            throw SpallocError(.notFound, "only Ethernet chips are known here, not \(chip)", job: self.id)
        }
        return WhereIs(
            machine: machine.machineName, chip: chip, boardChip: chip, logicalBoardCoordinates: machine.boards[index])
    }

    public func waitForChange(from old: JobState, timeout: Duration) async throws(SpallocError) -> JobState {
        let deadline = ContinuousClock.now + timeout
        while true {
            let state = try self.client.record(self.id).state
            if state != old || old == .destroyed { return state }
            guard !Task.isCancelled else { throw SpallocError(.cancelled, "cancelled while waiting", job: self.id) }
            guard ContinuousClock.now < deadline else {
                throw SpallocError(.timeout, "it is still \(state)", job: self.id)
            }
            let id = self.client.nextWaiter()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.client.sleep(self.id, whileIn: old, id: id) }
                group.addTask { try? await ContinuousClock().sleep(until: deadline) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    public func waitUntilReady(timeout: Duration) async throws(SpallocError) {
        let deadline = ContinuousClock.now + timeout
        var state = try self.client.record(self.id).state
        while state != .ready {
            if state == .destroyed {
                throw SpallocError(
                    .jobDestroyed, "the job is over", serverMessage: try self.client.record(self.id).reason, job: self.id)
            }
            do throws(SpallocError) {
                state = try await self.waitForChange(from: state, timeout: deadline - ContinuousClock.now)
            } catch {
                guard error.code == .timeout, state == .queued else { throw error }
                throw SpallocError(.queueTimeout, "no boards came free within \(timeout)", job: self.id)
            }
        }
    }

    public func keepAlive() async throws(SpallocError) {
        _ = try self.client.record(self.id)
        self.client.change(self.id) { record, _ in record.keepalives += 1 }
    }

    public func power() async throws(SpallocError) -> PowerState? {
        let record = try self.client.record(self.id)
        return record.boards.isEmpty ? nil : record.power
    }

    public func setPower(_ power: PowerState) async throws(SpallocError) {
        guard !(try self.client.record(self.id).boards.isEmpty) else {
            throw SpallocError(.notReady, "it has no boards to switch", job: self.id)
        }
        self.client.change(self.id) { record, _ in
            record.power = power
            // Memory does not survive.
            if power == .off { record.memory = [:] }
        }
    }

    public func reportIssue(_ issue: String, boards: [IssueReport.Board]) async throws(SpallocError) -> String {
        _ = try self.client.record(self.id)
        self.client.change(self.id) { record, _ in record.issues.append(IssueReport(issue: issue, boards: boards)) }
        return "report noted"
    }

    public func readMemory(chip: ChipID, address: UInt32, count: Int) async throws(SpallocError) -> ByteBuffer {
        let record = try self.live()
        return ByteBuffer(bytes: (0..<max(0, count)).map { record.memory[Self.key(chip, address, $0)] ?? 0 })
    }

    public func writeMemory(chip: ChipID, address: UInt32, _ data: ByteBuffer) async throws(SpallocError) {
        _ = try self.live()
        self.client.change(self.id) { record, _ in
            for (offset, byte) in data.readableBytesView.enumerated() { record.memory[Self.key(chip, address, offset)] = byte }
        }
    }

    public func resetRouting(filters: [Int: UInt32]) async throws(SpallocError) { _ = try self.live() }

    public func destroy(reason: String) async throws(SpallocError) {
        guard try self.client.record(self.id).state != .destroyed else { return }
        self.client.setState(.destroyed, of: self.id, reason: reason)
    }

    private func live() throws(SpallocError) -> InMemorySpallocClient.Record {
        let record = try self.client.record(self.id)
        guard !record.boards.isEmpty else { throw SpallocError(.notReady, "it has no boards", job: self.id) }
        return record
    }

    private static func key(_ chip: ChipID, _ address: UInt32, _ offset: Int) -> UInt64 {
        UInt64(chip.p2pAddress) << 32 | UInt64(address &+ UInt32(truncatingIfNeeded: offset))
    }
}
