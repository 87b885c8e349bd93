//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocServer
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// The service before virtual boards: power by SCP, memory and routers by SCP.
@Suite(.serialized, .timeLimit(.minutes(3))) struct MemoryTests {
    private func withBoards(
        base: UInt8, faults: HardwareFaults = .none,
        _ body: @escaping @Sendable (Session, VirtualMachineHost, Harness) async throws -> Void
    ) async throws {
        let description = VirtualMachineDescription(
            .triads(width: 1, height: 1), faults: faults, bootTimeScale: 0, powerOnDelay: .zero, base: base)
        try await withVirtualMachineHost(description, logger: quiet) { host in
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let machine = MachineDefinition(of: host)
            let application = try await SpallocApplication.build(
                configuration: testConfiguration(in: directory, machines: [machine]), logger: quiet)
            let harness = Harness(application: application, bmp: FakeBMP(), directory: directory)
            try await application.application().test(.router) { client in
                try await body(try await Session.logIn(client, as: "alice"), host, harness)
            }
            try harness.store.close()
        }
    }

    private func execute(
        _ session: Session, _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]
    ) async throws -> TestResponse {
        try await session.client.execute(
            uri: Session.api + path, method: method,
            headers: [
                .cookie: "JSESSIONID=\(session.cookie)", HTTPField.Name("X-CSRF-TOKEN") ?? .cookie: session.csrf,
                .contentType: "application/octet-stream",
            ], body: ByteBuffer(bytes: bytes))
    }

    @Test func memoryOfEveryBoardAndRouters() async throws {
        try await self.withBoards(base: 211) { session, host, _ in
            let job = try await session.create(#"{"num-boards":3,"keepalive-interval":60}"#)
            _ = try await session.wait(job, for: [.ready])
            for board in host.boards { #expect(try await host.isPowered(board: board.number)) }
            let root = try #require(try await session.get(JobMachine.self, "jobs/\(job)/machine").connections.first).hostname
            try await withTransceiver(to: root, image: .placeholder) { _ = try await $0.ensureReady(image: .placeholder) }

            // An odd length at an odd address, on chips of each board.
            let bytes = (0..<1025).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
            for (x, y) in [(0, 0), (9, 5), (5, 9), (255, 255)] {
                let place = "jobs/\(job)/memory?x=\(x)&y=\(y)&address=\(0x6000_0001)"
                let written = try await self.execute(session, .post, place, bytes: bytes)
                #expect(written.status == .accepted, "\(x), \(y): \(written.text)")
                let read = try await session.execute(.get, place + "&size=1025")
                #expect(read.status == .ok && Array(read.body.readableBytesView) == bytes, "\(x), \(y)")
                #expect(read.headers[.contentType] == "application/octet-stream")
            }
            // The address as a client of signed numbers writes it, and the default chip.
            let signed = try await session.execute(
                .get, "jobs/\(job)/memory?address=\(Int64(Int32(bitPattern: 0xF500_7F00)))&size=4")
            #expect(signed.status == .ok && signed.body.readableBytes == 4)
            #expect(try await session.execute(.get, "jobs/\(job)/memory?size=0").status == .ok)
            for bad in ["x=100&y=100&size=4", "size=-1", "address=zero&size=4", "address=\(UInt32.max)&size=16"] {
                #expect(try await session.execute(.get, "jobs/\(job)/memory?\(bad)").status == .badRequest, "\(bad)")
            }

            #expect(
                try await session.execute(.delete, "jobs/\(job)/router?14=33553919&15=-1&13=4294967295").status == .accepted)
            let filter = try await session.execute(.get, "jobs/\(job)/memory?x=9&y=5&address=\(0xE100_0238)&size=8")
            // 33553919 = 0x1FFFDFF, the lowest byte first.
            let words: [UInt8] = [0xFF, 0xFD, 0xFF, 0x01, 0xFF, 0xFF, 0xFF, 0xFF]
            #expect(Array(filter.body.readableBytesView) == words)
            #expect(try await session.execute(.delete, "jobs/\(job)/router").status == .accepted)
            for bad in ["16=1", "x=1", "1=99999999999", "1=", "3=1&3=2"] {
                #expect(try await session.execute(.delete, "jobs/\(job)/router?\(bad)").status == .badRequest, "\(bad)")
            }

            #expect(try await session.execute(.delete, "jobs/\(job)").status == .noContent)
            #expect(try await session.execute(.get, "jobs/\(job)/memory?size=4").status == .conflict)
            try await eventually("the boards to be off") {
                for board in host.boards where try await host.isPowered(board: board.number) { return false }
                return true
            }
        }
    }

    /// What is not booted says nothing: that is a 504 before the client's own ten seconds are over.
    @Test func aSilentBoardIsATimeout() async throws {
        try await self.withBoards(base: 212) { session, _, _ in
            let job = try await session.create()
            _ = try await session.wait(job, for: [.ready])
            let started = ContinuousClock.now
            let reply = try await session.execute(.get, "jobs/\(job)/memory?size=4")
            #expect(reply.status == .gatewayTimeout)
            #expect(ContinuousClock.now - started < .seconds(10))
        }
    }
}
