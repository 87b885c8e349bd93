//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Three boards behind links that lose a tenth of what goes out, lose and double a tenth of what comes back, and deliver the rest
/// of it out of order. What the transceiver says must be what happened.
///
/// Nothing that goes out is late: a request that overtakes a newer one to the same place would change memory behind everybody's
/// back, and no host can tell.
@Suite(.serialized, .timeLimit(.minutes(3))) struct LossyLinkTests {
    private func withLossyBoards(
        seed: UInt64, _ body: (Transceiver, [LossyLink], inout SeededGenerator) async throws -> Void
    ) async throws {
        let host = try await InMemoryHost.make(
            VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
        // Boot datagrams have no replies, so nothing sends them again.
        try await withTransceiver(
            links: host.boardLinks(), boot: host.link(to: .board(0), port: BootMessage.port), configuration: .quick
        ) { _ = try await $0.ensureReady(image: .placeholder) }
        var configuration = TransceiverConfiguration.quick
        configuration.timeout = .milliseconds(20)
        configuration.retries = 200
        let lossy = try await host.boardLinks().mapValues { LossyLink($0, seed: seed) }
        try await withTransceiver(links: lossy.mapValues { $0 as any DatagramLink }, configuration: configuration) {
            var random = SeededGenerator(seed: seed)
            try await body($0, Array(lossy.values), &random)
        }
        let lost = lossy.values.reduce(0) { $0 + $1.lost.withLockedValue { $0 } }
        #expect(lost > 20, "seed \(seed): only \(lost) datagrams were lost")
    }

    /// Writes of any length and alignment, several chips at once, and at the end of each round every byte of every chip.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func memoryIsWhatWasWritten(_ seed: UInt64) async throws {
        try await self.withLossyBoards(seed: seed) { transceiver, _, random in
            let chips = [ChipID(0, 0), ChipID(1, 2), ChipID(4, 8), ChipID(7, 9), ChipID(8, 4), ChipID(11, 6)]
            let (base, size) = (MemoryMap.userSDRAM + 3, 6_001)
            var model = Dictionary(uniqueKeysWithValues: chips.map { ($0, [UInt8](repeating: 0xEE, count: size)) })
            try await transceiver.write(chips.map { ($0, base, ByteBuffer(repeating: 0xEE, count: size)) })
            for _ in 0..<3 {
                var parts: [(chip: ChipID, address: UInt32, bytes: ByteBuffer)] = []
                for chip in chips {
                    let offset = Int.random(in: 0..<size, using: &random)
                    let bytes = (0..<Int.random(in: 0...(size - offset), using: &random)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                    model[chip]?.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
                    parts.append((chip, base + UInt32(offset), ByteBuffer(bytes: bytes)))
                }
                try await transceiver.write(parts)
                let words = Int.random(in: 0..<40, using: &random)
                try await transceiver[chips[1]].fill(at: base + 1, with: 0x0403_0201, count: words * 4)
                model[chips[1]]?.replaceSubrange(
                    1..<(1 + words * 4), with: (0..<words).flatMap { _ in [1, 2, 3, 4] as [UInt8] })
                let back = try await transceiver.read(chips.map { .init(chip: $0, address: base, count: size) })
                for (chip, bytes) in zip(chips, back) {
                    #expect(Array(bytes.readableBytesView) == model[chip], "seed \(seed): \(chip)")
                }
            }
        }
    }

    /// Requests that may not be done twice, or that find what they did the first time.
    @Test(arguments: [4, 5] as [UInt64])
    func whatChangesTheMachineIsDoneOnce(_ seed: UInt64) async throws {
        try await self.withLossyBoards(seed: seed) { transceiver, _, _ in
            let machine = try await transceiver.discoverMachine()
            #expect(machine.chips.count == 144)
            #expect(machine.notes.allSatisfy { if case .silent = $0 { false } else { true } })
            let requests = machine.chips.map {
                Transceiver.SDRAMRequest(chip: $0.id, size: 256, application: 40, tag: 7)
            }
            let addresses = try await transceiver.allocateSDRAM(requests)
            for (request, address) in zip(requests, addresses).prefix(20) {
                #expect(try await transceiver[request.chip].taggedSDRAM(application: 40, tag: 7) == address)
                let mine = try await transceiver[request.chip].heap().filter { $0.application == 40 }
                // Its header is 8 bytes before the block.
                #expect(mine.map(\.address) == [address - 8], "seed \(seed): \(request.chip)")
            }
            for board in machine.ethernetChips {
                try await transceiver.setIPTag(1, board: board.id, address: .loopback, port: 50_001, strip: true)
                try await transceiver.setReverseIPTag(
                    2, board: board.id, port: 50_002, core: CoreID(board.id.x, board.id.y, 3), sdpPort: 4)
            }
            let tags = try await transceiver.tags().filter { !$0.isTransient }
            #expect(tags.count == 6)
            #expect(tags.filter(\.isReverse).map { $0.entry.receivePort } == [50_002, 50_002, 50_002])
            #expect(Set(tags.map(\.board)) == Set(machine.ethernetChips.map(\.id)))
            #expect(Set(tags.map(\.number)) == [1, 2])
        }
    }
}

/// A link that loses.
///
/// Unchecked: but for the count, it is touched on its event loop only.
private final class LossyLink: DatagramLink, DatagramReceiver, @unchecked Sendable {
    let eventLoop: any EventLoop
    var linkDescription: String { "\(self.link.linkDescription), lossy" }
    let lost = NIOLockedValueBox(0)
    private let link: any DatagramLink
    private var random: SeededGenerator
    private var receiver: (any DatagramReceiver)?
    private var held: [ByteBuffer] = []

    init(_ link: any DatagramLink, seed: UInt64) {
        self.link = link
        self.eventLoop = link.eventLoop
        self.random = SeededGenerator(seed: seed)
    }

    private func isUnlucky() -> Bool { self.random.chance(0.1) }
    private func isLost() -> Bool {
        guard self.isUnlucky() else { return false }
        self.lost.withLockedValue { $0 += 1 }
        return true
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) {
        self.receiver = receiver
        self.link.setReceiver(receiver == nil ? nil : self)
    }
    func write(_ datagram: ByteBuffer) { if !self.isLost() { self.link.write(datagram) } }
    func flush() { self.link.flush() }
    func close() { self.link.close() }

    func datagramReceived(_ datagram: ByteBuffer) {
        if self.isLost() { return }
        self.held.append(datagram)
        if self.isUnlucky() { self.held.append(datagram) }
    }
    func datagramReadComplete() {
        let datagrams = self.held.shuffled(using: &self.random)
        self.held = []
        for datagram in datagrams { self.receiver?.datagramReceived(datagram) }
        self.receiver?.datagramReadComplete()
    }
    func linkClosed(_ error: (any Error)?) {
        let receiver = self.receiver
        self.receiver = nil
        receiver?.linkClosed(error)
    }
}
