//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOCore
import NIOPosix
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A virtual machine on the loopback interface: each board and each frame's BMP at its own 127.x address, on the standard
/// ports, as long as ``withVirtualMachineHost(_:base:group:logger:_:)`` runs.
public final class VirtualMachineHost: Sendable {
    public struct Board: Hashable, Sendable {
        public let number: Int
        public let coordinates: BoardCoordinates
        public let physical: PhysicalCoordinates
        /// SCP on UDP 17893, boot ROM on UDP 54321.
        public let address: IPv4Address
    }

    public struct BMP: Hashable, Sendable {
        public let cabinet: Int
        /// In its cabinet.
        public let frame: Int
        /// SCP on UDP 17893. The destination core of a message is the number of a board, 0...23.
        public let address: IPv4Address
    }

    /// Boards that are in their slots, by number.
    public let boards: [Board]
    public let bmps: [BMP]
    /// UDP sockets, those of reverse tags not counted.
    public let socketCount: Int
    private let core: NIOLoopBound<HostCore>

    private init(core: NIOLoopBound<HostCore>, boards: [VirtualMachine.BoardPlace], bmps: [VirtualMachine.BMPPlace]) {
        self.core = core
        self.boards = boards.filter(\.isPresent).map {
            Board(number: $0.number, coordinates: $0.coordinates, physical: $0.physical, address: $0.address)
        }
        self.bmps = bmps.map { BMP(cabinet: $0.cabinet, frame: $0.frame, address: $0.address) }
        self.socketCount = self.boards.count * 2 + self.bmps.count
    }

    // MARK: Looking in

    /// Works on the machine itself, where it lives; what it sends is sent afterwards.
    public func withMachine<Result: Sendable>(
        _ body: @escaping @Sendable (VirtualMachine, NIODeadline) throws -> Result
    ) async throws -> Result {
        let core = self.core
        return try await core.eventLoop.submit { try core.value.act(body) }.get()
    }

    public func isPowered(board: Int) async throws -> Bool {
        try await self.withMachine { machine, _ in machine.isPowered(board: board) }
    }

    public func isBooted(board: Int) async throws -> Bool {
        try await self.withMachine { machine, _ in machine.isBooted(board: board) }
    }

    /// Datagrams in and out of a board.
    public func traffic(ofBoard board: Int) async throws -> BoardTraffic {
        try await self.withMachine { machine, _ in machine.traffic(ofBoard: board) }
    }

    /// Switches a board at once, as a hand at the plug would.
    public func setPower(_ isOn: Bool, board: Int) async throws {
        try await self.withMachine { machine, now in machine.setPower(isOn, board: board, now: now) }
    }

    // MARK: Life

    static func start(
        _ description: VirtualMachineDescription, group: any EventLoopGroup, logger: Logger
    ) async throws -> VirtualMachineHost {
        let eventLoop = group.next()
        let (core, boards, bmps) = try await eventLoop.submit {
            let core = HostCore(machine: try VirtualMachine(description, now: .now()), eventLoop: eventLoop, logger: logger)
            return (NIOLoopBound(core, eventLoop: eventLoop), core.machine.boards, core.machine.bmpPlaces)
        }.get()
        let host = VirtualMachineHost(core: core, boards: boards, bmps: bmps)
        try FileDescriptorLimit.require(host.socketCount)
        do {
            try await eventLoop.flatSubmit { host.bindAll(bmps: bmps) }.get()
        } catch {
            await host.shutDown()
            throw error
        }
        logger.info(
            "virtual machine is up",
            metadata: ["boards": "\(host.boards.count)", "bmps": "\(host.bmps.count)", "sockets": "\(host.socketCount)"])
        return host
    }

    /// On the event loop. All sockets at once: each bind is a few system calls.
    private func bindAll(bmps: [VirtualMachine.BMPPlace]) -> EventLoopFuture<Void> {
        var bound: [EventLoopFuture<Void>] = []
        bound.reserveCapacity(self.socketCount)
        let core = self.core
        func bind(_ endpoint: MachineEndpoint, _ address: IPv4Address, _ port: Int, _ depth: DatagramSockets.Depth) {
            let port = UInt16(port)
            bound.append(
                DatagramSockets.bind(core: core, endpoint: endpoint, address: address, port: port, depth: depth)
                    .map { core.value.attach($0, endpoint: endpoint, port: port) })
        }
        for bmp in bmps { bind(.bmp(frame: bmp.number), bmp.address, SCP.port, .shallow) }
        for board in self.boards {
            bind(.board(board.number), board.address, SCP.port, .deep)
            bind(.board(board.number), board.address, BootMessage.port, .shallow)
        }
        // Wait for all, failed or not: what was bound has to be closed afterwards.
        return EventLoopFuture.whenAllComplete(bound, on: core.eventLoop).flatMapThrowing { results in
            for result in results { try result.get() }
            core.value.started()
        }
    }

    func shutDown() async {
        let core = self.core
        // Closing reports nothing that anybody could act on.
        try? await core.eventLoop.flatSubmit { core.value.close() }.get()
    }
}

/// Runs `body` while a virtual machine listens on the loopback interface, and closes its sockets afterwards.
///
/// - Parameters:
///   - base: the second octet of all addresses, instead of the description's: board b of frame f is 127.base.f.(8·(b+1)+1),
///     the frame's BMP 127.base.f.8.
///   - group: one of its event loops carries the whole machine.
/// - Throws: ``VirtualMachineError`` when there is no such machine, ``VirtualMachineHostError`` when it gets no sockets, and
///   what `body` throws.
public func withVirtualMachineHost<Result>(
    _ description: VirtualMachineDescription, base: UInt8? = nil,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger,
    _ body: (VirtualMachineHost) async throws -> Result
) async throws -> Result {
    try await withVirtualMachineHost(description, bases: [base ?? description.base], group: group, logger: logger) { host, _ in
        try await body(host)
    }
}

extension VirtualMachineHost {
    /// Second octets at which to look for free addresses: eight, different from one process to the next.
    package static var candidateBases: [UInt8] {
        let first = Int(getpid()) % 224
        return (0..<8).map { UInt8(16 + (first + $0 * 29) % 224) }
    }
}

/// The same at the first of `bases` whose addresses nobody has, so that several machines can run side by side.
///
/// - Parameter body: is also told the base.
package func withVirtualMachineHost<Result>(
    _ description: VirtualMachineDescription, bases: [UInt8],
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger,
    _ body: (VirtualMachineHost, UInt8) async throws -> Result
) async throws -> Result {
    var started: (host: VirtualMachineHost, base: UInt8)?
    for (number, base) in bases.enumerated() where started == nil {
        var description = description
        description.base = base
        do {
            started = (try await VirtualMachineHost.start(description, group: group, logger: logger), base)
        } catch let error as VirtualMachineHostError {
            guard case .addressInUse = error, number + 1 < bases.count else { throw error }
            logger.debug("addresses are taken; trying others", metadata: ["base": "127.\(base)"])
        }
    }
    guard let (host, base) = started else { throw VirtualMachineHostError.noFreeBase }
    do {
        let result = try await body(host, base)
        await host.shutDown()
        return result
    } catch {
        await host.shutDown()
        throw error
    }
}
