//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// All that a transceiver sees of a machine, as plain numbers: to compare with what another program sees of the same machine,
/// or the same program over another link.
package struct MachineView: Codable, Hashable, Sendable {
    package struct Chip: Codable, Hashable, Sendable {
        package var x, y: Int
        package var applicationCores: [Int]
        package var links: [Int]
        package var freeSDRAM: Int
        package var freeRoutingEntries: Int
        package var ethernet: [Int]
        package var address: String?
        package var parentLink: Int?
    }

    package struct Tag: Codable, Hashable, Sendable {
        package var board: [Int]
        package var number: Int
        package var isReverse: Bool
        package var address: String
        package var port: Int
        package var stripsSDP: Bool
        /// Of reverse tags: x, y, p.
        package var core: [Int]?
        package var sdpPort: Int?
    }

    package struct Route: Codable, Hashable, Sendable {
        package var key, mask: UInt32
        package var links, cores: [Int]
    }

    package struct Block: Codable, Hashable, Sendable {
        package var address, size: UInt32
        package var application, tag: Int?
    }

    package struct Core: Codable, Hashable, Sendable {
        package var x, y, p: Int
        package var state: Int
        package var application: Int
        package var name: String
        package var user: [UInt32]
    }

    package var width, height: Int
    package var software: String
    package var version: [Int]
    package var chips: [Chip] = []
    package var tags: [Tag] = []
    /// By chip, "x,y".
    package var routes: [String: [Route]] = [:]
    package var heaps: [String: [Block]] = [:]
    package var cores: [Core] = []
    /// By core, "x,y,p": what cores that are not idle have written.
    package var texts: [String: String] = [:]
    /// By chip: the sum of the words of its memory between two addresses.
    package var sums: [String: UInt32] = [:]
}

extension Transceiver {
    /// Looks at the whole machine.
    ///
    /// - Parameters:
    ///   - summed: the memory of which each chip's sum is taken.
    ///   - detailed: chips whose routes, heaps, sums and cores are looked at; nil: all.
    package func view(
        summed: (address: UInt32, count: Int)? = nil, detailed: Set<ChipID>? = nil
    ) async throws -> MachineView {
        let version = try await self.version()
        let machine = try await self.discoverMachine()
        var view = MachineView(
            width: machine.width, height: machine.height, software: version.name,
            version: [Int(version.version.major), Int(version.version.minor), Int(version.version.patch)])
        view.chips = machine.chips.map { chip in
            MachineView.Chip(
                x: Int(chip.id.x), y: Int(chip.id.y), applicationCores: chip.applicationCores.map { Int($0) },
                links: chip.links.map { Int($0.rawValue) }.sorted(), freeSDRAM: Int(chip.freeSDRAM),
                freeRoutingEntries: chip.freeRoutingEntries,
                ethernet: [Int(chip.nearestEthernet.x), Int(chip.nearestEthernet.y)], address: chip.address?.description,
                parentLink: chip.parentLink.map { Int($0.rawValue) })
        }
        view.tags = try await self.tags().filter { !$0.isTransient }.map { tag in
            MachineView.Tag(
                board: [Int(tag.board.x), Int(tag.board.y)], number: Int(tag.number), isReverse: tag.isReverse,
                address: tag.entry.address.description,
                port: Int(tag.isReverse ? tag.entry.receivePort : tag.entry.port),
                stripsSDP: tag.entry.flags.contains(.strip),
                core: tag.isReverse
                    ? [Int(tag.entry.destinationChip.x), Int(tag.entry.destinationChip.y), Int(tag.entry.destination.cpu)]
                    : nil,
                sdpPort: tag.isReverse ? Int(tag.entry.destination.port) : nil)
        }
        let chips = machine.chips.filter { detailed?.contains($0.id) ?? true }
        for chip in chips {
            let key = "\(chip.id.x),\(chip.id.y)"
            let handle = self[chip.id]
            let routes = try await handle.routes()
            if !routes.isEmpty {
                view.routes[key] = routes.map { entry in
                    MachineView.Route(
                        key: entry.key, mask: entry.mask,
                        links: entry.route.links.map { Int($0.rawValue) },
                        cores: (0..<18).filter { entry.route.cores.rawValue >> UInt32($0) & 1 == 1 })
                }
            }
            view.heaps[key] = try await handle.heap().map { block in
                MachineView.Block(
                    address: block.address, size: block.size, application: block.application.map { Int($0) },
                    tag: block.tag.map { Int($0) })
            }
            if let summed {
                view.sums[key] = WordSum.of(try await handle.read(at: summed.address, count: summed.count))
            }
        }
        let cores = CoreSubsets(
            chips.flatMap { chip in
                (0..<UInt8(clamping: chip.workingCores)).map { CoreID(chip: chip.id, p: $0) }
            })
        view.cores = try await self.coreInfos(of: cores).map { info in
            MachineView.Core(
                x: Int(info.core.chip.x), y: Int(info.core.chip.y), p: Int(info.core.p), state: Int(info.state.rawValue),
                application: Int(info.application), name: info.vcpu.name, user: info.vcpu.user)
        }
        let busy = CoreSubsets(
            view.cores.filter { $0.p != 0 && $0.state != Int(CoreState.idle.rawValue) }.map {
                CoreID(UInt8(clamping: $0.x), UInt8(clamping: $0.y), UInt8(clamping: $0.p))
            })
        for text in try await self.text(of: busy) {
            view.texts["\(text.core.chip.x),\(text.core.chip.y),\(text.core.p)"] = text.text
        }
        return view
    }
}
