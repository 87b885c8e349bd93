//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// A virtual machine in real time but without a network: ``DatagramLink``s lead to its boards and BMPs through memory.
///
/// ```swift
/// let host = try await InMemoryHost.make(VirtualMachineDescription(.spinn5, isPoweredAtStart: true))
/// try await withTransceiver(links: host.boardLinks(), boot: host.link(to: .board(0), port: 54321)) { transceiver in … }
/// ```
///
/// Unchecked: the machine, its links and its timer are touched on ``eventLoop`` only.
public final class InMemoryHost: @unchecked Sendable {
    public let eventLoop: any EventLoop
    /// By board number.
    public let boards: [VirtualMachine.BoardPlace]
    private let machine: VirtualMachine
    private var links: [HostAddress: MemoryLink] = [:]
    private var inbox: [(ByteBuffer, MemoryLink)] = []
    private var isTicking = false
    private var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    /// Every link has a port of its own on the host's side.
    private var lastPort: UInt16 = 49_999

    private init(_ machine: VirtualMachine, on eventLoop: any EventLoop) {
        self.machine = machine
        self.boards = machine.boards
        self.eventLoop = eventLoop
    }

    /// - Parameter eventLoop: where the machine lives, with its links; nil: one of the process's own.
    public static func make(
        _ description: VirtualMachineDescription, on eventLoop: (any EventLoop)? = nil
    ) async throws -> InMemoryHost {
        let eventLoop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        return try await eventLoop.submit { InMemoryHost(try VirtualMachine(description), on: eventLoop) }.get()
    }

    /// A link to a UDP port of a board or a BMP. It closes with who uses it.
    public func link(to endpoint: MachineEndpoint, port: Int = SCP.port) async throws -> any DatagramLink {
        try await self.eventLoop.submit {
            self.lastPort += 1
            let link = MemoryLink(
                self, endpoint: endpoint, port: UInt16(clamping: port), address: HostAddress(ip: .loopback, port: self.lastPort)
            )
            self.links[link.address] = link
            return link
        }.get()
    }

    /// A link to each board that is there, by its Ethernet chip when the machine is booted from board 0.
    public func boardLinks() async throws -> [ChipID: any DatagramLink] {
        var links: [ChipID: any DatagramLink] = [:]
        let width = (self.boards.map(\.coordinates.x).max() ?? 0) + 1
        let height = (self.boards.map(\.coordinates.y).max() ?? 0) + 1
        let geometry = TriadGeometry(width: width, height: height)
        for board in self.boards where board.isPresent {
            guard let chip = geometry.ethernetChip(of: board.coordinates).chip else { continue }
            links[chip] = try await self.link(to: .board(board.number))
        }
        return links
    }

    /// Looks at the machine, on its event loop.
    public func withMachine<Result: Sendable>(_ body: @escaping @Sendable (VirtualMachine) throws -> Result) async throws
        -> Result
    {
        try await self.eventLoop.submit { try body(self.machine) }.get()
    }

    // MARK: - On the event loop

    fileprivate func deliver(_ datagrams: [ByteBuffer], from link: MemoryLink) {
        self.inbox.append(contentsOf: datagrams.map { ($0, link) })
        guard !self.isTicking else { return }
        // Later, as of a network: whoever sends is not called back before it is done.
        self.isTicking = true
        self.eventLoop.execute { self.tick() }
    }

    private func tick() {
        self.isTicking = false
        let datagrams = self.inbox
        self.inbox = []
        for (datagram, link) in datagrams where self.links[link.address] != nil {
            self.machine.receive(datagram, at: link.endpoint, port: link.port, from: link.address, now: .now())
        }
        self.settle()
    }

    private func settle() {
        var touched: [MemoryLink] = []
        self.machine.drain { action in
            // Ports of reverse tags have no socket here to open.
            guard case .send(let datagram) = action, let link = self.links[datagram.destination],
                link.endpoint == datagram.endpoint, link.port == datagram.sourcePort
            else { return }
            if !touched.contains(where: { $0 === link }) { touched.append(link) }
            link.receiver?.datagramReceived(datagram.bytes)
        }
        for link in touched { link.receiver?.datagramReadComplete() }
        self.reschedule()
    }

    private func reschedule() {
        let next = self.machine.nextDeadline
        guard next != self.timer?.deadline else { return }
        self.timer?.task.cancel()
        self.timer = nil
        guard let next, !self.links.isEmpty else { return }
        let task = self.eventLoop.scheduleTask(deadline: next) {
            self.timer = nil
            self.machine.advance(to: .now())
            self.settle()
        }
        self.timer = (next, task)
    }

    fileprivate func forget(_ link: MemoryLink) {
        self.links[link.address] = nil
        guard self.links.isEmpty else { return }
        // Nobody is left to hear of it.
        self.timer?.task.cancel()
        self.timer = nil
    }
}

/// Unchecked: as every ``DatagramLink``, its state is touched on its event loop only.
private final class MemoryLink: DatagramLink, @unchecked Sendable {
    // Unchecked, reason: `receiver` and `queue` are touched on the event loop only.

    let eventLoop: any EventLoop
    let linkDescription: String
    let endpoint: MachineEndpoint
    let port: UInt16
    let address: HostAddress
    private(set) var receiver: (any DatagramReceiver)?
    private var queue: [ByteBuffer] = []
    private weak var host: InMemoryHost?
    private var isClosed = false

    init(_ host: InMemoryHost, endpoint: MachineEndpoint, port: UInt16, address: HostAddress) {
        self.host = host
        self.eventLoop = host.eventLoop
        self.endpoint = endpoint
        self.port = port
        self.address = address
        self.linkDescription = "\(endpoint) port \(port) in memory"
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) { self.receiver = receiver }
    func write(_ datagram: ByteBuffer) { self.queue.append(datagram) }

    func flush() {
        guard !self.isClosed, !self.queue.isEmpty else { return }
        let datagrams = self.queue
        self.queue.removeAll(keepingCapacity: true)
        self.host?.deliver(datagrams, from: self)
    }

    func close() {
        guard self.eventLoop.inEventLoop else { return self.eventLoop.execute { self.close() } }
        guard !self.isClosed else { return }
        self.isClosed = true
        self.host?.forget(self)
        let receiver = self.receiver
        self.receiver = nil
        receiver?.linkClosed(nil)
    }
}
