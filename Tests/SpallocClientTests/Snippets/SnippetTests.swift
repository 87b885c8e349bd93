//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpallocClient

/// The code in the documentation is compiled, and it does what the text says.
@Suite(.timeLimit(.minutes(3))) struct SnippetTests {
    private let lines = NIOLockedValueBox<[String]>([])
    private var printed: [String] { self.lines.withLockedValue { $0 } }
    private var snippets: Snippets { Snippets { [lines] line in lines.withLockedValue { $0.append(line) } } }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The Swift blocks of an article, without blank lines.
    private static func blocks(of article: String) throws -> [[Substring]] {
        let file = Self.root.appending(path: "Sources/SpallocClient/Documentation.docc/\(article).md")
        let text = try String(contentsOf: file, encoding: .utf8)
        return text.components(separatedBy: "```swift\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first?.split(separator: "\n")
        }
    }

    @Test(arguments: ["SpallocClient", "FromPython"])
    func everyBlockIsCompiled(article: String) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "FromPythonSnippets.swift")
        let code = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let blocks = try Self.blocks(of: article)
        #expect(!blocks.isEmpty)
        for block in blocks {
            guard let first = block.first else { continue }
            // As it stands there, only further in.
            let isThere = code.indices.contains { start in
                guard code[start].hasSuffix(first) else { return false }
                let indent = code[start].dropLast(first.count)
                return indent.allSatisfy { $0 == " " }
                    && code[start...].prefix(block.count).elementsEqual(block.map { indent + $0 }, by: ==)
            }
            #expect(isThere, "not in \(file.lastPathComponent):\n\(block.joined(separator: "\n"))")
        }
    }

    // MARK: - Run

    /// A service that can be asked for all that the snippets ask for.
    private func service(boards: Int = 3, proxy: (@Sendable (any Channel) -> any WebSocketUser)? = nil) throws -> FakeService {
        let house = FakeService.withBoards([try BoardPeer(.triads(width: 1, height: 1))], boards: boards)
        let memory = NIOLockedValueBox<[UInt8]>([])
        return FakeService({ $0.jobState = "READY" }) { request in
            switch request.call {
            case "GET /spalloc/proxy/42":
                guard let proxy else { return await house.special(request) }
                return .webSocket(proxy)
            case "GET /spalloc/srv/spalloc/jobs/":
                return .json(#"{"jobs":["https://x/spalloc/srv/spalloc/jobs/42"]}"#)
            case "GET /spalloc/srv/spalloc/jobs/42/chip":
                return .json(#"{"machine":"M","physical-board-coordinates":[0,1,5]}"#)
            case "POST /spalloc/srv/spalloc/jobs/42/memory":
                memory.withLockedValue { $0 = Array(request.body.readableBytesView) }
                return .reply(status: 202)
            case "GET /spalloc/srv/spalloc/jobs/42/memory":
                return .bytes(status: 200, memory.withLockedValue { $0 })
            default:
                return await house.special(request)
            }
        }
    }

    @Test func theFirstPage() async throws {
        let service = try self.service()
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            try await self.snippets.overview(
                url: "http://127.0.0.1:\(peer.port)/spalloc", user: "alice", password: "s3cret pass&word", image: .placeholder)
        }
        #expect(self.printed == ["144 chips"])
    }

    @Test func gettingIn() async throws {
        let service = try self.service()
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            try await self.snippets.gettingIn(
                url: "http://127.0.0.1:\(peer.port)/spalloc", user: "alice", password: "s3cret pass&word")
        }
        #expect(self.printed == ["Spalloc 7.4.2", "M 5", "42 READY"])
    }

    @Test func tokens() async throws {
        try await FakeService().run(credentials: self.snippets.tokens()) { client, _ in
            let version = try await client.version()
            #expect(version.majorVersion == 7)
        }
    }

    @Test func aJob() async throws {
        let service = try self.service()
        try await service.run { client, _ in try await self.snippets.aJob(client: client) }
        #expect(
            self.printed == [
                "job 42 is READY", "(0, 0) 10.0.0.1", "(8, 4) 10.0.0.2", "(4, 8) 10.0.0.3",
                "\(PhysicalCoordinates(cabinet: 0, frame: 1, board: 5))",
            ])
        #expect(service.now.destroyReasons == ["finished"])
    }

    @Test func formsAreAllAllowed() throws {
        let forms = self.snippets.forms()
        for form in forms { try form.validate(keepalive: .seconds(120)) }
        #expect(forms[1].size == .boards(23))
    }

    @Test func statesAndKeepalives() async throws {
        let service = try self.service()
        try await service.run { client, _ in
            let task = Task { try await self.snippets.keepingAlive(job: client.job(42)) }
            try await eventually { service.now.keepalives == 1 }
            task.cancel()
            try? await task.value
            service.setJob("DESTROYED", reason: "over")
            try await self.snippets.states(job: client.job(42))
            let error = await #expect(throws: SpallocError.self) { try await self.snippets.keepingAlive(job: client.job(42)) }
            #expect(error?.code == .jobDestroyed)
        }
        #expect(self.printed == ["job 42 is DESTROYED"])
    }

    @Test func talkingToBoards() async throws {
        let service = try self.service()
        try await service.run { client, _ in
            // Boots it.
            try await self.snippets.transceiver(job: client.job(42), image: .placeholder)
            try await self.snippets.boards(job: client.job(42), message: ByteBuffer(bytes: [1]))
            try await self.snippets.acquiring(client: client, image: .placeholder)
        }
        #expect(self.printed == ["144 chips", "SC&MP", "job 42 has 144 chips"])
    }

    @Test func listening() async throws {
        let far = ProxyPeer()
        far.state.withLockedValue { $0.eventBeforeTag = ByteBuffer(bytes: [1, 8, 1, 0, 7, 0]) }
        let service = try self.service { far.makeUser($0) }
        try await service.run { client, _ in
            let task = Task { try await self.snippets.listening(job: client.job(42), host: "10.0.0.3") }
            try await eventually { self.printed.count == 2 }
            task.cancel()
            try? await task.value
        }
        #expect(self.printed.first == "boards reach us at 10.0.0.254:50101")
        #expect(self.printed.last?.contains("EIEIO") == true)
    }

    @Test func memory() async throws {
        try await self.service().run { client, _ in
            let data = ByteBuffer(bytes: 0..<100)
            let copy = try await self.snippets.memory(job: client.job(42), data: data)
            #expect(copy == data)
        }
    }

    @Test func aDatabaseLetsAnotherProcessJoin() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "spalloc-\(UUID().uuidString).sqlite3")
        defer { try? FileManager.default.removeItem(at: file) }
        let service = try self.service()
        try await service.run { client, _ in
            try await self.snippets.storing(job: client.job(42), path: file.path)
            try await self.snippets.joining(path: file.path)
        }
        #expect(self.printed == ["joined job 42, which is READY"])
        // In the first's session, and without keeping its job alive.
        #expect(service.now.logins == 1 && service.now.keepalives == 0)
    }

    @Test func testing() async throws {
        let boards = try await self.snippets.testing()
        #expect(boards == 2)
    }
}
