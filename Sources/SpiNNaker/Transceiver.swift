//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Synchronization

/// A booted SpiNNaker machine, to its user: memory, cores, routes, tags.
///
/// It talks to one or more boards, each over a ``DatagramLink`` to the board's Ethernet chip, and sends what concerns a
/// chip to that chip's board. Make one with ``withTransceiver(to:configuration:_:)`` or
/// ``withTransceiver(links:boot:bmps:configuration:_:)``; it is for use within their scope.
///
/// Handles name the chip or core once: `transceiver[chip].read(...)`.
public final class Transceiver: Sendable {
    public let configuration: TransceiverConfiguration

    /// A connection to a board.
    struct Board: Sendable {
        /// Its Ethernet chip; ``ChipID/root`` until that is known.
        var chip: ChipID
        let connection: SCPConnection
        /// The board's own IP address, once it is known.
        var address: IPv4Address?
    }

    struct State: Sendable {
        var boards: [Board]
        var selector: ConnectionSelector
        var machine: Machine?
        var shape: MachineShape?
        /// Of the last flood fill.
        var floodFillID: UInt8 = 1
        var iobufSize: UInt32?
    }

    private let state: Mutex<State>
    let boot: (any DatagramLink)?
    /// Those that were given, in their order.
    public let bmps: [BMP]
    /// Another way to memory; nil: there are only the links.
    let memoryService: (any MemoryService)?

    init(
        boards: [Board], boot: (any DatagramLink)?, bmps: [BMP], memoryService: (any MemoryService)? = nil,
        configuration: TransceiverConfiguration
    ) throws(TransceiverError) {
        guard let selector = ConnectionSelector(boards.map(\.chip)) else {
            throw TransceiverError(.noConnection, "a transceiver needs a link to one board at least")
        }
        self.configuration = configuration
        self.boot = boot
        self.bmps = bmps
        self.memoryService = memoryService
        self.state = Mutex(State(boards: boards, selector: selector))
    }

    /// The machine, once ``discoverMachine()`` has seen it.
    public var machine: Machine? { self.withState { $0.machine } }

    /// The Ethernet chips that there are links to; ``ChipID/root`` for a link of which that is not known yet.
    public var connectedChips: [ChipID] { self.withState { $0.boards.map(\.chip) } }

    /// A chip, to read and write.
    public subscript(chip: ChipID) -> ChipHandle { ChipHandle(transceiver: self, chip: chip) }
    /// A core, to look at and signal.
    public subscript(core: CoreID) -> CoreHandle { CoreHandle(transceiver: self, core: core) }

    // MARK: - Connections

    func withState<Value: Sendable>(_ body: (inout State) -> Value) -> Value { self.state.withLock { body(&$0) } }

    /// The connection for a chip.
    func connection(to chip: ChipID) -> SCPConnection {
        self.withState { state in state.boards[state.selector.connection(to: chip)].connection }
    }

    func addBoard(_ board: Board) {
        self.withState { state in
            state.boards.append(board)
            self.rebuildSelector(&state)
        }
    }

    func rebuildSelector(_ state: inout State) {
        let machine = state.machine
        let shape = state.shape
        let selector = ConnectionSelector(state.boards.map(\.chip)) { chip in
            // What the machine says of itself goes before what its size lets one suppose.
            if let machine { return machine[chip]?.nearestEthernet }
            return shape?.ethernetChip(nearest: chip)
        }
        if let selector { state.selector = selector }
    }

    /// Closes every link. When it returns, they are closed.
    func close() async {
        for board in self.withState({ $0.boards }) { await board.connection.closeAndWait() }
        if let boot = self.boot {
            // It can only fail when the event loop is gone, and then so is the link.
            try? await boot.eventLoop.submit { boot.close() }.get()
        }
        for bmp in self.bmps { await bmp.connection.closeAndWait() }
    }

    // MARK: - Requests

    /// Sends one request by the most direct connection.
    func send<Request: SCPRequest>(
        _ request: Request, to core: CoreID, policy: SCPPolicy? = nil
    ) async throws(TransceiverError) -> Request.Response {
        do throws(SCPError) {
            return try await self.connection(to: core.chip).send(request, to: core, policy: policy)
        } catch {
            throw TransceiverError(error)
        }
    }

