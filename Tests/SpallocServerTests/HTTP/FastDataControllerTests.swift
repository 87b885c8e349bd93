//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

/// Fast data by HTTP: before boards on which a gatherer and monitors run, and of which the service is to reach the job's own only.
@Suite(.serialized, .timeLimit(.minutes(3))) struct FastDataControllerTests {
    private typealias Faults = FastDataBoardHost.Board.Faults

    private struct Scene: Sendable {
        var session: Session
        var job: Int
        var address: String
        var host: FastDataBoardHost
        var harness: Harness

        /// Of a write; `changed` replaces some of it, nil leaves it out.
        func query(_ changed: [String: String?] = [:]) -> String {
            var values: [String: String?] = [
                "gather_x": "0", "gather_y": "0", "gather_p": "3", "eth_x": "0", "eth_y": "0", "eth_address": self.address,
                "iptag": "4",
                "x": "2", "y": "1", "p": "2", "address": "\(0x6010_0000)",
            ]
            values.merge(changed) { $1 }
            return values.compactMap { name, value in value.map { "\(name)=\($0)" } }.sorted().joined(separator: "&")
        }

        func write(_ bytes: [UInt8], _ changed: [String: String?] = [:]) async throws -> TestResponse {
            try await self.session.client.execute(
                uri: Session.api + "jobs/\(self.job)/fast-data-write?\(self.query(changed))", method: .post,
                headers: [
                    .cookie: "JSESSIONID=\(self.session.cookie)", HTTPField.Name("X-CSRF-TOKEN") ?? .cookie: self.session.csrf,
                    .contentType: "application/octet-stream",
                ], body: ByteBuffer(bytes: bytes))
        }

        func read(_ count: Int, _ changed: [String: String?] = [:]) async throws -> TestResponse {
            try await self.session.execute(.get, "jobs/\(self.job)/fast-data-read?\(self.query(changed))&size=\(count)")
        }
    }

    /// A job of one board; on the board's address the fast protocols' cores run.
    private func withScene(
        network: Int, faults: Faults = .init(), configure: (inout SpallocServerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Scene) async throws -> Void
    ) async throws {
        let machine = machineDefinition(network: network)
        let address = machine.boards[0].address
        try await FastDataBoardHost.with(address: address, board: { .init(faults: faults, seed: 11) }) { host in
            try await withService(machines: [machine], configure: configure) { harness, client in
                let session = try await Session.logIn(client, as: "alice")
                let job = try await session.create(#"{"board":{"x":0,"y":0,"z":0},"keepalive-interval":60}"#)
                _ = try await session.wait(job, for: [.ready])
                try await body(Scene(session: session, job: job, address: address, host: host, harness: harness))
            }
        }
    }

    private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 >> 9) } }

    /// Several transactions' worth, at an odd address, with an odd end, through loss.
    @Test func manyBytesThereAndBack() async throws {
        var faults = Faults()
        (faults.lossIn, faults.lossOut) = (0.02, 0.02)
        try await self.withScene(network: 62, faults: faults) { scene in
            let bytes = self.bytes(2_300_001)
            let place = ["address": "\(0x6010_0003)"]
            let written = try await scene.write(bytes, place)
            #expect(written.status == .accepted, "\(written.text)")
            // Not a byte before or after it.
            let found = scene.host.withBoard { $0.read(ChipID(2, 1), at: 0x6010_0002, count: bytes.count + 2) }
            #expect(found == [0] + bytes + [0])
            let read = try await scene.read(bytes.count, place)
            #expect(read.status == .ok && Array(read.body.readableBytesView) == bytes, "\(read.status)")
            #expect(read.headers[.contentType] == "application/octet-stream" && read.headers[.contentLength] == "2300001")
            // By transactions of a mebibyte each, numbered on from where the core was.
            let locations = scene.host.withBoard { $0.toGatherer }.compactMap { command -> UInt32? in
                if case .location(let transaction, _, _, _) = command { transaction } else { nil }
            }
            #expect(Set(locations) == [1, 2, 3])
            let metrics = try await Session.logIn(scene.session.client, as: "root").execute(.get, "/metrics")
            #expect(metrics.text.contains("spalloc_fast_data_bytes_total{direction=\"to_board\"} 2300000"), "\(metrics.text)")
            #expect(metrics.text.contains("spalloc_fast_data_bytes_total{direction=\"from_board\"} 2300000"))
            #expect(metrics.text.contains("spalloc_fast_data_retransmissions_total{direction=\"to_board\"}"))
        }
    }

    @Test func smallAndEmptyTransfers() async throws {
        try await self.withScene(network: 63) { scene in
            for (count, address) in [(0, 0x6010_0000), (1, 0x6010_0001), (3, 0x6010_0002), (4, 0x6010_0000), (9, 0x6010_0003)] {
                let bytes = self.bytes(count + 40).suffix(count)
                #expect(try await scene.write(Array(bytes), ["address": "\(address)"]).status == .accepted, "\(count)")
                let read = try await scene.read(count, ["address": "\(address)"])
                #expect(read.status == .ok && Array(read.body.readableBytesView) == Array(bytes), "\(count) at \(address)")
            }
        }
    }

    /// The reference's hole: the service as a gun that shoots SCP at any host. Nothing leaves for what is not the job's.
    @Test func onlyTheJobsOwnBoardsAreReached() async throws {
        try await self.withScene(network: 64) { scene in
            for bad: [String: String?] in [
                ["eth_address": "127.64.0.11"], ["eth_address": "10.0.0.1"], ["eth_address": "localhost"], ["eth_address": ""],
                ["eth_x": "8", "eth_y": "4"], ["eth_x": "1"], ["eth_x": "256"], ["gather_x": "8", "gather_y": "4"],
                ["gather_p": "0"], ["gather_p": "18"], ["gather_p": nil], ["iptag": "8"], ["iptag": "-1"], ["iptag": nil],
                ["x": "8"], ["x": "0", "y": "4"], ["address": "x"],
            ] {
                let reply = try await scene.write([1, 2, 3, 4], bad)
                #expect(reply.status == .badRequest, "\(bad): \(reply.status) \(reply.text)")
            }
            for bad: [String: String?] in [
                ["eth_address": "127.64.0.11"], ["x": "8", "y": "4"], ["x": "200"], ["p": "0"], ["p": nil], ["iptag": "99"],
                ["address": "\(UInt32.max)"],
            ] {
                let reply = try await scene.read(8, bad)
                #expect(reply.status == .badRequest, "\(bad): \(reply.status) \(reply.text)")
            }
            #expect(scene.host.withBoard { $0.toGatherer.isEmpty && $0.toMonitors.isEmpty })
            // The address may be left out: the job knows it.
            #expect(try await scene.write([1, 2, 3, 4], ["eth_address": nil]).status == .accepted)
            // Another's job is none.
            let bob = try await Session.logIn(scene.session.client, as: "bob")
            let path = "jobs/\(scene.job)/fast-data-read?\(scene.query())&size=4"
            #expect(try await bob.execute(.get, path).status == .notFound)
            let rita = try await Session.logIn(scene.session.client, as: "rita")
            #expect(try await rita.execute(.get, path).status == .forbidden)
        }
    }

    @Test func sizesAreBounded() async throws {
        try await self.withScene(network: 65, configure: { $0.maximumBody = 1000 }) { (scene: Scene) async throws in
            #expect(try await scene.write(self.bytes(1001)).status == .contentTooLarge)
            #expect(try await scene.read(1001).status == .badRequest)
            #expect(try await scene.read(-1).status == .badRequest)
            #expect(try await scene.write(self.bytes(12), ["address": "\(UInt32.max - 3)"]).status == .badRequest)
            #expect(scene.host.withBoard { $0.toGatherer.isEmpty && $0.toMonitors.isEmpty })
            #expect(try await scene.write(self.bytes(1000)).status == .accepted)
        }
    }

    /// A gatherer that never answers is a 504, not a request without end; and the job's end frees whoever waits in line.
    @Test func silenceAndTheEndOfTheJob() async throws {
        try await self.withScene(network: 66) { scene in
            scene.host.withBoard { $0.faults.isMonitorDeaf = true }
            let silent = try await scene.read(1000)
            #expect(silent.status == .gatewayTimeout && silent.text.contains("no answer"), "\(silent.status) \(silent.text)")
            scene.host.withBoard { $0.faults.tagResult = .badArgument }
            #expect(try await scene.read(1000).status == .badGateway)
            scene.host.withBoard { $0.faults.tagResult = .ok }

            let before = scene.host.withBoard { $0.toMonitors.count }
            async let first = scene.read(1000)
            async let second = scene.read(1000)
            try await eventually("a transfer to be under way") { scene.host.withBoard { $0.toMonitors.count > before } }
            #expect(try await scene.session.execute(.delete, "jobs/\(scene.job)").status == .noContent)
            #expect(try await [first.status, second.status] == [.gone, .gone])
            #expect(try await scene.read(8).status == .conflict)
        }
    }

    /// Transfers of one board take turns, for its gatherer does one at a time.
    @Test func transfersTakeTurns() async throws {
        try await self.withScene(network: 67) { scene in
            let statuses = try await withThrowingTaskGroup(of: HTTPResponse.Status.self) { group in
                for index in 0..<6 {
                    group.addTask {
                        try await scene.write(self.bytes(4000), ["address": "\(0x6010_0000 + 4000 * index)"]).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: .accepted, count: 6))
            let all = scene.host.withBoard { $0.read(ChipID(2, 1), at: 0x6010_0000, count: 24_000) }
            #expect(all == Array(repeating: self.bytes(4000), count: 6).flatMap { $0 })
        }
    }
}
