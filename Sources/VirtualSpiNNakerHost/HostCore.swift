//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// The machine and its sockets. Everything here happens on one event loop.
final class HostCore {
    let machine: VirtualMachine
    let eventLoop: any EventLoop
    private let logger: Logger
    /// SCP, by board number and by frame number.
    private var boardChannels: [(any Channel)?]
    private var bmpChannels: [(any Channel)?]
    /// Boot ROMs, by board number.
    private var bootChannels: [(any Channel)?]
    private var reverseChannels: [ReversePort: any Channel] = [:]
    /// Reverse ports being bound; they may be closed before they are open.
    private var wantedReversePorts: Set<ReversePort> = []
    /// Written to outside the handler that runs, and not flushed yet.
    private var dirty: [any Channel] = []
    private var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    private var isClosing = false

    /// A reply goes to whom the request came from, so that one is at hand without a look-up.
    private var lastHost: (host: HostAddress, address: SocketAddress)?
    private var addresses: [HostAddress: SocketAddress] = [:]
    private static let rememberedAddresses = 1024

    struct ReversePort: Hashable {
        let board: Int
        let port: UInt16
    }

    init(machine: VirtualMachine, eventLoop: any EventLoop, logger: Logger) {
        self.machine = machine
        self.eventLoop = eventLoop
        self.logger = logger
        let boards = machine.boards.count
        self.boardChannels = Array(repeating: nil, count: boards)
        self.bootChannels = Array(repeating: nil, count: boards)
        self.bmpChannels = Array(repeating: nil, count: machine.bmpPlaces.count)
    }

    func attach(_ channel: any Channel, endpoint: MachineEndpoint, port: UInt16) {
        switch endpoint {
        case .bmp(let frame): self.bmpChannels[frame] = channel
        case .board(let board) where port == UInt16(BootMessage.port): self.bootChannels[board] = channel
        case .board(let board): self.boardChannels[board] = channel
        }
    }

    // MARK: Datagrams

    /// - Parameter answer: sends from the socket that the datagram came to.
    @inline(__always)
    func received(
        _ envelope: AddressedEnvelope<ByteBuffer>, endpoint: MachineEndpoint, port: UInt16,
        answer: (ByteBuffer, SocketAddress) -> Void
    ) {
        guard let host = self.host(of: envelope.remoteAddress) else { return }
        self.machine.receive(envelope.data, at: endpoint, port: port, from: host, now: .now())
        self.machine.drain { action in
            guard case .send(let datagram) = action, datagram.sourcePort == port, datagram.endpoint == endpoint else {
                self.perform(action)
                return
            }
            guard let address = self.address(of: datagram.destination) else { return }
            answer(datagram.bytes, address)
        }
        self.reschedule()
    }