    /// Sends requests of one type, each board's at the same time as the others'; the replies in the order of the
    /// requests. The first failure ends it.
    func sendAll<Request: SCPRequest>(
        _ requests: [(request: Request, core: CoreID)], policy: SCPPolicy? = nil
    ) async throws(TransceiverError) -> [Request.Response] {
        let results = try await self.results(of: requests.map { SCPCall($0.request, to: $0.core) }, policy: policy)
        var responses: [Request.Response] = []
        responses.reserveCapacity(results.count)
        for (result, request) in zip(results, requests) {
            responses.append(try self.decode(result, of: Request.self, from: request.core))
        }
        return responses
    }

    func decode<Request: SCPRequest>(
        _ result: Result<SCPReply, SCPError>, of _: Request.Type, from core: CoreID
    ) throws(TransceiverError) -> Request.Response {
        do throws(SCPError) {
            return try self.connection(to: core.chip).decode(try result.get(), of: Request.self, from: core)
        } catch {
            throw TransceiverError(error)
        }
    }

    /// Sends requests of any type, each board's at the same time as the others'; the results in the order of the calls.
    func results(
        of calls: [SCPCall], policy: SCPPolicy? = nil
    ) async throws(TransceiverError) -> [Result<SCPReply, SCPError>] {
        var groups: [ObjectIdentifier: (connection: SCPConnection, indices: [Int])] = [:]
        var order: [ObjectIdentifier] = []
        for (index, call) in calls.enumerated() {
            let connection = self.connection(to: call.core.chip)
            let key = ObjectIdentifier(connection)
            if groups[key] == nil { order.append(key) }
            groups[key, default: (connection, [])].indices.append(index)
        }
        if order.count <= 1 {
            guard let group = order.first.flatMap({ groups[$0] }) else { return [] }
            do throws(SCPError) {
                return try await group.connection.results(of: calls, policy: policy)
            } catch {
                throw TransceiverError(error)
            }
        }
        var results = [Result<SCPReply, SCPError>?](repeating: nil, count: calls.count)
        var failure: SCPError?
        await withTaskGroup(of: BoardAnswers.self) { tasks in
            for key in order {
                guard let (connection, indices) = groups[key] else { continue }
                let part = indices.map { calls[$0] }
                tasks.addTask { await BoardAnswers(to: part, at: indices, from: connection, policy: policy) }
            }
            for await board in tasks {
                switch board.answers {
                case .success(let answers): for (index, answer) in zip(board.indices, answers) { results[index] = answer }
                case .failure(let error):
                    failure = failure ?? error
                    tasks.cancelAll()
                }
            }
        }
        if let failure { throw TransceiverError(failure) }
        return results.compactMap { $0 }
    }

    /// Turns what goes wrong with a request into this library's error.
    func wrapping<Value>(
        _ body: () async throws(SCPError) -> Value
    ) async throws(TransceiverError) -> Value {
        do throws(SCPError) {
            return try await body()
        } catch {
            throw TransceiverError(error)
        }
    }

    /// A pause that a cancelled task does not sit out.
    func pause(_ duration: Duration) async throws(TransceiverError) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw TransceiverError(SCPError(.cancelled, link: "none"))
        }
    }
}

/// What one board said to its part of a group of calls.
///
/// A struct with an initialiser, not a tuple made in a task's closure: Swift 6.3.1's optimiser builds such a tuple wrongly
/// around a typed throw, and the group then reads a bad pointer.
private struct BoardAnswers: Sendable {
    let indices: [Int]
    let answers: Result<[Result<SCPReply, SCPError>], SCPError>

    init(to calls: [SCPCall], at indices: [Int], from connection: SCPConnection, policy: SCPPolicy?) async {
        self.indices = indices
        do {
            self.answers = .success(try await connection.results(of: calls, policy: policy))
        } catch {
            self.answers = .failure(error)
        }
    }
}
