//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct NotificationTests {
    /// Both ends of ours: `notify.handshake`, twice over.
    @Test func aRunInTwoParts() async throws {
        try await NotificationListener.with(address: .loopback, port: 0) { listener in
            let port = listener.port
            async let told: [String] = {
                var told: [String] = []
                for await event in listener {
                    switch event {
                    case .database(let notice):
                        told.append("database \(notice.path ?? "-")")
                        #expect(notice.source == .loopback)
                        await notice.acknowledge()
                    case .started: told.append("started")
                    case .stopped: told.append("stopped")
                    }
                    if told.count == 6 { break }
                }
                return told
            }()
            try await NotificationSender.with([.init(host: "0.0.0.0", port: port)]) { sender in
                for _ in 0..<2 {
                    try await sender.databaseIsWritten(at: "/tmp/run.sqlite3", acknowledgedWithin: .seconds(30))
                    await sender.started()
                    await sender.stopped()
                }
            }
            let part = ["database /tmp/run.sqlite3", "started", "stopped"]
            #expect(await told == part + part)
            #expect(listener.ignored == 0)
        }
    }

    /// The bytes of the reference: to who answers the source address, from whatever port.
    @Test func theBytesOnTheWire() async throws {
        try await UDPListener.with(address: .loopback) { visualiser in
            try await NotificationSender.with([.init(host: "127.0.0.1", port: visualiser.port)]) { sender in
                async let written: Void = sender.databaseIsWritten(at: "/d", acknowledgedWithin: .seconds(30))
                let database = try #require(await visualiser.datagrams.next())
                #expect(database.data == ByteBuffer(bytes: [0x01, 0x40] + Array("/d".utf8)))
                // What is no acknowledgement is not taken for one.
                for bytes in [[0x0B, 0x40], [0x00], [0x01, 0x40]] as [[UInt8]] {
                    try await visualiser.send(ByteBuffer(bytes: bytes), to: database.source, port: database.sourcePort)
                }
                try await written
                await sender.started()
                #expect(await visualiser.datagrams.next()?.data == ByteBuffer(bytes: [0x0B, 0x40]))
                await sender.stopped()
                #expect(await visualiser.datagrams.next()?.data == ByteBuffer(bytes: [0x0A, 0x40]))
                // The next part has a port of its own.
                try await sender.databaseIsWritten(at: nil, acknowledgedWithin: nil)
                let next = try #require(await visualiser.datagrams.next())
                #expect(next.data == ByteBuffer(bytes: [0x01, 0x40]))
                #expect(next.sourcePort != database.sourcePort)
            }
        }
    }

    @Test func whoeverDoesNotAnswerIsNamed() async throws {
        try await UDPListener.with(address: .loopback) { silent in
            try await NotificationListener.with(address: .loopback, port: 0) { listener in
                let visualisers = [silent.port, listener.port].map {
                    NotificationSender.Visualiser(host: "localhost", port: $0)
                }
                try await NotificationSender.with(visualisers) { sender in
                    async let answered: Void = {
                        if case .database(let notice)? = try? await listener.next(within: .seconds(30)) {
                            await notice.acknowledge()
                        }
                    }()
                    // The one that is silent does not hide the answer of the other.
                    do throws(NotificationError) {
                        try await sender.databaseIsWritten(at: "/d", acknowledgedWithin: .milliseconds(300))
                        Issue.record("nobody was missed")
                    } catch {
                        #expect(error.code == .notAcknowledged)
                        #expect(error.visualisers.contains(visualisers[0]))
                        #expect("\(error)".contains("localhost:\(silent.port)"))
                    }
                    await answered
                }
                do throws(NotificationError) {
                    _ = try await listener.next(within: .milliseconds(1))
                    Issue.record("something came from nowhere")
                } catch {
                    #expect(error.code == .nothingCame)
                }
            }
        }
    }

    /// The reference cuts a path at 298 bytes (`notify.truncation`).
    @Test func longPathsArriveWhole() async throws {
        let path = "/" + String(repeating: "é", count: 20_000)
        try await NotificationListener.with(address: .loopback, port: 0) { listener in
            try await NotificationSender.with([.init(host: "127.0.0.1", port: listener.port)]) { sender in
                try await sender.databaseIsWritten(at: path, acknowledgedWithin: nil)
                guard case .database(let notice) = try await listener.next(within: .seconds(30)) else {
                    Issue.record("no database")
                    return
                }
                #expect(notice.path == path)
                for path in [String(repeating: "a", count: 50_001), String(repeating: "é", count: 40_000)] {
                    do throws(NotificationError) {
                        try await sender.databaseIsWritten(at: path)
                        Issue.record("a path that fits nowhere was sent")
                    } catch {
                        #expect(error.code == .pathTooLong)
                    }
                }
            }
        }
    }

    @Test func garbageAndRepetitionsAreCounted() async throws {
        try await NotificationListener.with(address: .loopback, port: 0) { listener in
            try await UDPListener.with(address: .loopback) { toolchain in
                func send(_ bytes: [UInt8]) async throws {
                    try await toolchain.send(ByteBuffer(bytes: bytes), to: .loopback, port: listener.port)
                }
                for bytes in [[], [9], [0x01, 0x40, 0xFF], [0x02, 0x40], [0x0B, 0x40], [0x0B, 0x40], [0x0A, 0x40]] as [[UInt8]]
                {
                    try await send(bytes)
                }
                guard case .started = try await listener.next(within: .seconds(30)),
                    case .stopped = try await listener.next(within: .seconds(30))
                else {
                    Issue.record("not started and stopped")
                    return
                }
                #expect(listener.ignored == 5)
                // A DATABASE that comes again after it was read is answered again, and not told.
                try await send([0x01, 0x40, 0x2F])
                guard case .database(let notice) = try await listener.next(within: .seconds(30)) else {
                    Issue.record("no database")
                    return
                }
                await notice.acknowledge()
                try await send([0x01, 0x40, 0x2F])
                try await send([0x0B, 0x40])
                guard case .started = try await listener.next(within: .seconds(30)) else {
                    Issue.record("not started")
                    return
                }
                for _ in 0..<2 { #expect(await toolchain.datagrams.next()?.data == ByteBuffer(bytes: [0x01, 0x40])) }
            }
        }
    }
}
