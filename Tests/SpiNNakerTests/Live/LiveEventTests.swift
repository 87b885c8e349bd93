//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// Live input and output: against SpiNNMan's bytes, and with programs on virtual boards.
@Suite(.serialized, .timeLimit(.minutes(3))) struct LiveEventTests {
    private let core = CoreID(1, 0, 4)

    // MARK: - Vectors

    @Test func sendsWhatSpiNNManSends() async throws {
        var count = 0
        for vector in try goldenVectors() {
            guard let id = vector["id"] as? String, id.hasPrefix("live.send."),
                let events = (vector["decoded"] as? [String: Any])?["events"] as? [[String: Any]]
            else { continue }
            count += 1
            let expected = events.compactMap { $0["hex"] as? String }.map { ByteBuffer(hex: $0) }
            let link = TraceLink("live")
            let sender = EIEIOSender(over: link, to: self.core, pacing: .unlimited)
            switch id {
            case "live.send.half-1": try await sender.send(keys: [5], as: .key16)
            case "live.send.half-300": try await sender.send(keys: 0..<300, as: .key16)
            case "live.send.full-1": try await sender.send(keys: [0x70005])
            case "live.send.full-500": try await sender.send(keys: (0..<500).map { 0x70000 + $0 })
            case "live.send.payload-1": try await sender.send(events: [(0x70005, 99)])
            case "live.send.payload-40":
                try await sender.send(events: (UInt32(0)..<40).map { (key: 0x70000 + $0, payload: $0 + 7) })
            default: Issue.record("an unknown vector \(id)")
            }
            #expect(try await link.allSent() == expected, "\(id)")
            // Where SpiNNMan sleeps: after six of eight.
            let sleeps = events.indices.filter { events[$0]["op"] as? String == "sleep" }
            var pacer = SendPacer(burst: LiveInput.burst, pause: TimeAmount(LiveInput.pause))
            let first = pacer.reserve(expected.count, now: .uptimeNanoseconds(5))
            #expect(first.count == (sleeps.first ?? expected.count), "\(id)")
        }
        #expect(count == 6)
    }

    @Test func meansWhatSpiNNManMakesOfIt() throws {
        var count = 0
        for vector in try goldenVectors() {
            guard let id = vector["id"] as? String, id.hasPrefix("live.recv."), let hex = vector["hex"] as? String,
                let callbacks = (vector["decoded"] as? [String: Any])?["callbacks"] as? [[Any]]
            else { continue }
            count += 1
            var map = EventMap()
            map.add("pop", atoms: Dictionary(uniqueKeysWithValues: (0..<100).map { (0x1000 + UInt32($0), $0) }))
            guard case .data(let message) = try EIEIOMessage(datagram: ByteBuffer(hex: hex)) else {
                #expect(callbacks.isEmpty)
                continue
            }
            var made: [String] = []
            for event in map.events(in: message).events {
                switch event {
                case .timed(let label, let time, let atoms, let keys):
                    made.append("time \(label) \(time) \(atoms)")
                    made.append("time-keys \(label) \(time) \(keys)")
                case .single(let label, let atom, _, let payload):
                    made.append("no-time \(label) \(atom) \(payload.map { "\($0)" } ?? "<null>")")
                }
            }
            let expected = callbacks.map { callback in
                callback.map { ($0 as? [Int]).map { "\($0)" } ?? "\($0)" }.joined(separator: " ")
            }
            #expect(made == expected, "\(id)")
        }
        #expect(count == 5)
    }

    @Test func unknownKeysAreToldOnce() throws {
        var map = EventMap()
        map.add("pop", atoms: [1: 10])
        var writer = EIEIODataWriter(EIEIODataHeader(.key32))
        for key in [1, 2, 2, 3] as [UInt32] { _ = try writer.append(key: key) }
        let message = try EIEIODataMessage(datagram: writer.finish())
        let first = map.events(in: message)
        #expect(first.events == [.single(label: "pop", atom: 10, key: 1, payload: nil)])
        #expect(first.unknown == [2, 3])
        #expect(map.events(in: message).unknown.isEmpty)
        #expect(map[1]?.label == "pop")
        #expect(map[1]?.atom == 10)
    }

    // MARK: - Sending

    @Test func whatCannotBeSentIsNotSentInPart() async throws {
        let link = TraceLink("live")
        let sender = EIEIOSender(over: link, to: self.core, pacing: .unlimited)
        do {
            try await sender.send(keys: Array(0..<200) + [70_000], as: .key16)
            Issue.record("17 bits were sent as 16")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.chip == self.core.chip)
        }
        await #expect(throws: TransceiverError.self) { try await sender.send(keys: [1], as: .keyPayload32) }
        #expect(try await link.allSent().isEmpty)
    }

    @Test func aCancelledSenderStopsInThePause() async throws {
        let link = TraceLink("live")
        let sender = EIEIOSender(over: link, to: self.core, pacing: .init(burst: 1, pause: .seconds(3600)))
        try await sender.send(.command(.eventStop))
        let task = Task { try await sender.send(keys: [1]) }
        task.cancel()
        let result = await task.result
        #expect(throws: TransceiverError.self) { try result.get() }
        #expect(try await link.allSent().count == 1)
    }

    // MARK: - Virtual boards

    @Test func spikesOfCoresArriveAndTheTagsAreKept() async throws {
        try await withVirtualBoards(.spinn3) { host in
            try await withTransceiver(
                to: host.boards[0].address.description, image: .placeholder, configuration: .quick
            ) { transceiver in
                try await transceiver.discoverMachine()
                let tag = OutputTag(board: .origin, number: 3)
                try await transceiver.withLiveOutput(of: [tag], refresh: .milliseconds(20)) { output in
                    let source = VirtualApplication.spikeSource(
                        tag: 3, intervalMicroseconds: 1000, perPacket: 10, packets: 20, firstKey: 0x1000)
                    let cores: CoreSubsets = [CoreID(1, 1, 3)]
                    try await transceiver.loadEach(ByteBuffer(bytes: source.image), on: cores, application: 30)
                    var keys: [UInt32] = []
                    for await message in output.messages {
                        keys.append(contentsOf: message.presentElements.map(\.key))
                        if keys.count >= 200 { break }
                    }
                    #expect(keys == Array(0x1000..<0x10C8))
                    #expect(output.messages.counts.messages == 20)
                    #expect(output.messages.counts.malformed + output.messages.counts.commands == 0)
                    #expect(output.dropped == 0)

                    // Somebody else takes the tag; the refresh takes it back.
                    try await transceiver.setIPTag(3, board: .origin, address: IPv4Address(10, 9, 8, 7), port: 1, strip: true)
                    let end = ContinuousClock.now + .seconds(20)
                    while try await transceiver.tags().first(where: { $0.number == 3 })?.entry.port
                        != UInt16(output.listener.port), ContinuousClock.now < end
                    { await Task.yield() }
                    let entry = try #require(try await transceiver.tags().first { $0.number == 3 }).entry
                    #expect(Int(entry.port) == output.listener.port)
                    #expect(output.failedRefreshes.isEmpty)
                }
                await #expect(throws: TransceiverError.self) {
                    try await transceiver.withLiveOutput(of: [OutputTag(board: .origin, number: 77)]) { _ in }
                }
            }
        }
    }

    /// 18 bytes that begin as a reply does, but with another number: an event, and not swallowed.
    @Test func anEventThatLooksLikeAReplyIsStillAnEvent() async throws {
        try await UDPListener.with(address: .loopback) { board in
            try await UDPListener.with(address: .loopback) { listener in
                async let answer = listener.exchange(
                    ByteBuffer(string: "set the tag"), with: .loopback, port: board.port, timeout: .seconds(30)
                ) { bytes in (try? SCPReply(datagram: bytes))?.sequence == 1 }
                guard let request = await board.datagrams.next() else { return }
                for sequence in [7, 1] as [UInt16] {
                    var reply = ByteBuffer()
                    let header = SDPHeader(
                        flags: .replyNotExpected, tag: 0xFF, destination: SDPAddress(byte: 0xFF),
                        source: SDPAddress(byte: 0), destinationChip: .origin, sourceChip: .origin)
                    SCPReply(header: header, result: .ok, sequence: sequence, payload: words(3)).writeDatagram(into: &reply)
                    #expect(reply.readableBytes == 18)
                    try await board.send(reply, to: request.source, port: request.sourcePort)
                }
                #expect(try await answer != nil)
                guard case .element(let event) = await listener.datagrams.next(within: .seconds(30)) else {
                    Issue.record("the event was swallowed")
                    return
                }
                #expect((try? SCPReply(datagram: event.data))?.sequence == 7)
            }
        }
    }

    @Test func aReceiverOverALinkCountsWhatIsNoEvent() async throws {
        let host = try await InMemoryHost.make(VirtualMachineDescription(.spinn3, bootTimeScale: 0, isPoweredAtStart: true))
        let link = try await host.link(to: .board(0))
        let inbox = await LinkInbox.attach(to: link, bufferSize: 8)
        let receiver = EIEIOReceiver(inbox.datagrams)
        var cut = EIEIODataWriter(EIEIODataHeader(.key32))
        _ = try cut.append(key: 1)
        _ = try cut.append(key: 2)
        var message = cut.finish()
        let whole = message
        message.moveWriterIndex(to: message.writerIndex - 1)
        inbox.datagramReceived(ByteBuffer(bytes: [1]))
        inbox.datagramReceived(ByteBuffer(bytes: [0x02, 0x40]))
        inbox.datagramReceived(message)
        inbox.datagramReceived(whole)
        link.close()
        var keys: [[UInt32]] = []
        for await message in receiver { keys.append(message.presentElements.map(\.key)) }
        #expect(keys == [[1], [1, 2]])
        let counts = receiver.counts
        #expect([counts.messages, counts.commands, counts.malformed, counts.truncated] == [2, 1, 1, 1])
    }
}
