//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

@testable import SpiNNaker

/// How a transceiver that knows one board comes to the others.
@Suite(.timeLimit(.minutes(1))) struct BoardLinkTests {
    private struct Unreachable: Error {}

    /// Runs `body` with a link to the root board of three; the boards' links, by the addresses the machine tells.
    private func withRootBoard(
        _ body: (Transceiver, [(chip: ChipID, address: IPv4Address, link: any DatagramLink)]) async throws -> Void
    ) async throws {
        let host = try await InMemoryHost.make(
            VirtualMachineDescription(.triads(width: 1, height: 1), bootTimeScale: 0, isPoweredAtStart: true))
        let links = try await host.boardLinks()
        let root = try #require(links[.root] ?? links[.origin])
        let boot = try await host.link(to: .board(0), port: BootMessage.port)
        try await withTransceiver(links: [.root: root], boot: boot, configuration: .quick) { transceiver in
            try await transceiver.ensureReady(image: .placeholder)
            let machine = try await transceiver.discoverMachine()
            let others = try links.filter { $0.key != machine.root }.sorted { $0.key < $1.key }.map { chip, link in
                (chip, try #require(machine[chip]?.address), link)
            }
            try #require(others.count == 2)
            try await body(transceiver, others)
        }
    }

    /// Neither board's link is made before both were asked for: one after the other, this would never end.
    @Test func allBoardsAreAskedAtOnceAndKeptInTheirOrder() async throws {
        try await self.withRootBoard { transceiver, others in
            let links = Dictionary(uniqueKeysWithValues: others.map { ($0.address, $0.link) })
            let (arrivals, arrived) = AsyncStream.makeStream(of: Int.self)
            let (gate, open) = AsyncStream.makeStream(of: Void.self)
            let opener = Task {
                var numbers: Set<Int> = []
                for await number in arrivals {
                    numbers.insert(number)
                    if numbers == [1, 2] { break }
                }
                open.finish()
                return numbers
            }
            try await transceiver.connectBoards { address, number in
                arrived.yield(number)
                for await _ in gate {}
                guard let link = links[address] else { throw Unreachable() }
                return link
            }
            arrived.finish()
            #expect(await opener.value == [1, 2])
            #expect(transceiver.connectedChips == [ChipID(0, 0)] + others.map(\.chip))
        }
    }

    @Test func aBoardThatCanNotBeReachedIsLeftToItsNeighbours() async throws {
        try await self.withRootBoard { transceiver, others in
            let (there, link) = (others[1].address, others[1].link)
            try await transceiver.connectBoards { address, _ in
                guard address == there else { throw Unreachable() }
                return link
            }
            #expect(transceiver.connectedChips == [ChipID(0, 0), others[1].chip])
            // Its messages go through others.
            let info = try await transceiver[others[0].chip].info()
            #expect(info.isEthernetUp)
        }
    }

    /// The address is right and the socket is there, but nothing comes back: a firewall, or a board that hangs.
    @Test func aBoardThatDoesNotAnswerIsNotUsed() async throws {
        try await self.withRootBoard { transceiver, others in
            others[0].link.close()
            let links = Dictionary(uniqueKeysWithValues: others.map { ($0.address, $0.link) })
            try await transceiver.connectBoards { address, _ in
                guard let link = links[address] else { throw Unreachable() }
                return link
            }
            #expect(transceiver.connectedChips == [ChipID(0, 0), others[1].chip])
        }
    }
}
