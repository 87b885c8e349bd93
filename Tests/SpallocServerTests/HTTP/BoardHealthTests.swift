//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import SpallocAPI
import SpallocAllocator
import SpallocServer
import SpiNNakerMachine
import Testing
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// `board-health`: what a BMP says of one of its boards.
@Suite(.serialized, .timeLimit(.minutes(3))) struct BoardHealthTests {
    private struct Health: Decodable {
        struct Chip: Decodable, Equatable {
            var x: Int
            var y: Int
            var deadPhysicalCores: [Int]
            var deadLinks: [Int]

            enum CodingKeys: String, CodingKey {
                case x, y
                case deadPhysicalCores = "dead-physical-cores"
                case deadLinks = "dead-links"
            }
        }
        var machine: String
        var board: [Int]
        var serial: String
        var temperatures: [String: Double]
        var voltages: [String: Double]
        var fans: [Int]
        var warnings: Int
        var blacklist: [Chip]
    }

    @Test func sensorsSerialAndBlacklist() async throws {
        try await withService { harness, client in
            let root = try await Session.logIn(client, as: "root")
            let health = try await root.get(Health.self, "machines/m1/board-health?x=0&y=0&z=1")
            #expect(health.machine == "m1" && health.board == [0, 0, 1])
            #expect(health.serial == "00000001-00000002-00000003-0000abcd")
            #expect(health.temperatures == ["top": 25.5, "external-1": 40], "a sensor that is not there is not named")
            #expect(health.voltages["1.2-a"] == 1.2 && health.voltages["supply"] == 12 && health.voltages["3.3"] == 3.3)
            #expect(health.fans == [1200] && health.warnings == 3)
            #expect(health.blacklist == [.init(x: 2, y: 3, deadPhysicalCores: [0, 2], deadLinks: [3])])
            #expect(harness.bmp.log == ["health 1"], "the board's own slot is asked")
        }
    }

    @Test func onlyAdministratorsMayAsk() async throws {
        try await withService { harness, client in
            for user in ["alice", "rita", "basil"] {
                let session = try await Session.logIn(client, as: user)
                #expect(try await session.execute(.get, "machines/m1/board-health?x=0&y=0&z=0").status == .forbidden)
            }
            #expect(harness.bmp.log == [])
        }
    }

    @Test(arguments: [
        ("machines/m9/board-health?x=0&y=0", HTTPResponse.Status.notFound), ("machines/m1/board-health?x=5&y=0", .notFound),
        ("machines/m1/board-health?y=0", .badRequest), ("machines/m1/board-health?x=0&y=0&z=3", .badRequest),
    ])
    func whatIsNotThereIsSaidSo(_ path: String, _ status: HTTPResponse.Status) async throws {
        try await withService { _, client in
            let root = try await Session.logIn(client, as: "root")
            #expect(try await root.execute(.get, path).status == status)
        }
    }

    @Test func aSilentBMPIsABadGateway() async throws {
        try await withService { harness, client in
            harness.bmp.set { $0.silent = 1 }
            let root = try await Session.logIn(client, as: "root")
            let reply = try await root.execute(.get, "machines/m1/board-health?x=0&y=0&z=0")
            #expect(reply.status == .badGateway && reply.text.contains("the BMP does not answer"), "\(reply.text)")
        }
    }

    /// By SCP, from a virtual BMP; the board is off.
    @Test func aVirtualBMPAnswersOverSCP() async throws {
        let description = VirtualMachineDescription(
            .triads(width: 1, height: 1), bootTimeScale: 0, powerOnDelay: .zero, base: 213)
        try await withVirtualMachineHost(description, logger: quiet) { host in
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let machine = MachineDefinition(of: host)
            let application = try await SpallocApplication.build(
                configuration: testConfiguration(in: directory, machines: [machine]), logger: quiet)
            try await application.application().test(.router) { client in
                let root = try await Session.logIn(client, as: "root")
                let first = try await root.get(Health.self, "machines/m1/board-health?x=0&y=0&z=0")
                let second = try await root.get(Health.self, "machines/m1/board-health?x=0&y=0&z=1")
                #expect(first.serial != second.serial, "each board has its own")
                #expect(first.temperatures["top"].map { (1...100).contains($0) } == true, "\(first.temperatures)")
                #expect(first.blacklist == [])
            }
            try application.core.store.close()
        }
    }

    /// Two jobs side by side: the link between them is stopped at both ends.
    @Test func aBorderLinkIsStoppedAtBothEnds() async throws {
        try await withService { harness, client in
            let session = try await Session.logIn(client, as: "alice")
            for _ in 0..<2 { _ = try await session.wait(try await session.create(), for: [.ready]) }
            let machine = try #require(harness.store.catalogue.machines.first)
            let slots = harness.bmp.on.sorted()
            #expect(slots.count == 2)
            var pairs = 0
            for slot in slots {
                let index = try #require(
                    machine.topology.index(of: PhysicalCoordinates(cabinet: 0, frame: 0, board: slot)))
                for side in Link.allCases {
                    guard let other = machine.topology.neighbour(of: index, side: side),
                        let neighbour = machine.topology.boards[other]?.physical.board, slots.contains(neighbour),
                        neighbour != slot
                    else { continue }
                    pairs += 1
                    let bank = FPGALinkBank(side: side)
                    #expect(harness.bmp.stopped.contains([slot, bank.fpga, bank.bank]), "slot \(slot), \(side)")
                }
            }
            #expect(pairs >= 2, "each sees the other")
        }
    }
}
