//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1
import SpallocAPI
import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct TransportErrorTests {
    func failure(_ url: String, credentials: SpallocCredentials = .password(user: "u", "hunter2")) async throws -> SpallocError
    {
        try await #require(throws: SpallocError.self) {
            try await withSpallocClient(url: url, credentials: credentials, configuration: FakeService.patient) { _ in }
        }
    }

    @Test func aServiceThatIsDownIsRefusedAtOnce() async throws {
        // An address of loopback that is ours alone: a port that a test has just left may be another's by now.
        let error = try await self.failure("http://127.201.17.1:9/spalloc/")
        // Not a timeout: it was not tried again until one came.
        #expect(error.code == .connectionRefused)
        #expect("\(error)" == "nothing answers at http://127.201.17.1:9: the service is not running there")
    }

    @Test func anUnknownHostIsNamed() async throws {
        let error = try await self.failure("https://no-such-host.invalid/spalloc/")
        #expect(error.code == .hostNotFound)
        #expect("\(error)".contains("no-such-host.invalid"))
    }

    @Test func secretsDoNotCrossANetworkInClear() async throws {
        let error = try await self.failure("http://192.0.2.1/spalloc/")
        #expect(error.code == .insecureURL)
    }

    @Test func noCredentialsIsSaidBeforeAnythingIsSent() async throws {
        let error = try await self.failure("https://192.0.2.1/spalloc/", credentials: .inURL)
        #expect(error.code == .credentialsMissing)
    }

    @Test func aPlainServiceIsNotTakenForTLS() async throws {
        try await ScriptedPeer.run({ _ in .close }) { peer in
            let error = try await self.failure("https://127.0.0.1:\(peer.port)/spalloc/")
            #expect(error.code == .tlsFailed)
        }
    }

    @Test func aMissingCAFileIsNamed() async throws {
        let error = try await #require(throws: SpallocError.self) {
            try await withSpallocClient(
                url: "https://127.0.0.1/", credentials: .token("t"),
                configuration: .init(trust: .certificateAuthorities(file: "/no/such/ca.pem"))
            ) { _ in }
        }
        #expect(error.code == .invalidConfiguration)
        #expect("\(error)".contains("/no/such/ca.pem"))
    }

    @Test func aStallEndsAtTheDeadline() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .stall : nil })
        try await service.run { client, _ in
            let start = ContinuousClock.now
            let url = client.session.rootURL.appending("machines").asFolder
            let error = try await #require(throws: SpallocError.self) {
                try await client.session.get(url, timeout: .milliseconds(300))
            }
            #expect(error.code == .timeout)
            #expect(error.isTransient)
            // Its own deadline, not the 30 s of the configuration.
            #expect(ContinuousClock.now - start < .seconds(20))
        }
    }

    @Test func anAnswerThatBreaksOffIsAnErrorAfterOneMoreTry() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("jobs/42/") ? .breakOff : nil })
        try await service.run { client, peer in
            let error = try await #require(throws: SpallocError.self) { try await client.job(42).state() }
            #expect(error.code == .connectionClosed)
            #expect(error.job == 42)
            #expect(peer.count("GET /spalloc/srv/spalloc/jobs/42/") == 2)
        }
    }

    /// A second POST might make a second job.
    @Test func creationIsNotRepeated() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("jobs/") && $0.method == .POST ? .close : nil })
        try await service.run { client, peer in
            let error = try await #require(throws: SpallocError.self) { try await client.createJob(.boards(1)) }
            #expect(error.code == .connectionClosed)
            #expect(peer.count("POST /spalloc/srv/spalloc/jobs/") == 1)
        }
    }

    @Test func whatIsNotHTTPIsAnError() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .garbage : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.machines() }
            #expect(error.code == .unexpectedResponse || error.code == .connectionClosed)
        }
    }

    @Test func whatIsNotTheRightJSONIsExplained() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .json(#"{"machines":[{"name":1}]}"#) : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.machines() }
            #expect(error.code == .unexpectedResponse)
            #expect(error.serverMessage?.contains("machines") == true)
        }
    }

    @Test(arguments: [
        (400, "requestRefused", false), (404, "notFound", false), (410, "notFound", false), (429, "requestRefused", true),
        (500, "serverError", true), (503, "serverError", true),
    ])
    func statusesHaveTheirCodes(status: Int, code: String, isTransient: Bool) async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .text(status, "why\nnot\u{1B}[31m") : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.machines() }
            #expect("\(error.code)" == code)
            #expect(error.status == status)
            #expect(error.serverMessage == "why not [31m")
            #expect(error.isTransient == isTransient)
        }
    }

    @Test func anHTMLErrorPageIsNotTheServicesWords() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .text(502, "<html><h1>Bad gateway") : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) { try await client.machines() }
            #expect(error.serverMessage == nil)
            #expect(error.code == .serverError)
        }
    }

    @Test func cancellationIsACodeOfItsOwn() async throws {
        let service = FakeService(special: { $0.path.hasSuffix("machines/") ? .stall : nil })
        try await service.run { client, peer in
            let task = Task { () -> SpallocError.Code? in
                do { _ = try await client.machines() } catch { return (error as? SpallocError)?.code }
                return nil
            }
            try await eventually { peer.count("GET /spalloc/srv/spalloc/machines/") == 1 }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }
}
