//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// The code of the documentation: `SnippetTests` compares each block of the articles with this file, and runs it. No
// `@testable` here: a user has none.

import NIOCore
import SpallocAPI
import SpallocClient
import SpiNNaker
import SpiNNakerDatabase
import SpiNNakerMachine
import SpiNNakerWire

struct Snippets: Sendable {
    /// What is printed, for the tests to look at.
    let output: @Sendable (String) -> Void

    private func print(_ items: Any...) { self.output(items.map { "\($0)" }.joined(separator: " ")) }

    // MARK: - The first page

    func overview(url: String, user: String, password: String, image: BootImage) async throws {
        try await withSpallocClient(url: url, credentials: .password(user: user, password)) { client in
            try await client.withJob(.boards(3)) { job in
                try await job.waitUntilReady()
                try await job.withTransceiver { transceiver in
                    try await transceiver.ensureReady(image: image)
                    let machine = try await transceiver.discoverMachine()
                    print(machine.chips.count, "chips")
                }
            }
        }
    }

    // MARK: - From Python

    func gettingIn(url: String, user: String, password: String) async throws {
        try await withSpallocClient(url: url, credentials: .password(user: user, password)) { client in
            let version = try await client.version()
            print("Spalloc \(version.majorVersion).\(version.minorVersion).\(version.revision)")
            for machine in try await client.machines() {
                print(machine.name, machine.boardCount - machine.deadBoards.count)
            }
            for try await job in client.jobs() {
                print(job.id, try await job.state())
            }
        }
    }

    func tokens() -> SpallocCredentials {
        struct Tokens: SpallocTokenProvider {
            func token(replacing refused: String?) async throws -> String {
                try await freshToken()
            }
        }
        let credentials = SpallocCredentials.tokens(from: Tokens())
        return credentials
    }

    func aJob(client: SpallocClient) async throws {
        try await client.withJob(.boards(3)) { job in
            try await job.waitUntilReady(timeout: .seconds(300)) { state in print("job \(job.id) is \(state)") }
            for board in try await job.connections() { print(board.chip, board.hostname) }
            if let place = try await job.whereIs(ChipPosition(x: 0, y: 0)) {
                print(place.physicalBoardCoordinates.map { "\($0)" } ?? "somewhere")
            }
        }
    }

    func forms() -> [SpallocJobRequest] {
        let requests: [SpallocJobRequest] = [
            .boards(3),
            .chips(1000),
            .board(.triad(BoardCoordinates(1, 2, 0))),
            .board(.physical(PhysicalCoordinates(cabinet: 0, frame: 1, board: 5))),
            .board(.address(IPv4Address(10, 11, 193, 1))),
            .rectangle(width: 2, height: 1),
            .rectangle(width: 2, height: 1, at: .triad(BoardCoordinates(4, 4, 0))),
            .boards(1).on(.named("SpiNNaker1M")).charged(to: .nmpiJob(1234, user: "alice")),
        ]
        return requests
    }

    func states(job: SpallocJob) async throws {
        for try await state in job.states {
            print("job \(job.id) is \(state)")
        }
    }

    func keepingAlive(job: SpallocJob) async throws {
        try await job.whileKeptAlive {
            for await event in job.events {
                switch event {
                case .atRisk(let deadline, let cause): print("it ends in \(deadline - .now): \(cause)")
                case .recovered(let gap): print("back after \(gap)")
                case .presumedLost(let cause), .lost(let cause): throw cause
                }
            }
        }
    }

    func boards(job: SpallocJob, message: ByteBuffer) async throws {
        try await job.withProxy { proxy in
            let board = try await proxy.connect(to: ChipID(0, 0))
            let version = try await board.send(GetVersion())
            print(version.name)
            let datagrams = try await proxy.connectDatagrams(to: ChipID(0, 0))
            let header = SDPHeader(
                flags: .replyNotExpected, destination: SDPAddress(port: 1, cpu: 3), destinationChip: ChipID(1, 1))
            try await datagrams.send(SDPMessage(header: header, data: message))
        }
    }

    func listening(job: SpallocJob, host: String) async throws {
        try await job.withProxy { proxy in
            let listener = try await proxy.listen()
            try await listener.setTag(1, ofHost: host)
            let (address, port) = try await listener.localAddress()
            print("boards reach us at \(address):\(port)")
            let event = try await listener.receiveEIEIO(timeout: .seconds(10))
            print(event)
            for try await datagram in listener.datagrams {
                print(datagram.readableBytes, "bytes more;", listener.dropped, "datagrams lost")
            }
        }
    }

    func memory(job: SpallocJob, data: ByteBuffer) async throws -> ByteBuffer {
        try await job.writeMemory(chip: ChipID(0, 1), address: 0x7000_0000, data)
        let copy = try await job.readMemory(chip: ChipID(0, 1), address: 0x7000_0000, count: data.readableBytes)
        return copy
    }

    func transceiver(job: SpallocJob, image: BootImage) async throws {
        try await job.withTransceiver { transceiver in
            try await transceiver.ensureReady(image: image)
            let machine = try await transceiver.discoverMachine()
            print(machine.chips.count, "chips")
        }
    }

    func acquiring(client: SpallocClient, image: BootImage) async throws {
        var acquisition = SpallocClient.Acquisition()
        acquisition.image = image
        acquisition.attempts = 3
        try await client.acquire(.boards(3), by: acquisition) { job, transceiver in
            print("job \(job.id) has", transceiver.machine?.chips.count ?? 0, "chips")
        }
    }

    func storing(job: SpallocJob, path: String) async throws {
        let ours = try await job.proxyConfiguration(withSecrets: true)
        let credentials = ProxyCredentials(
            serviceURL: ours.serviceURL, jobURL: ours.jobURL, cookies: ours.session.cookies, headers: ours.session.headers)
        try await SimulationDatabaseWriter.write(to: path) { database in
            try database.setProxyCredentials(credentials)
        }
    }

    func joining(path: String) async throws {
        guard let stored = try await SimulationDatabaseReader(path: path).proxyCredentials() else { return }
        let theirs = SpallocProxyConfiguration(
            serviceURL: stored.serviceURL, jobURL: stored.jobURL,
            session: SpallocStoredSession(cookies: stored.cookies, headers: stored.headers))
        try await withSpallocJob(theirs) { job in
            print("joined job \(job.id), which is \(try await job.state())")
        }
    }

    func testing() async throws -> Int {
        func experiment(_ client: some SpallocClientProtocol) async throws -> Int {
            try await client.withJob(.boards(2)) { job in
                try await job.waitUntilReady(timeout: .seconds(300))
                return try await job.connections().count
            }
        }
        let boards = try await experiment(InMemorySpallocClient())
        return boards
    }
}

/// Stands for a user's own.
private func freshToken() async throws -> String { "TOKEN-1" }
