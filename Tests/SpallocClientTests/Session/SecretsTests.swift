//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpiNNakerMachine
import Testing

@testable import SpallocClient

/// What a log handler was given.
private struct Recorder: LogHandler {
    let lines: NIOLockedValueBox<[String]>
    var logLevel = Logger.Level.trace
    var metadata = Logger.Metadata()

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.lines.withLockedValue { $0.append("\(event.message) \(event.metadata ?? [:])") }
    }
}

/// Everything that is logged and every error, in good days and bad: no password, cookie, token or CSRF token is in it.
@Suite(.timeLimit(.minutes(3))) struct SecretsTests {
    private static let secrets = ["hunter2", "SESSION1", "SESSION2", "TOKEN-1", "5b1c-01", "form-csrf"]

    private func expectNoSecret(in text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        for secret in Self.secrets {
            #expect(!text.contains(secret), "\(secret) is in it", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [true, false])
    func nothingSecretIsLoggedOrInAnError(byToken: Bool) async throws {
        let lines = NIOLockedValueBox<[String]>([])
        let logger = Logger(label: "test") { _ in Recorder(lines: lines) }
        let far = ProxyPeer()
        let service = FakeService({
            $0.password = "hunter2"
            $0.jobState = "READY"
        }) { request in
            switch request.path {
            case "/spalloc/proxy/42": .webSocket { far.makeUser($0) }
            case "/spalloc/proxy/43": .text(403, "no")
            case "/spalloc/srv/spalloc/jobs/42/memory": .breakOff
            case "/spalloc/srv/spalloc/jobs/42/chip": .garbage
            case "/spalloc/srv/spalloc/jobs/42/machine/power": .text(500, "oops")
            case "/spalloc/srv/spalloc/jobs/42/machine/report-issue": .stall
            default: nil
            }
        }
        var errors = ""
        func note(_ body: () async throws -> Void) async {
            do {
                try await body()
            } catch {
                errors += "\(error)\n\(String(reflecting: error))\n"
                dump(error, to: &errors)
            }
        }
        try await ScriptedPeer.run({ await service.answer($0) }) { peer in
            let url =
                byToken ? "http://127.0.0.1:\(peer.port)/spalloc" : "http://alice:hunter2@127.0.0.1:\(peer.port)/spalloc"
            try await withSpallocClient(
                url: url, credentials: byToken ? .token("TOKEN-1") : .inURL, configuration: FakeService.patient, logger: logger
            ) { client in
                try await client.withJob(.boards(1)) { job in
                    await note { try await job.withProxy { _ = try await $0.connectDatagrams(to: ChipID(0, 0)) } }
                    await note { _ = try await job.readMemory(chip: ChipID(0, 0), address: 0, count: 4) }
                    await note { _ = try await job.whereIs(ChipPosition(x: 0, y: 0)) }
                    await note { try await job.setPower(.on) }
                    await note { _ = try await client.machine("none") }
                    service.expireSessions()
                    await note { _ = try await client.machines() }
                    service.state.withLockedValue { ($0.password, $0.token) = ("changed", "changed") }
                    service.expireSessions()
                    await note { _ = try await client.machines() }
                    self.expectNoSecret(in: "\(client) \(job) \(client.session)")
                }
            }
        }
        #expect(errors.contains("refuse") && lines.withLockedValue { $0.count } > 10)
        self.expectNoSecret(in: errors)
        self.expectNoSecret(in: lines.withLockedValue { $0.joined(separator: "\n") })
    }
}
