//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker

/// A virtual machine with its own clock and no network: a test asks, and has the answer in its hand.
///
/// Time stands still until ``advance(by:)`` or a call that says it waits.
public final class InMemoryMachine {
    public let machine: VirtualMachine
    public private(set) var clock: ManualClock
    /// Who asks, unless a call says otherwise.
    public var host = HostAddress(ip: .loopback, port: 50000)
    /// Everything sent and not yet taken, in order.
    public private(set) var outgoing: [OutgoingDatagram] = []
    /// Ports that reverse tags have opened, by board.
    public private(set) var openPorts: [Int: Set<UInt16>] = [:]
    private var sequence: UInt16 = 0

    public init(_ description: VirtualMachineDescription, clock: ManualClock = ManualClock()) throws {
        self.machine = try VirtualMachine(description, now: clock.now)
        self.clock = clock
    }

    /// A machine of one kind whose boards are on, and, booted, ready at once.
    public convenience init(
        _ kind: VirtualMachineDescription.Kind, faults: HardwareFaults = .none, isBooted: Bool = true
    ) throws {
        try self.init(VirtualMachineDescription(kind, faults: faults, bootTimeScale: 0, isPoweredAtStart: true))
        if isBooted { self.boot() }
    }

    public var now: NIODeadline { self.clock.now }

    // MARK: Time

    /// Lets time pass, and everything happen that is due in it.
    public func advance(by amount: TimeAmount) {
        let end = self.clock.now + amount
        while let next = self.machine.nextDeadline, next <= end {
            self.clock.advance(to: next)
            self.machine.advance(to: self.clock.now)
            self.collect()
        }
        self.clock.advance(to: end)
    }

    private func collect() {
        self.machine.drain { action in
            switch action {
            case .send(let datagram): self.outgoing.append(datagram)
            case .openPort(let board, let port): self.openPorts[board, default: []].insert(port)
            case .closePort(let board, let port): self.openPorts[board]?.remove(port)
            }
        }
    }

    // MARK: Datagrams

    /// What has been sent since the last call.
    public func takeOutgoing() -> [OutgoingDatagram] {
        defer { self.outgoing = [] }
        return self.outgoing
    }

    /// Sends a datagram; what it causes at once is returned, what comes later is for ``takeOutgoing()``.
    @discardableResult
    public func send(
        _ datagram: ByteBuffer, to endpoint: MachineEndpoint = .board(0), port: UInt16 = UInt16(SCP.port),
        from host: HostAddress? = nil
    ) -> [OutgoingDatagram] {
        let before = self.outgoing.count
        self.machine.receive(datagram, at: endpoint, port: port, from: host ?? self.host, now: self.clock.now)
        self.collect()
        defer { self.outgoing.removeSubrange(before...) }
        return Array(self.outgoing[before...])
    }

    // MARK: SCP

    /// Sends a request and returns its reply, or nil when the machine stays silent.
    ///
    /// - Parameter patience: how much time may pass until the reply comes.
    public func reply(
        to packet: SCPPacket, at endpoint: MachineEndpoint = .board(0), patience: TimeAmount = .zero
    ) -> SCPReply? {
        var bytes = ByteBuffer()
        packet.writeDatagram(into: &bytes)
        let isReply = { (datagram: OutgoingDatagram) -> SCPReply? in
            guard datagram.endpoint == endpoint, let reply = try? SCPReply(datagram: datagram.bytes),
                reply.sequence == packet.sequence
            else { return nil }
            return reply
        }
        let answers = self.send(bytes, to: endpoint)
        if let index = answers.firstIndex(where: { isReply($0) != nil }) {
            self.outgoing.append(contentsOf: answers[..<index])
            self.outgoing.append(contentsOf: answers[(index + 1)...])
            return isReply(answers[index])
        }
        self.outgoing.append(contentsOf: answers)
        let end = self.clock.now + patience
        while let next = self.machine.nextDeadline, next <= end {
            self.clock.advance(to: next)
            self.machine.advance(to: self.clock.now)
            self.collect()
            if let index = self.outgoing.firstIndex(where: { isReply($0) != nil }) {
                return isReply(self.outgoing.remove(at: index))
            }
        }
        self.clock.advance(to: end)
        return nil
    }

