//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import SpallocAPI
import SpallocClient
import SpallocDemo
import SpiNNaker
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

extension EndToEnd {
    /// The websocket of a job, from the outside.
    @Suite struct ProxyTests {
        /// A job of one board whose proxy can be opened.
        private func withJob(
            _ body: @escaping @Sendable (DemoHouse, SpallocClient, SpallocJob) async throws -> Void
        ) async throws {
            try await House.run { house in
                try await house.asClient { client in
                    try await client.withJob(.boards(1)) { job in
                        try await job.waitUntilReady { _ in }
                        try await body(house, client, job)
                    }
                }
            }
        }

        /// The table of the protocol's errors: what a frame does to the websocket. Never anything to the service.
        @Test func brokenFramesEndTheWebSocketAndNothingElse() async throws {
            let scp = UInt32(SCP.port)
            let frames: [(String, [UInt8], WebSocketCloseCode)] = [
                ("empty", [], .invalidPayload),
                ("half an opcode", [0, 0], .invalidPayload),
                ("OPEN without its port", words(0, 1, 0, 0), .invalidPayload),
                ("OPEN cut in its port", Array(words(0, 1, 0, 0, scp).dropLast()), .invalidPayload),
                ("OPEN and a byte", words(0, 1, 0, 0, scp, then: [0]), .invalidPayload),
                ("CLOSE without a channel", words(1, 1), .invalidPayload),
                ("CLOSE and a byte", words(1, 1, 1, then: [0]), .invalidPayload),
                ("MESSAGE without a channel", words(2), .invalidPayload),
                ("OPEN_UNCONNECTED without a number", words(3), .invalidPayload),
                ("OPEN_UNCONNECTED and a byte", words(3, 1, then: [0]), .invalidPayload),
                ("MESSAGE_TO cut", words(4, 1, 0, 0), .invalidPayload),
                ("MESSAGE_TO a chip that is not ours", words(4, 1, 8, 4, scp, then: [1]), .invalidPayload),
                ("MESSAGE_TO port 0", words(4, 1, 0, 0, 0, then: [1]), .invalidPayload),
                ("ERROR from a client", words(5, 1), .invalidPayload),
                ("opcode 6", words(6, 1), .internalError),
                ("opcode -1", words(0xFFFF_FFFF, 1), .internalError),
                ("a message too long", words(2, 1, then: Array(repeating: 0, count: 8192)), .messageTooBig),
            ]
            try await self.withJob { house, client, job in
                for (name, frame, code) in frames {
                    let proxy = try await RawProxy.open(job: job.id, of: house, client)
                    try await proxy.send(frame)
                    let ending = await proxy.ending()
                    guard case .closedByPeer(code, _)? = ending else {
                        Issue.record("\(name): \(String(describing: ending))")
                        continue
                    }
                }
                // And the next one is served as if nothing had been.
                let proxy = try await RawProxy.open(job: job.id, of: house, client)
                try await proxy.send(words(0, 7, 0, 0, scp))
                let opened = try #require(await proxy.nextMessage())
                #expect(opened.prefix(8) == words(0, 7)[...] && opened.count == 12)
                try await proxy.close()
                #expect(try await job.details().state == .ready)
            }
        }

        @Test func whatCanNotBeDoneIsSaidOrIgnoredAndTheWebSocketStays() async throws {
            let scp = UInt32(SCP.port)
            try await self.withJob { house, client, job in
                let proxy = try await RawProxy.open(job: job.id, of: house, client)
                let refused: [(String, [UInt8])] = [
                    ("a chip of nobody", words(0, 11, 250, 250, scp)),
                    ("a board that is not this job's", words(0, 11, 8, 4, scp)),
                    ("not an Ethernet chip", words(0, 11, 1, 1, scp)),
                    ("port 0", words(0, 11, 0, 0, 0)),
                    ("port 65536", words(0, 11, 0, 0, 65536)),
                ]
                for (name, frame) in refused {
                    try await proxy.send(frame)
                    let answer = try #require(await proxy.nextMessage(), "\(name)")
                    #expect(answer.prefix(8) == words(5, 11)[...], "\(name): \(answer)")
                }
                // No channel is open: a datagram goes nowhere, and closing one says 0.
                try await proxy.send(words(2, 99, then: [1, 2, 3]))
                try await proxy.send(words(4, 99, 0, 0, scp, then: [1, 2, 3]))
                try await proxy.send(words(1, 12, 99))
                #expect(await proxy.nextMessage() == words(1, 12, 0))
                try await proxy.send(words(0, 13, 0, 0, scp))
                #expect(await proxy.nextMessage()?.prefix(8) == words(0, 13)[...])
                try await proxy.close()
            }
        }

