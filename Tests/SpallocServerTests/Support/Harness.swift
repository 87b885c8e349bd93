//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpallocServer
import SpiNNakerMachine
import Testing
import VirtualSpiNNakerHost

/// A service with a database of its own, a machine, users, and BMPs that are not there.
struct Harness: Sendable {
    let application: SpallocApplication
    let bmp: FakeBMP
    let directory: URL

    var core: ServiceCore { self.application.core }
    var store: Store { self.application.core.store }

    static let users: [SpallocServerConfiguration.User] = [
        .init(name: "alice", password: "alice's secret", trustLevel: .user),
        .init(name: "bob", password: "bob's secret", trustLevel: .user),
        .init(name: "rita", password: "rita's secret", trustLevel: .reader),
        .init(name: "basil", password: "basil's secret", trustLevel: .basic),
        .init(name: "root", password: "root's secret", trustLevel: .admin),
    ]

    static func password(of user: String) -> String { "\(user)'s secret" }
}

/// A machine of triads: frame by frame 24 boards, one BMP each.
func machineDefinition(
    _ width: Int = 1, _ height: Int = 1, name: String = "m1", tags: [String] = ["default"], network: Int = 10,
    deadBoards: [BoardCoordinates] = [], deadLinks: [MachineDefinition.DeadLink] = []
) -> MachineDefinition {
    let boards = TriadGeometry(width: width, height: height).boards.enumerated().map { index, board in
        MachineDefinition.Board(
            coordinates: board,
            physical: PhysicalCoordinates(cabinet: index / 120, frame: index / 24 % 5, board: index % 24),
            address: "127.\(network).\(index / 200).\(10 + index % 200)")
    }
    let frames = Set(boards.map { [$0.physical.cabinet, $0.physical.frame] })
    let bmps = frames.map {
        MachineDefinition.BMP(cabinet: $0[0], frame: $0[1], address: "127.\(network).\($0[0] + 100).\($0[1] + 1)")
    }
    return MachineDefinition(
        name: name, tags: tags, width: width, height: height, boards: boards, bmps: bmps, deadBoards: deadBoards,
        deadLinks: deadLinks)
}

func temporaryDirectory() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("spalloc-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
}

func testConfiguration(in directory: URL, machines: [MachineDefinition] = [machineDefinition()]) -> SpallocServerConfiguration {
    var configuration = SpallocServerConfiguration(
        port: 0, databasePath: directory.appendingPathComponent("spalloc.sqlite").path, machines: machines, users: Harness.users
    )
    configuration.passwordRounds = 2
    configuration.power.offWait = .zero
    configuration.power.retryInterval = .milliseconds(1)
    configuration.timings.longPoll = .seconds(20)
    configuration.emergencyStopCode = "red"
    return configuration
}

let quiet: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}()

func buildHarness(
    in directory: URL, machines: [MachineDefinition] = [machineDefinition()], clock: @escaping WallClock = SystemClock.now,
    bmp: FakeBMP = FakeBMP(), configure: (inout SpallocServerConfiguration) -> Void = { _ in }
) async throws -> Harness {
    var configuration = testConfiguration(in: directory, machines: machines)
    configure(&configuration)
    let application = try await SpallocApplication.build(
        configuration: configuration, logger: quiet, clock: clock, bmps: { _ in FakeBMPController(bmp: bmp) })
    return Harness(application: application, bmp: bmp, directory: directory)
}

