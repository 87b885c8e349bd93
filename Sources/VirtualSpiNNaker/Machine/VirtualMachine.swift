//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// SpiNNaker boards and their BMPs as host software finds them on the network, without a network: datagrams and the time
/// go in, datagrams come out.
///
/// It has no sockets, no clock and no threads; whoever owns it confines it to one. `VirtualSpiNNakerHost` gives it UDP
/// sockets, `SpiNNakerTesting` virtual time.
///
/// ```swift
/// let machine = try VirtualMachine(VirtualMachineDescription(.spinn5, bootTimeScale: 0, isPoweredAtStart: true))
/// machine.receive(datagram, at: .board(0), port: 17893, from: host, now: now)
/// machine.drain { action in … }          // what it sends
/// machine.advance(to: machine.nextDeadline ?? now)
/// ```
public final class VirtualMachine {
    public let description: VirtualMachineDescription
    package let fabric: MachineFabric
    package let software: any ChipSoftware
    package let bmps: [BMPFrame]

    /// Faults of the network on the way in and out, for all boards and BMPs; nil: none, and no time passes on the way.
    public var incoming: NetworkFaults?
    public var outgoing: NetworkFaults? {
        get { self.fabric.outgoing }
        set { self.fabric.outgoing = newValue }
    }
    private var incomingCount = 0

    /// - Parameter now: when the power came on, where it is on from the start.
    public convenience init(
        _ description: VirtualMachineDescription, now: NIODeadline = .uptimeNanoseconds(0)
    ) throws(VirtualMachineError) {
        try self.init(description, now: now) { NativeSystem(fabric: $0) }
    }

    /// - Parameter software: makes what runs on the chips.
    package init(
        _ description: VirtualMachineDescription, now: NIODeadline = .uptimeNanoseconds(0),
        software: (MachineFabric) -> any ChipSoftware
    ) throws(VirtualMachineError) {
        let fabric = try MachineFabric(description)
        let software = software(fabric)
        self.description = description
        self.fabric = fabric
        self.software = software
        self.bmps = (0..<fabric.topology.frameCount).map { BMPFrame(frame: $0, fabric: fabric, software: software) }
        if description.isPoweredAtStart {
            for board in fabric.boards where board.isPresent {
                board.power = .on
                fabric.startHello(of: board, software: software, now: now)
            }
        }
    }

    // MARK: What there is

    public struct BoardPlace: Hashable, Sendable {
        public let number: Int
        public let coordinates: BoardCoordinates
        public let physical: PhysicalCoordinates
        /// Of its Ethernet chip.
        public let address: IPv4Address
        /// False: the slot is empty.
        public let isPresent: Bool
    }

    /// All boards, by number.
    public var boards: [BoardPlace] {
        self.fabric.boards.map { board in
            BoardPlace(
                number: board.number, coordinates: board.coordinates,
                physical: self.fabric.topology.physical(ofBoard: board.number),
                address: self.fabric.topology.address(ofBoard: board.number, base: self.description.base),
                isPresent: board.isPresent)
        }
    }

    public struct BMPPlace: Hashable, Sendable {
        /// Counted through all cabinets.
        public let number: Int
        public let cabinet: Int
        /// In its cabinet.
        public let frame: Int
        public let address: IPv4Address
    }

    /// The BMPs that speak for their frames.
    public var bmpPlaces: [BMPPlace] {
        (0..<self.fabric.topology.frameCount).map { number in
            BMPPlace(
                number: number, cabinet: number / BoardWiring.framesPerCabinet,
                frame: number % BoardWiring.framesPerCabinet,
                address: self.fabric.topology.address(ofFrame: number, base: self.description.base))
        }
    }

    /// The address of a board's Ethernet chip.
    public func address(ofBoard board: Int) -> IPv4Address {
        self.fabric.topology.address(ofBoard: board, base: self.description.base)
    }

    /// The number of the board at some coordinates; nil when the machine has none there.
    public func board(at coordinates: BoardCoordinates) -> Int? { self.fabric.topology.board(at: coordinates) }

    public func isPowered(board: Int) -> Bool {
        self.fabric.boards.indices.contains(board) && self.fabric.boards[board].isOn
    }