        /// Whoever waits for a board learns that the job is over, and not merely that a connection broke.
        @Test func whoListensWhenTheJobEndsIsToldSo() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    let job = try await client.createJob(.boards(1))
                    try await job.waitUntilReady { _ in }
                    try await job.withProxy { proxy in
                        let board = try await proxy.connectDatagrams(to: .origin)
                        try await job.destroy(reason: "tidied away")
                        let error = await #expect(throws: SpallocError.self) { for try await _ in board.datagrams {} }
                        #expect(error?.code == .jobDestroyed && error?.job == job.id)
                        #expect(error?.serverMessage?.contains("the job is over") == true, "\(String(describing: error))")
                    }
                }
            }
        }

        @Test func itEndsWithTheJobAndCanNotBeOpenedAgain() async throws {
            try await House.run { house in
                try await house.asClient { client in
                    let job = try await client.createJob(.boards(1))
                    try await job.waitUntilReady { _ in }
                    let proxy = try await RawProxy.open(job: job.id, of: house, client)
                    try await proxy.send(words(0, 1, 0, 0, UInt32(SCP.port)))
                    #expect(await proxy.nextMessage()?.count == 12)
                    try await job.destroy()
                    guard case .closedByPeer(.jobEnded, let reason)? = await proxy.ending() else {
                        Issue.record("it was not closed as it should be")
                        return
                    }
                    #expect(reason.contains("over"))
                    let error = await #expect(throws: WebSocketConnectError.self) {
                        _ = try await RawProxy.open(job: job.id, of: house, client)
                    }
                    guard case .refused(_, 503, _)? = error else {
                        Issue.record("\(String(describing: error))")
                        return
                    }
                    // Our own client says it in the job's words.
                    let mine = await #expect(throws: SpallocError.self) {
                        try await client.job(job.id).withProxy { _ in }
                    }
                    #expect(mine?.code == .jobDestroyed)
                }
            }
        }

        @Test func anothersJobIsNotThere() async throws {
            try await self.withJob { house, _, job in
                try await RawService.with(house, as: .other) { service in
                    let paths = ["", "/machine", "/machine/power", "/chip?x=0&y=0", "/memory?x=0&y=0&address=0&size=4"]
                    for path in paths {
                        let answer = try await service.call(.GET, "jobs/\(job.id)\(path)")
                        #expect(answer.status == 404, "\(path): \(answer)")
                        // Not a word more than about a job that never was.
                        let never = try await service.call(.GET, "jobs/4711\(path)")
                        #expect(answer.text == never.text && answer.status == never.status, "\(path)")
                    }
                    #expect(
                        try await service.call(.PUT, "jobs/\(job.id)/keepalive", body: "alive", type: "text/plain").status
                            == 404)
                    #expect(try await service.call(.DELETE, "jobs/\(job.id)?reason=mine").status == 404)
                    #expect(
                        try await service.call(.POST, "jobs/\(job.id)/machine/power", body: "{\"power\":\"OFF\"}").status == 404
                    )
                }
                try await house.asClient(.other) { client in
                    for id in [job.id, 4711] {
                        let error = await #expect(throws: WebSocketConnectError.self) {
                            _ = try await RawProxy.open(job: id, of: house, client)
                        }
                        guard case .refused(_, 404, _)? = error else {
                            Issue.record("job \(id): \(String(describing: error))")
                            continue
                        }
                    }
                }
                #expect(try await job.details().state == .ready)
                #expect(try await house.powered().count { $0 } == 1)
            }
        }

        /// Two ways to a chip's memory: SCP through the proxy, and HTTP.
        @Test func memoryByHTTPAndByProxyIsTheSame() async throws {
            try await self.withJob { _, _, job in
                try await job.withTransceiver(configuration: .virtual) { transceiver in
                    _ = try await transceiver.ensureReady(image: .placeholder)
                    let chips = [ChipID(0, 0), ChipID(7, 7), ChipID(3, 2)]
                    for (index, chip) in chips.enumerated() {
                        // Neither aligned nor a multiple of anything.
                        let address = 0x6030_0000 + UInt32(index * 4099)
                        let first = ByteBuffer(bytes: (0..<5003).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) })
                        try await transceiver[chip].write(first, at: address)
                        #expect(try await job.readMemory(chip: chip, address: address, count: 5003) == first)
                        let second = ByteBuffer(bytes: (0..<777).map { UInt8(truncatingIfNeeded: $0 &* 17 &+ index) })
                        try await job.writeMemory(chip: chip, address: address + 1001, second)
                        var expected = first
                        expected.setBuffer(second, at: 1001)
                        #expect(try await transceiver[chip].read(at: address, count: 5003) == expected)
                    }
                }
            }
        }
    }
}