    private func host(of address: SocketAddress) -> HostAddress? {
        if let last = self.lastHost, last.address == address { return last.host }
        guard address.protocol == .inet else { return nil }
        // sockaddr_in: the port at 2, the address at 4, both in network order.
        let host = address.withSockAddr { pointer, size -> HostAddress? in
            let bytes = UnsafeRawBufferPointer(start: pointer, count: size)
            guard bytes.count >= 8 else { return nil }
            return HostAddress(
                ip: IPv4Address(value: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))),
                port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        }
        guard let host else { return nil }
        self.lastHost = (host, address)
        return host
    }

    private func address(of host: HostAddress) -> SocketAddress? {
        if let last = self.lastHost, last.host == host { return last.address }
        if let known = self.addresses[host] { return known }
        // Everybody (a HELLO) is everybody on loopback: a virtual board is on no other network.
        let ip = host.ip == IPv4Address(255, 255, 255, 255) ? IPv4Address(127, 255, 255, 255) : host.ip
        guard host.port != 0, let address = try? SocketAddress(ipAddress: ip.description, port: Int(host.port)) else {
            return nil
        }
        if self.addresses.count >= HostCore.rememberedAddresses { self.addresses.removeAll(keepingCapacity: true) }
        self.addresses[host] = address
        return address
    }

    private func perform(_ action: MachineAction) {
        switch action {
        case .send(let datagram):
            guard let channel = self.channel(for: datagram), let address = self.address(of: datagram.destination) else {
                return
            }
            channel.write(AddressedEnvelope(remoteAddress: address, data: datagram.bytes), promise: nil)
            if !self.dirty.contains(where: { $0 === channel }) { self.dirty.append(channel) }
        case .openPort(let board, let port): self.open(ReversePort(board: board, port: port))
        case .closePort(let board, let port): self.close(ReversePort(board: board, port: port))
        }
    }

    private func channel(for datagram: OutgoingDatagram) -> (any Channel)? {
        switch datagram.endpoint {
        case .bmp(let frame): self.bmpChannels[frame]
        case .board(let board):
            switch datagram.sourcePort {
            case UInt16(SCP.port): self.boardChannels[board]
            case UInt16(BootMessage.port): self.bootChannels[board]
            default: self.reverseChannels[ReversePort(board: board, port: datagram.sourcePort)]
            }
        }
    }

    /// Sends what went to other sockets than the one that was being read.
    func flush() {
        guard !self.dirty.isEmpty else { return }
        for channel in self.dirty { channel.flush() }
        self.dirty.removeAll(keepingCapacity: true)
    }

    /// Does something with the machine outside a datagram, and sends what comes of it.
    func act<Result>(_ body: (VirtualMachine, NIODeadline) throws -> Result) rethrows -> Result {
        let result = try body(self.machine, .now())
        self.settle()
        return result
    }

    /// The sockets are there: what a powered board does by itself begins.
    func started() { self.settle() }

    private func settle() {
        self.machine.drain { self.perform($0) }
        self.flush()
        self.reschedule()
    }

    // MARK: Time

    private func reschedule() {
        let next = self.machine.nextDeadline
        guard next != self.timer?.deadline else { return }
        self.timer?.task.cancel()
        self.timer = nil
        guard let next, !self.isClosing else { return }
        let core = NIOLoopBound(self, eventLoop: self.eventLoop)
        let task = self.eventLoop.scheduleTask(deadline: next) { core.value.timerFired() }
        self.timer = (next, task)
    }

    private func timerFired() {
        self.timer = nil
        guard !self.isClosing else { return }
        self.machine.advance(to: .now())
        self.settle()
    }

    // MARK: Reverse tags

    private func open(_ reverse: ReversePort) {
        guard self.wantedReversePorts.insert(reverse).inserted, !self.isClosing else { return }
        let address = self.machine.address(ofBoard: reverse.board)
        let core = NIOLoopBound(self, eventLoop: self.eventLoop)
        let logger = self.logger
        DatagramSockets.bind(
            core: core, endpoint: .board(reverse.board), address: address, port: reverse.port, depth: .deep
        ).whenComplete { result in
            switch result {
            case .success(let channel): core.value.reverseOpened(channel, reverse)
            case .failure(let error):
                logger.warning(
                    "reverse tag without a socket", metadata: ["error": "\(error)", "board": "\(reverse.board)"])
            }
        }
    }

    private func reverseOpened(_ channel: any Channel, _ reverse: ReversePort) {
        // It may have been closed, or closed and opened again, in the meantime.
        guard self.wantedReversePorts.contains(reverse), !self.isClosing, self.reverseChannels[reverse] == nil else {
            channel.close(promise: nil)
            return
        }
        self.reverseChannels[reverse] = channel
    }

    private func close(_ reverse: ReversePort) {
        self.wantedReversePorts.remove(reverse)
        self.reverseChannels.removeValue(forKey: reverse)?.close(promise: nil)
    }

    var openReversePorts: Int { self.reverseChannels.count }

    // MARK: End

    func close() -> EventLoopFuture<Void> {
        self.isClosing = true
        self.timer?.task.cancel()
        self.timer = nil
        let channels =
            (self.boardChannels + self.bootChannels + self.bmpChannels).compactMap { $0 } + self.reverseChannels.values
        self.reverseChannels = [:]
        let closed = channels.map { channel in channel.close().flatMapErrorThrowing { _ in () } }
        return EventLoopFuture.andAllComplete(closed, on: self.eventLoop)
    }
}
