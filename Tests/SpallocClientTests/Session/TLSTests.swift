//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOSSL
import SpallocAPI
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpallocClient

/// Whose certificates are trusted, and what is said of the others.
@Suite(.timeLimit(.minutes(3))) struct TLSTests {
    private let service = FakeService { $0.jobState = "READY" }

    /// Runs `body` against a TLS service.
    private func withService<Result>(
        showing shown: TestCertificates.Shown = .good, special: [String: PeerAnswer] = [:],
        _ body: (ScriptedPeer) async throws -> Result
    ) async throws -> Result {
        let service = self.service
        return try await ScriptedPeer.run(
            tls: TestCertificates.serverContext(shown),
            {
                if let answer = special[$0.path] { return answer }
                return await service.answer($0)
            }, body)
    }

    private func configuration(_ trust: SpallocClientConfiguration.Trust) -> SpallocClientConfiguration {
        var configuration = FakeService.patient
        configuration.trust = trust
        return configuration
    }

    private func failure(
        host: String = "127.0.0.1", port: Int, trust: SpallocClientConfiguration.Trust
    ) async throws -> SpallocError {
        try await #require(throws: SpallocError.self) {
            try await withSpallocClient(
                url: "https://\(host):\(port)/spalloc", credentials: .password(user: "alice", "s3cret pass&word"),
                configuration: self.configuration(trust)
            ) { _ in Issue.record("logged in") }
        }
    }

    @Test func aCAFileIsAllThatIsTrusted() async throws {
        let far = ProxyPeer()
        let proxy = PeerAnswer.webSocket { far.makeUser($0) }
        try await TestCertificates.withFile(TestCertificates.authority) { file in
            try await self.withService(special: ["/spalloc/proxy/42": proxy]) { peer in
                try await withSpallocClient(
                    url: "https://localhost:\(peer.port)/spalloc",
                    credentials: .password(user: "alice", "s3cret pass&word"),
                    configuration: self.configuration(.certificateAuthorities(file: file))
                ) { client in
                    let version = try await client.version()
                    #expect(version.majorVersion == 7)
                    // The websocket trusts the same.
                    try await client.job(42).withProxy { proxy in
                        let connection = try await proxy.connectDatagrams(to: ChipID(0, 0))
                        try await connection.send(ByteBuffer(bytes: [1]))
                        let echo = try await connection.receive(timeout: .seconds(30))
                        #expect(echo == ByteBuffer(bytes: [1]))
                    }
                }
            }
        }
    }

    @Test func anUnknownCAIsRefusedBeforeAnySecretIsSent() async throws {
        try await TestCertificates.withFile(TestCertificates.otherAuthority) { file in
            try await self.withService { peer in
                for trust in [SpallocClientConfiguration.Trust.system, .certificateAuthorities(file: file)] {
                    let error = try await self.failure(port: peer.port, trust: trust)
                    #expect(error.code == .untrustedServer)
                    #expect(
                        "\(error)"
                            == "the certificate of https://127.0.0.1:\(peer.port) is not signed by a CA we trust, or has expired; "
                            + "give its CA (--ca-file)")
                    #expect(!error.isTransient)
                }
                #expect(peer.requests.isEmpty)
            }
        }
    }

    @Test(arguments: [TestCertificates.Shown.ofAnotherHost, .expired])
    func anotherHostsCertificateOrAnOldOneIsRefused(shown: TestCertificates.Shown) async throws {
        try await TestCertificates.withFile(TestCertificates.authority) { file in
            try await self.withService(showing: shown) { peer in
                for host in ["127.0.0.1", "localhost"] {
                    let error = try await self.failure(
                        host: host, port: peer.port, trust: .certificateAuthorities(file: file))
                    #expect(error.code == .untrustedServer, "\(error)")
                }
                #expect(peer.requests.isEmpty)
            }
        }
    }

    @Test func aFileWithoutACertificateIsNamed() async throws {
        try await TestCertificates.withFile("nothing of that kind\n") { file in
            let error = try await self.failure(port: 1, trust: .certificateAuthorities(file: file))
            #expect(error.code == .invalidConfiguration)
            #expect("\(error)".contains(file))
        }
    }

    // MARK: - Step by step

    @Test func theProbeNamesEachStep() async throws {
        try await TestCertificates.withFile(TestCertificates.authority) { file in
            try await self.withService { peer in
                let address = try SpallocServiceAddress("https://localhost:\(peer.port)/spalloc")
                let probe = ServiceProbe(address, configuration: self.configuration(.certificateAuthorities(file: file)))
                let resolved = try await probe.resolve()
                #expect(resolved.hasSuffix(":\(peer.port)"))
                let tls = try await probe.connect()
                #expect(tls == "TLS v1.3")
                let untrusting = ServiceProbe(address, configuration: self.configuration(.system))
                let error = try await #require(throws: SpallocError.self) { try await untrusting.connect() }
                #expect(error.code == .untrustedServer)
            }
        }
    }

    @Test func theProbeSaysWhichStepFails() async throws {
        let nowhere = ServiceProbe(
            try SpallocServiceAddress("https://no-such-host.invalid/"), configuration: FakeService.patient)
        let unknown = try await #require(throws: SpallocError.self) { try await nowhere.resolve() }
        #expect(unknown.code == .hostNotFound)
        let closed = ServiceProbe(try SpallocServiceAddress("https://127.201.17.2:9/"), configuration: FakeService.patient)
        let refused = try await #require(throws: SpallocError.self) { try await closed.connect() }
        #expect(refused.code == .connectionRefused)
        try await ScriptedPeer.run({ _ in .stall }) { peer in
            let plain = try SpallocServiceAddress("http://127.0.0.1:\(peer.port)/")
            let tls = try await ServiceProbe(plain, configuration: FakeService.patient).connect()
            #expect(tls == nil)
            let wrong = ServiceProbe(
                try SpallocServiceAddress("https://127.0.0.1:\(peer.port)/"), configuration: FakeService.patient)
            let error = try await #require(throws: SpallocError.self) { try await wrong.connect() }
            #expect(error.code == .tlsFailed)
        }
    }
}