    /// As ``reply(to:at:patience:)``, of a request to a core (on a BMP: to a board).
    public func reply<Request: SCPRequest>(
        to request: Request, core: CoreID = CoreID(0, 0, 0), at endpoint: MachineEndpoint = .board(0),
        flags: SDPFlags = .replyExpected, patience: TimeAmount = .zero
    ) -> SCPReply? {
        self.sequence &+= 1
        return self.reply(
            to: SCPPacket(request, to: core, sequence: self.sequence, flags: flags), at: endpoint, patience: patience)
    }

    /// The decoded reply of a request that must succeed.
    public func ask<Request: SCPRequest>(
        _ request: Request, core: CoreID = CoreID(0, 0, 0), at endpoint: MachineEndpoint = .board(0),
        patience: TimeAmount = .zero
    ) throws -> Request.Response {
        guard let reply = self.reply(to: request, core: core, at: endpoint, patience: patience) else {
            throw MachineSilent(endpoint: endpoint, command: Request.command)
        }
        guard reply.result == .ok else {
            throw MachineRefused(endpoint: endpoint, command: Request.command, result: reply.result)
        }
        return try reply.decode(for: Request.self)
    }

    // MARK: Memory

    public func read(_ address: UInt32, count: Int, core: CoreID = CoreID(0, 0, 0)) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let step = min(count - bytes.count, SCP.maximumData)
            let reply = try self.ask(ReadMemory(address: address &+ UInt32(bytes.count), size: step), core: core)
            bytes.append(contentsOf: reply.bytes.readableBytesView)
        }
        return bytes
    }

    public func readWord(_ address: UInt32, core: CoreID = CoreID(0, 0, 0)) throws -> UInt32 {
        try self.read(address, count: 4, core: core).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    public func write(_ bytes: [UInt8], to address: UInt32, core: CoreID = CoreID(0, 0, 0)) throws {
        var done = 0
        while done < bytes.count {
            let step = min(bytes.count - done, SCP.maximumData)
            _ = try self.ask(
                WriteMemory(address: address &+ UInt32(done), data: ByteBuffer(bytes: bytes[done..<(done + step)])), core: core)
            done += step
        }
    }

    public func writeWord(_ word: UInt32, to address: UInt32, core: CoreID = CoreID(0, 0, 0)) throws {
        try self.write((0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }, to: address, core: core)
    }

    // MARK: Boot

    /// The datagrams that boot an image; without one, a small image that the model takes for SC&MP.
    public static func bootDatagrams(image: [UInt8] = Array(repeating: 0, count: 512)) throws -> [ByteBuffer] {
        var datagrams: [ByteBuffer] = []
        func add(_ message: BootMessage) {
            var bytes = ByteBuffer()
            message.write(into: &bytes)
            datagrams.append(bytes)
        }
        let blocks = max(1, (image.count + BootMessage.maximumData - 1) / BootMessage.maximumData)
        add(try BootMessage(opcode: .floodFillStart, operand3: UInt32(blocks - 1)))
        for block in 0..<blocks {
            let start = block * BootMessage.maximumData
            var data = ByteBuffer()
            var index = start
            while index < min(start + BootMessage.maximumData, image.count) {
                // Words go byte-swapped.
                for byte in stride(from: 3, through: 0, by: -1) {
                    data.writeInteger(index + byte < image.count ? image[index + byte] : 0)
                }
                index += 4
            }
            add(try BootMessage(opcode: .floodFillBlock, operand1: 0xFF00 | UInt32(block), data: data))
        }
        add(try BootMessage(opcode: .floodFillControl, operand1: 1))
        return datagrams
    }

    /// Boots from a board.
    public func boot(board: Int = 0, image: [UInt8] = Array(repeating: 0, count: 512)) {
        guard let datagrams = try? InMemoryMachine.bootDatagrams(image: image) else { return }
        for datagram in datagrams { self.send(datagram, to: .board(board), port: UInt16(BootMessage.port)) }
    }
}

/// A machine has not answered.
public struct MachineSilent: Error, Hashable, CustomStringConvertible {
    public let endpoint: MachineEndpoint
    public let command: SCPCommand
    public var description: String { "\(self.endpoint) does not answer command \(self.command.rawValue)" }
}

/// A machine has answered with an error code.
public struct MachineRefused: Error, Hashable, CustomStringConvertible {
    public let endpoint: MachineEndpoint
    public let command: SCPCommand
    public let result: SCPResult
    public var description: String { "\(self.endpoint) refuses command \(self.command.rawValue): \(self.result)" }
}