/// Runs the service's routes and services, without a socket.
func withService(
    machines: [MachineDefinition] = [machineDefinition()], clock: @escaping WallClock = SystemClock.now,
    configure: (inout SpallocServerConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (Harness, any TestClientProtocol) async throws -> Void
) async throws {
    let directory = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let harness = try await buildHarness(in: directory, machines: machines, clock: clock, configure: configure)
    try await harness.application.application().test(.router) { client in try await body(harness, client) }
    try harness.store.close()
}

/// A client that is logged in: it sends its cookie, and its token with what changes something.
struct Session: Sendable {
    let client: any TestClientProtocol
    var cookie: String
    var csrf: String

    static let api = "/spalloc/srv/spalloc/"

    /// As the stock clients log in.
    static func logIn(_ client: any TestClientProtocol, as user: String, password: String? = nil) async throws -> Session {
        let page = try await client.execute(uri: "/spalloc/system/login.html", method: .get)
        let first = try #require(page.sessionCookie)
        let token = try #require(String(buffer: page.body).firstMatch(of: /<input type="hidden" name="_csrf" value="(.*)" \/>/))
            .1
        let form =
            "_csrf=\(token)&username=\(user)&password=\(Links.escape(password ?? Harness.password(of: user)))&submit=submit"
        let reply = try await client.execute(
            uri: "/spalloc/system/perform_login", method: .post,
            headers: [.cookie: "JSESSIONID=\(first)", .contentType: "application/x-www-form-urlencoded"],
            body: ByteBuffer(string: form))
        guard let cookie = reply.sessionCookie else { throw LoginRefused(status: reply.status) }
        var session = Session(client: client, cookie: cookie, csrf: "")
        let root = try await session.get(ServiceDescription.self, "")
        session.csrf = try #require(root.csrfToken)
        return session
    }

    func execute(
        _ method: HTTPRequest.Method, _ path: String, body: String? = nil, headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var headers = headers
        headers[.cookie] = "JSESSIONID=\(self.cookie)"
        if method != .get { headers[HTTPField.Name("X-CSRF-TOKEN") ?? .cookie] = self.csrf }
        if body != nil, headers[.contentType] == nil { headers[.contentType] = "application/json" }
        return try await self.client.execute(
            uri: path.hasPrefix("/") ? path : Session.api + path, method: method, headers: headers,
            body: body.map { ByteBuffer(string: $0) })
    }

    func get<Value: Decodable>(_: Value.Type, _ path: String) async throws -> Value {
        let reply = try await self.execute(.get, path)
        #expect(reply.status == .ok, "GET \(path): \(String(buffer: reply.body))")
        return try JSONDecoder().decode(Value.self, from: Data(reply.body.readableBytesView))
    }

    func create(_ body: String = #"{"num-boards":1,"tags":["default"],"keepalive-interval":"PT120S"}"#) async throws -> Int {
        let reply = try await self.execute(.post, "jobs/", body: body)
        #expect(reply.status == .created, "\(String(buffer: reply.body))")
        let location = try #require(reply.headers[.location])
        return try #require(Int(location.split(separator: "/").last ?? ""))
    }

    /// Follows a job by long-polls until it is in one of the states.
    func wait(_ job: Int, for states: Set<JobState>) async throws -> JobDescription {
        var now = try await self.get(JobDescription.self, "jobs/\(job)/?wait=False")
        for _ in 0..<50 {
            if states.contains(now.state) { return now }
            now = try await self.get(JobDescription.self, "jobs/\(job)/?wait=true")
        }
        throw TimedOut(what: "job \(job) to be \(states)")
    }
}

struct LoginRefused: Error { var status: HTTPResponse.Status }

struct TimedOut: Error { var what: String }

extension TestResponse {
    var sessionCookie: String? {
        self.headers[values: .setCookie].compactMap { $0.firstMatch(of: /JSESSIONID=([A-Z0-9]+);/).map { String($0.1) } }.first
    }
    var text: String { String(buffer: self.body) }
    var keys: Set<String> {
        get throws {
            let value = try JSONSerialization.jsonObject(with: Data(self.body.readableBytesView))
            return Set((value as? [String: Any] ?? [:]).keys)
        }
    }
}

/// A clock that a test turns.
final class TurnedClock: Sendable {
    private let time = NIOLockedValueBox(Timestamp(milliseconds: 1_700_000_000_000))
    var now: WallClock { { self.time.withLockedValue { $0 } } }
    func advance(_ by: Duration) { self.time.withLockedValue { $0 = $0 + by } }
}

/// Waits for a condition, by looking again whenever the service has done something, with a deadline.
func eventually(_ what: String, _ condition: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        await Task.yield()
        _ = await Nudge().wait(.milliseconds(2))
    }
    throw TimedOut(what: what)
}

extension MachineDefinition {
    /// The machine of one triad that a host of virtual boards is.
    init(of host: VirtualMachineHost) {
        self.init(
            name: "m1", width: 1, height: 1,
            boards: host.boards.map {
                .init(coordinates: $0.coordinates, physical: $0.physical, address: $0.address.description)
            },
            bmps: host.bmps.map { .init(cabinet: $0.cabinet, frame: $0.frame, address: $0.address.description) })
    }
}