    /// Whether the board's Ethernet chip has left its boot ROM.
    public func isBooted(board: Int) -> Bool {
        self.fabric.boards.indices.contains(board)
            && self.software.isRunning(chip: self.fabric.topology.ethernetChip(ofBoard: board))
    }

    public func traffic(ofBoard board: Int) -> BoardTraffic {
        self.fabric.boards.indices.contains(board) ? self.fabric.boards[board].traffic : BoardTraffic()
    }

    /// Hears what does not show on the wire. Called where the machine is used, while it works.
    public var observer: ((MachineEvent) -> Void)? {
        get { self.fabric.observer }
        set { self.fabric.observer = newValue }
    }

    // MARK: What happens to it

    /// A datagram has come for one of its addresses.
    ///
    /// - Parameters:
    ///   - port: the UDP port it was sent to.
    ///   - now: never earlier than in the call before.
    public func receive(
        _ datagram: ByteBuffer, at endpoint: MachineEndpoint, port: UInt16, from sender: HostAddress, now: NIODeadline
    ) {
        guard let incoming = self.incoming else {
            return self.deliver(datagram, at: endpoint, port: port, from: sender, now: now)
        }
        self.incomingCount += 1
        for delay in incoming.delays(ofDatagram: self.incomingCount, using: &self.fabric.random) {
            let datagram = incoming.damaged(datagram, using: &self.fabric.random)
            if delay <= .zero {
                self.deliver(datagram, at: endpoint, port: port, from: sender, now: now)
            } else {
                self.fabric.timers.schedule(at: now + delay) { [unowned self] then in
                    self.deliver(datagram, at: endpoint, port: port, from: sender, now: then)
                }
            }
        }
    }

    private func deliver(
        _ datagram: ByteBuffer, at endpoint: MachineEndpoint, port: UInt16, from sender: HostAddress, now: NIODeadline
    ) {
        self.fabric.now = now
        switch endpoint {
        case .board(let number):
            guard self.fabric.boards.indices.contains(number) else { return }
            let board = self.fabric.boards[number]
            board.traffic.received += 1
            guard board.isOn, board.isPresent, !board.isHeldInReset else { return }
            if port == UInt16(BootMessage.port) {
                self.receiveBoot(datagram, board: board, from: sender, now: now)
            } else {
                self.software.receive(datagram, onBoard: number, port: port, from: sender, now: now)
            }
        case .bmp(let frame):
            guard self.bmps.indices.contains(frame), port == SCP.port else { return }
            self.bmps[frame].receive(datagram, from: sender, now: now)
        }
    }

    /// Port 54321 is the boot ROM's: once SC&MP runs nobody listens there.
    private func receiveBoot(_ datagram: ByteBuffer, board: Board, from sender: HostAddress, now: NIODeadline) {
        let chip = self.fabric.topology.ethernetChip(ofBoard: board.number)
        guard !self.software.isRunning(chip: chip), self.fabric.isPowered(chip: chip) else { return }
        let (isValid, image) = board.rom.receive(datagram)
        if isValid, board.romHost == nil { board.romHost = sender }
        guard let image else { return }
        self.software.start(image, onBoard: board.number, now: now)
    }

    /// When ``advance(to:)`` has something to do; nil: nothing happens without a datagram.
    public var nextDeadline: NIODeadline? { self.fabric.timers.nextDeadline }

    /// Does what was due by `now`.
    public func advance(to now: NIODeadline) {
        self.fabric.now = now
        while let (deadline, action) = self.fabric.timers.popDue(at: now) { action(deadline) }
    }

    /// Hands out what the machine wants done, in order, and forgets it.
    @inlinable
    public func drain(_ body: (MachineAction) -> Void) { self.drainActions(body) }

    @usableFromInline
    func drainActions(_ body: (MachineAction) -> Void) { self.fabric.drain(body) }

    // MARK: Power, without a BMP

    /// Switches a board at once, as a hand at the plug would.
    public func setPower(_ isOn: Bool, board: Int, now: NIODeadline) {
        guard self.fabric.boards.indices.contains(board) else { return }
        self.fabric.setPower(isOn, board: self.fabric.boards[board], delay: .zero, software: self.software, now: now)
    }
}
