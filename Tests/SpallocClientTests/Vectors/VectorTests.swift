//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerMachine
import Testing

@testable import SpallocClient

/// What the stock client sends, we send, except where the notes of the specification call it a fault.
@Suite(.enabled(if: FileManager.default.fileExists(atPath: SpallocVectors.path), "the golden vectors are not there"))
struct VectorTests {
    static let base = "/spalloc/srv/spalloc/jobs/42/"

    @Test func urls() throws {
        let vectors = try SpallocVectors.load(kind: "spalloc-url")
        #expect(vectors.count == 12)
        for vector in vectors {
            switch vector.name {
            case "clean_url":
                let url = try SpallocServiceAddress(try #require(vector.arg("url"))).url
                #expect(url.string == vector.result["url"] as? String, "\(vector.id)")
            case "fix_url":
                // A fault there: the scheme is forced to https, so that no local service can be used. Ours stays.
                let text: String = try #require(vector.arg("url"))
                let url = try SpallocServiceAddress(text).url
                #expect(text.hasPrefix(url.scheme.rawValue + "://"))
                let theirs = try SpallocServiceAddress(try #require(vector.result["url"] as? String)).url
                #expect(url.path == theirs.path && url.host == theirs.host && url.port == theirs.port, "\(vector.id)")
            case "parse_service_url":
                let address = try SpallocServiceAddress(try #require(vector.arg("url")))
                let parts = try #require(vector.decoded as? [Any])
                #expect(address.user == parts[1] as? String)
                #expect(address.password?.text == parts[2] as? String)
                // A fault there: IPv6 brackets are lost.
                let theirs = try #require(parts[0] as? String).replacing("::1", with: "[::1]") + "/"
                #expect(address.url.string == theirs)
            default:
                let text: String = try #require(vector.arg("address"))
                #expect(SpallocServiceAddress.isServiceURL(text) == vector.result["plain"] as? Bool, "\(vector.id)")
                #expect(
                    SpallocServiceAddress.isServiceURL(text, alsoSchemes: ["spalloc"]) == vector.result["with_spalloc"]
                        as? Bool,
                    "\(vector.id)")
            }
        }
    }

    @Test func createJobBodies() throws {
        let vectors = try SpallocVectors.load(kind: "spalloc-create-job")
        var compared = 0
        for vector in vectors {
            guard let call = vector.result["call"] as? [String: Any] else { continue }
            let body = JobRequestBody(request: try self.request(vector), keepalive: .seconds(120))
            let ours = try JSONSerialization.jsonObject(with: Data(SpallocSession.encode(body).readableBytesView))
            #expect(ours as? NSDictionary == call["json"] as? NSDictionary, "\(vector.id)")
            compared += 1
        }
        #expect(compared == 18)
    }

    private func request(_ vector: SpallocVectors.Vector) throws -> SpallocJobRequest {
        let cfg = vector.arg("cfg", as: [String: String].self) ?? [:]
        let client = vector.arg("client", as: [String: Any].self) ?? [:]
        func numbers(_ key: String) -> [Int]? { cfg[key]?.split(separator: ",").compactMap { Int($0) } }
        var board: SpallocJobRequest.Board?
        if let n = numbers("spalloc_triad") {
            board = .triad(BoardCoordinates(n[0], n[1], n[2]))
        } else if let n = numbers("spalloc_physical") {
            board = .physical(PhysicalCoordinates(cabinet: n[0], frame: n[1], board: n[2]))
        } else if let text = cfg["spalloc_ip_address"] {
            board = .address(try #require(IPv4Address(text)))
        }
        var request: SpallocJobRequest
        if let height = numbers("spalloc_height")?.first, let width = numbers("spalloc_width")?.first {
            request = board.map { .rectangle(width: width, height: height, at: $0) } ?? .rectangle(width: width, height: height)
        } else if let board {
            request = .board(board)
        } else if let chips = vector.arg("n_chips", as: Int.self) {
            request = .chips(chips)
        } else {
            request = .boards(try #require(vector.arg("n_boards", as: Int.self)))
        }
        if let name = cfg["spalloc_machine"] { request.machine = .named(name) }
        request.maxDeadBoards = cfg["spalloc_max_dead_boards"].flatMap { Int($0) }
        if let group = client["group"] as? String { request.account = .group(group) }
        if let collab = client["collab"] as? String { request.account = .collab(collab) }
        if let job = client["nmpi_job"] as? Int { request.account = .nmpiJob(job, user: client["nmpi_user"] as? String) }
        return request
    }

    @Test func theLoginCalls() async throws {
        let vector = try #require(try SpallocVectors.vector("spalloc.http.login.form", kind: "spalloc-http"))
        let service = FakeService {
            $0.user = "user"
            $0.password = "pass"
        }
        try await service.run(credentials: .password(user: "user", "pass")) { _, peer in
            #expect(peer.requests.count == vector.calls.count)
            for (ours, theirs) in zip(peer.requests, vector.calls) {
                #expect(ours.call == "\(theirs.method) \(theirs.path)")
                #expect((ours.cookie == nil) == (theirs.cookie == nil))
                guard let form = theirs.form else { continue }
                var fields: [String: String] = [:]
                for pair in ours.text.split(separator: "&") {
                    let sides = pair.split(separator: "=")
                    fields[String(sides[0])] = String(sides[1])
                }
                #expect(Set(fields.keys) == Set(form.keys))
                #expect(fields["username"] == form["username"] && fields["password"] == form["password"])
            }
        }
    }

    /// Query, headers and body of each job operation.
    @Test func theJobCalls() async throws {
        let operations: [(id: String, run: @Sendable (SpallocJob) async throws -> Void)] = [
            (
                "get-root-host",
                { job in
                    let host = try await job.rootHost()
                    #expect(host == "10.0.0.1")
                }
            ),
            ("get-connections", { job in _ = try await job.connections() }),
            (
                "where-is",
                { job in
                    let place = try await job.whereIs(ChipPosition(x: 1, y: 2))
                    #expect(place?.physicalBoardCoordinates == PhysicalCoordinates(cabinet: 0, frame: 0, board: 5))
                }
            ),
            (
                "read-data",
                { job in
                    let bytes = try await job.readMemory(chip: ChipID(1, 2), address: 1_610_612_736, count: 4)
                    #expect(Array(bytes.readableBytesView) == [1, 2, 3, 4])
                }
            ),
            ("reset-routing", { job in try await job.resetRouting(filters: [14: 33_553_919, 15: 1_107_295_743]) }),
            ("keepalive", { job in try await job.keepAlive() }),
            ("destroy", { job in try await job.destroy(reason: "because") }),
        ]
        for operation in operations {
            let vector = try #require(try SpallocVectors.vector("spalloc.job.\(operation.id)", kind: "spalloc-http"))
            let theirs = try #require(vector.calls.first)
            let service = FakeService(
                { $0.jobState = "READY" },
                special: { request in
                    switch request.path {
                    case Self.base + "chip": .json(#"{"physical-board-coordinates":[0,0,5]}"#)
                    case Self.base + "memory": .bytes(status: 200, [1, 2, 3, 4])
                    case Self.base + "router": .reply(status: 202)
                    default: nil
                    }
                })
            try await service.run { client, peer in
                try await operation.run(client.job(42))
                let ours = try #require(peer.requests.last)
                #expect(ours.call == "\(theirs.method) \(theirs.path)", "\(vector.id)")
                #expect(ours.query == theirs.query, "\(vector.id)")
                #expect(ours.headers.contains(name: "x-csrf-token") == (theirs.csrf != nil), "\(vector.id)")
                #expect(ours.headers.contains(name: "authorization") == (theirs.authorization != nil), "\(vector.id)")
                #expect(ours.text == theirs.text ?? "", "\(vector.id)")
                if let type = theirs.contentType { #expect(ours.headers.first(name: "content-type") == type) }
            }
        }
    }

    /// A fault there: the 401 is an error, and the session is never renewed.
    @Test func a401IsRenewedWhereTheStockClientFails() async throws {
        let vector = try #require(try SpallocVectors.vector("spalloc.http.renew-401", kind: "spalloc-http"))
        #expect(vector.calls.count == 1)
        let service = FakeService()
        try await service.run { client, peer in
            service.expireSessions()
            let machines = try await client.machines()
            #expect(machines.count == 1)
            #expect(peer.count("GET /spalloc/srv/spalloc/machines/") == 2)
        }
    }
}
