//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct SCPConnectionTests {
    private let version = VersionInfo(
        virtualCore: 0, physicalCore: 1, chip: ChipID(0, 0), buildDate: 1, name: "SC&MP", hardware: "SpiNNaker",
        version: SoftwareVersion(major: 4, minor: 0, patch: 0))

    private func with(
        _ configuration: SCPConnection.Configuration = .init(),
        answer: @escaping @Sendable (SCPPacket) -> [ByteBuffer],
        _ body: (SCPConnection, ScriptedLink, NIOAsyncTestingEventLoop) async throws -> Void
    ) async throws {
        let loop = NIOAsyncTestingEventLoop()
        let link = ScriptedLink(on: loop, answer: answer)
        let connection = SCPConnection(link: link, configuration: configuration)
        connection.start()
        try await body(connection, link, loop)
        connection.close()
        await loop.shutdownGracefully()
    }

    @Test func oneRequest() async throws {
        let version = self.version
        try await self.with { packet in
            var payload = ByteBuffer()
            version.write(into: &payload)
            return [reply(to: packet, payload: payload)]
        } _: { connection, link, loop in
            let answer = try await connection.send(GetVersion(), to: .monitor(of: .root))
            #expect(answer == version)
            let sent = await loop.look { link.sent }
            #expect(sent.count == 1)
            #expect(sent.first?.header.destinationChip == .root)
        }
    }

    @Test func okWithoutThePayloadIsAnError() async throws {
        try await self.with { packet in
            [reply(to: packet)]
        } _: { connection, _, _ in
            do throws(SCPError) {
                _ = try await connection.send(GetChipInfo(), to: CoreID(1, 2, 0))
                Issue.record("an empty chip info was taken")
            } catch {
                guard case .malformedReply = error.code else {
                    Issue.record("\(error)")
                    return
                }
                #expect(error.core == CoreID(1, 2, 0))
                #expect(error.command == .info)
            }
            // The same of a read, where the length is the caller's.
            do throws(SCPError) {
                _ = try await connection.read(address: 0x6000_0000, count: 300, from: CoreID(1, 2, 0))
                Issue.record("an empty read was taken")
            } catch {
                guard case .malformedReply = error.code else {
                    Issue.record("\(error)")
                    return
                }
                #expect(error.address == 0x6000_0000)
            }
        }
    }

    @Test func aRefusalNamesEverything() async throws {
        try await self.with { packet in
            [reply(to: packet, .noRoute)]
        } _: { connection, _, _ in
            await #expect(
                throws: SCPError(
                    .rejected(.noRoute), link: "a link of the test", core: CoreID(3, 4, 5), command: .read,
                    address: 0x6000_0100, attempts: 1)
            ) { try await connection.read(address: 0x6000_0100, count: 4, from: CoreID(3, 4, 5)) }
        }
    }

    @Test(arguments: [0, 1, 255, 256, 257, 5000])
    func readsAndWritesOfAnyLength(_ count: Int) async throws {
        try await self.with(answer: UDPResponder.memory()) { connection, link, loop in
            let data = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) })
            let progress = NIOLockedValueBox<[Int]>([])
            try await connection.write(data, address: 0x6000_0003, to: CoreID(0, 1, 0)) { done in
                progress.withLockedValue { $0.append(done) }
            }
            #expect(progress.withLockedValue { $0.last } == (count == 0 ? nil : count))
            #expect(try await connection.read(address: 0x6000_0003, count: count, from: CoreID(0, 1, 0)) == data)
            let sent = await loop.look { link.sent }
            #expect(sent.count == 2 * ((count + 255) / 256))
            #expect(sent.allSatisfy { $0.arguments.arg3 == 0 }, "an odd address is read by bytes")
        }
    }

    @Test func aWindowfulIsFlushedTogether() async throws {
        try await self.with(answer: UDPResponder.memory()) { connection, link, loop in
            _ = try await connection.read(address: 0x6000_0000, count: 256 * 64, from: CoreID(0, 0, 0))
            let flushes = await loop.look { link.flushes }
            #expect(flushes == Array(repeating: 8, count: 8))
        }
    }

    @Test func aSmallRequestDoesNotWaitForALargeRead() async throws {
        let order = NIOLockedValueBox<[SCPCommand]>([])
        let loop = NIOAsyncTestingEventLoop()
        let memory = UDPResponder.memory()
        // Answers are held back, and given one at a time.
        let held = NIOLockedValueBox<[ByteBuffer]>([])
        let link = ScriptedLink(on: loop) { packet in
            order.withLockedValue { $0.append(packet.command) }
            held.withLockedValue { $0.append(contentsOf: memory(packet)) }
            return []
        }
        let connection = SCPConnection(link: link, configuration: .init(window: 4))
        connection.start()
        async let large = connection.read(address: 0x6000_0000, count: 256 * 100, from: CoreID(0, 0, 0))
        _ = await loop.advance(by: .zero) { order.withLockedValue { $0.count } == 4 }
        async let small: Void = connection.fill(address: 0x100, word: 1, count: 4, of: CoreID(0, 0, 0))
        // The small one is in line when a place becomes free.
        await loop.run()
        while order.withLockedValue({ $0.count }) < 100 {
            await loop.run()
            await loop.look {
                let next = held.withLockedValue { $0.isEmpty ? nil : $0.removeFirst() }
                if let next { link.deliver([next]) }
            }
        }
        let position = order.withLockedValue { $0.firstIndex(of: .fill) }
        #expect(try #require(position) < 12, "it waited for the others")
        _ = await loop.advance(by: .zero, upTo: 10_000) {
            let next = held.withLockedValue { $0.isEmpty ? nil : $0.removeFirst() }
            if let next { link.deliver([next]) }
            return next == nil
        }
        _ = try await (large, small)
        connection.close()
        await loop.shutdownGracefully()
    }

    @Test func timesOutInVirtualTime() async throws {
        try await self.with { _ in
            []
        } _: { connection, link, loop in
            async let answer = connection.read(address: 0x6000_0000, count: 1000, from: CoreID(0, 0, 0))
            #expect(await loop.advance(by: .milliseconds(100)) { link.sent.count == 44 })
            await loop.advanceTime(by: .seconds(1))
            do {
                _ = try await answer
                Issue.record("an answer from nowhere")
            } catch let error as SCPError {
                #expect(error.code == .timedOut)
                #expect(error.attempts == 11)
                #expect(error.address == 0x6000_0000)
            }
            #expect(await connection.statistics().resent == 40)
        }
    }

    @Test func firstFailureEndsTheOperationAndTakesBackTheRest() async throws {
        let memory = UDPResponder.memory()
        try await self.with { packet in
            packet.arguments.arg1 == 0x6000_0200 ? [reply(to: packet, .badArgument)] : memory(packet)
        } _: { connection, link, loop in
            await #expect(throws: SCPError.self) {
                try await connection.read(address: 0x6000_0000, count: 256 * 1000, from: CoreID(0, 0, 0))
            }
            #expect(await loop.look { link.sent.count } <= 16)
            // The connection is as good as new.
            let word = try await connection.read(address: 0x6000_0000, count: 4, from: CoreID(0, 0, 0))
            #expect(word.readableBytes == 4)
        }
    }

    @Test func cancellationEndsTheWaitAndFreesTheWindow() async throws {
        let isSilent = NIOLockedValueBox(true)
        let memory = UDPResponder.memory()
        try await self.with(.init(window: 2)) { packet in
            isSilent.withLockedValue { $0 } ? [] : memory(packet)
        } _: {
            connection, link, loop in
            let task = Task {
                try await connection.read(address: 0x6000_0000, count: 256 * 100, from: CoreID(0, 0, 0))
            }
            #expect(await loop.advance(by: .zero) { link.sent.count == 2 })
            task.cancel()
            await loop.run()
            do {
                _ = try await task.value
                Issue.record("not cancelled")
            } catch let error as SCPError {
                #expect(error.code == .cancelled)
            }
            isSilent.withLockedValue { $0 = false }
            let word = try await connection.read(address: 0x6000_0000, count: 4, from: CoreID(0, 0, 0))
            #expect(word.readableBytes == 4)
        }
    }

    @Test func aTaskAlreadyCancelledSendsNothing() async throws {
        try await self.with(answer: UDPResponder.memory()) { connection, link, loop in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await connection.read(address: 0, count: 4, from: CoreID(0, 0, 0))
            }
            task.cancel()
            await #expect(throws: SCPError.self) { try await task.value }
            #expect(await loop.look { link.sent.isEmpty })
        }
    }

    @Test func aClosedLinkEndsEverythingOnce() async throws {
        struct PulledTheCable: Error {}
        let loop = NIOAsyncTestingEventLoop()
        let link = ScriptedLink(on: loop) { _ in [] }
        let connection = SCPConnection(link: link, configuration: .init(window: 2))
        connection.start()
        // Under way, and in line behind the window.
        let tasks = (0..<5).map { index in
            Task { try await connection.read(address: UInt32(index) * 256, count: 256 * 3, from: CoreID(0, 0, 0)) }
        }
        #expect(await loop.advance(by: .zero) { link.sent.count == 2 })
        await loop.run()
        await loop.look { link.fail(PulledTheCable()) }
        for task in tasks {
            do {
                _ = try await task.value
                Issue.record("an answer from nowhere")
            } catch let error as SCPError {
                #expect(error.code == .linkClosed && error.cause == "PulledTheCable()")
            }
        }
        // Who comes later hears of it too.
        do throws(SCPError) {
            _ = try await connection.send(GetVersion(), to: CoreID(0, 0, 0))
            Issue.record("an answer from nowhere")
        } catch {
            #expect(error.code == .linkClosed && "\(error)".hasSuffix("the link is closed (PulledTheCable())"), "\(error)")
        }
        await loop.shutdownGracefully()
    }

    @Test func burstsKeepTheirOrderAndTheirErrors() async throws {
        let memory = UDPResponder.memory()
        try await self.with(.init(window: 3)) { packet in
            packet.header.destinationChip == ChipID(5, 5) ? [reply(to: packet, .noRoute)] : memory(packet)
        } _: { connection, _, _ in
            try await connection.write(ByteBuffer(bytes: 0..<100), address: 0, to: CoreID(0, 0, 0))
            let words = try await connection.burst(
                (0..<25).map { (ReadMemory(address: UInt32($0) * 4, size: 4), CoreID(0, 0, 0)) })
            #expect(
                words.map { $0.bytes.getInteger(at: $0.bytes.readerIndex, as: UInt8.self) } == (0..<25).map { UInt8($0 * 4) })

            let results = try await connection.results(
                of: [ChipID(0, 0), ChipID(5, 5), ChipID(1, 0)].map {
                    SCPCall(ReadMemory(address: 0, size: 4), to: .monitor(of: $0))
                })
            #expect(results.count == 3)
            #expect((try? results[0].get()) != nil)
            #expect((try? results[1].get()) == nil)
            #expect((try? results[2].get()) != nil)
            await #expect(throws: SCPError.self) {
                try await connection.burst([
                    (ReadMemory(address: 0, size: 4), CoreID(0, 0, 0)), (ReadMemory(address: 0, size: 4), CoreID(5, 5, 0)),
                ])
            }
            #expect(try await connection.results(of: []).isEmpty)
        }
    }

    @Test func aBurstStopsAtItsFirstFailureAndResultsDoNot() async throws {
        let memory = UDPResponder.memory()
        let calls = (0..<100).map { (ReadMemory(address: UInt32($0) * 4, size: 4), CoreID(0, 0, 0)) }
        try await self.with(.init(window: 3)) { packet in
            packet.arguments.arg1 == 4 ? [reply(to: packet, .noRoute)] : memory(packet)
        } _: { connection, link, loop in
            await #expect(throws: SCPError.self) { try await connection.burst(calls) }
            #expect(await loop.look { link.sent.count } <= 6)
            let results = try await connection.results(of: calls.map { SCPCall($0.0, to: $0.1) })
            #expect(results.count == 100)
            #expect(results.indices.filter { (try? results[$0].get()) == nil } == [1])
        }
    }

    @Test func aCancelledBurstNamesItsFirstRequest() async throws {
        try await self.with { _ in
            []
        } _: { connection, link, loop in
            let task = Task {
                try await connection.results(of: [
                    SCPCall(GetVersion(), to: CoreID(1, 2, 3)), SCPCall(GetChipInfo(), to: CoreID(0, 0, 0)),
                ])
            }
            #expect(await loop.advance(by: .zero) { link.sent.count == 2 })
            task.cancel()
            do {
                _ = try await task.value
                Issue.record("not cancelled")
            } catch let error as SCPError {
                #expect(error.code == .cancelled && error.core == CoreID(1, 2, 3) && error.command == .version)
            }
            #expect(await connection.statistics().resent == 0)
        }
    }

    @Test func fillAndNeighbours() async throws {
        try await self.with(answer: UDPResponder.memory()) { connection, link, loop in
            try await connection.fill(address: 0x6000_0000, word: 0x0403_0201, count: 12, of: CoreID(0, 0, 0))
            let filled = try await connection.readLink(.north, address: 0x6000_0000, count: 12, from: CoreID(0, 0, 0))
            #expect(Array(buffer: filled) == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
            try await connection.writeLink(.east, ByteBuffer(bytes: [9, 9, 9, 9]), address: 0x100, to: CoreID(0, 0, 0))
            let sent = await loop.look { link.sent }
            #expect(sent.map(\.command) == [.fill, .linkRead, .linkWrite])
            #expect(sent.last?.arguments == SCPArguments(0x100, 4, 0))
        }
    }

    @Test func whatCanNotBeAskedIsNotSent() async throws {
        try await self.with(answer: UDPResponder.memory()) { connection, link, loop in
            let core = CoreID(0, 0, 0)
            await #expect(throws: SCPError.self) { try await connection.read(address: 0xFFFF_FFFF, count: 2, from: core) }
            await #expect(throws: SCPError.self) { try await connection.read(address: 0, count: -1, from: core) }
            await #expect(throws: SCPError.self) { try await connection.fill(address: 2, word: 0, count: 4, of: core) }
            await #expect(throws: SCPError.self) {
                try await connection.readLink(.east, address: 0, count: 3, from: core)
            }
            #expect(await loop.look { link.sent.isEmpty })
        }
    }

    @Test func aBMPGetsOneTryAndOneRequestAtATime() async throws {
        try await self.with(.bmp) { _ in
            []
        } _: { connection, link, loop in
            let first = Task {
                try await connection.send(
                    SetBoardPower(on: true, boards: 1), to: CoreID(0, 0, 0),
                    policy: SCPPolicy(timeout: .seconds(10), retries: 0))
            }
            #expect(await loop.advance(by: .zero) { link.sent.count == 1 })
            let second = Task { try await connection.send(GetVersion(), to: CoreID(0, 0, 0)) }
            await loop.run()
            await loop.advanceTime(by: .milliseconds(9_999))
            #expect(await loop.look { link.sent.count } == 1)
            await loop.advanceTime(by: .milliseconds(1))
            await #expect(throws: SCPError.self) { try await first.value }
            #expect(await loop.advance(by: .milliseconds(500)) { link.sent.count == 2 })
            await loop.advanceTime(by: .seconds(2))
            await #expect(throws: SCPError.self) { try await second.value }
            #expect(await loop.look { link.sent.count } == 2)
        }
    }

    @Test func errorsReadWell() {
        let error = SCPError(
            .timedOut, link: "127.1.0.9:17893", core: CoreID(1, 2, 3), command: .read, address: 0x6000_0000, attempts: 11,
            lastResult: .p2pBusy)
        #expect(
            "\(error)"
                == "SCP command 2 to (1, 2, 3) at 0x60000000 over 127.1.0.9:17893: no answer after 11 tries, "
                + "last heard RC_P2P_BUSY (chip is busy)")
    }
}
