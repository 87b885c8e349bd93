//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension Transceiver {
    /// Starts the image that lies at the chips' system SDRAM block (0x67800000) on cores. See
    /// ``load(_:on:application:wait:)``, which puts it there.
    ///
    /// - Parameter wait: the cores wait for ``Signal/start``.
    public func run(_ cores: CoreSubsets, application: UInt8, wait: Bool = false) async throws(TransceiverError) {
        _ = try await self.sendAll(
            cores.chips.map { chip in
                (
                    RunApplication(
                        ApplicationStart(application: application, cores: CoreMask(rawValue: cores.mask(of: chip)), wait: wait)),
                    CoreID.monitor(of: chip)
                )
            })
    }

    /// Loads an application's image and starts it on cores of any chips of the machine, which must have been discovered.
    ///
    /// The image is written to the root chip once. Every other chip then copies it from its neighbour on the way to the
    /// root, all chips at the same distance (but one per board and link between boards) side by side.
    ///
    /// - Parameters:
    ///   - image: APLX, as `spinnaker_tools` makes it; whole words.
    ///   - wait: the cores wait for ``Signal/start``.
    ///   - progress: told how many chips have the image.
    public func load(
        _ image: ByteBuffer, on cores: CoreSubsets, application: UInt8, wait: Bool = false,
        progress: (@Sendable (_ chips: Int) -> Void)? = nil
    ) async throws(TransceiverError) {
        let machine = try self.discovered()
        guard let size = UInt32(exactly: image.readableBytes), size % 4 == 0, size > 0,
            image.readableBytes <= MemoryMap.systemSDRAMSize
        else {
            throw TransceiverError(
                .invalidArgument, "an image is a number of words and at most 8 MiB, not \(image.readableBytes) bytes")
        }
        for chip in cores.chips where machine[chip] == nil {
            throw TransceiverError(.invalidArgument, "the machine has no chip \(chip)", chip: chip)
        }
        let plan = CopyTree(machine)
        if let lost = cores.chips.first(where: { !plan.reached.contains($0) }) {
            throw TransceiverError(.unusableMachine, "no way leads from chip \(lost) to the root", chip: lost)
        }
        let checksum = CopyAndRunApplication.checksum(of: image)
        try await self[machine.root].write(image, at: MemoryMap.systemSDRAM)
        if cores.mask(of: machine.root) != 0 {
            try await self.run(
                CoreSubsets(chip: machine.root, cores: cores.cores(of: machine.root)), application: application, wait: wait)
        }
        var done = 1
        progress?(done)
        // A chip copies word by word from its neighbour: seconds for a large image.
        let policy = self.configuration.policy(timeout: .seconds(6))
        for level in plan.levels {
            var requests: [(request: CopyAndRunApplication, core: CoreID)] = []
            for step in level {
                let start = ApplicationStart(
                    application: application, cores: CoreMask(rawValue: cores.mask(of: step.chip)), wait: wait)
                do throws(WireError) {
                    requests.append(
                        (
                            try CopyAndRunApplication(from: step.from, size: size, checksum: checksum, start: start),
                            .monitor(of: step.chip)
                        ))
                } catch {
                    throw TransceiverError(error, chip: step.chip)
                }
            }
            let results = try await self.sendAll(requests, policy: policy)
            for (result, step) in zip(results, level) {
                guard let sum = result.computedSum, sum & 0x1FFF_FFFF != checksum & 0x1FFF_FFFF else { continue }
                throw TransceiverError(
                    .checksumMismatch, "chip \(step.chip) copied the image from the \(step.from) and found another sum",
                    chip: step.chip)
            }
            done += level.count
            progress?(done)
        }
    }

    /// Loads an application's image onto single chips: written to each, then started. Needs no discovery.
    public func loadEach(
        _ image: ByteBuffer, on cores: CoreSubsets, application: UInt8, wait: Bool = false
    ) async throws(TransceiverError) {
        try await self.write(cores.chips.map { ($0, MemoryMap.systemSDRAM, image) })
        try await self.run(cores, application: application, wait: wait)
    }

    /// Sends a signal to all cores of an application.
    public func signal(_ signal: Signal, application: UInt8) async throws(TransceiverError) {
        _ = try await self.send(SendSignal(signal, application: application), to: .monitor(of: .root))
    }

    /// Stops an application: its cores go back to idle, its memory and routes are freed.
    public func stop(application: UInt8) async throws(TransceiverError) {
        _ = try await self.send(NearestNeighbourPacket.stop(application: application), to: .monitor(of: .root))
    }

    /// Runs `body`, and stops the application when it is over, however it ends.
    public func withApplication<Output>(
        _ application: UInt8, _ body: (UInt8) async throws -> Output
    ) async throws -> Output {
        let result: Result<Output, any Error>
        do {
            result = .success(try await body(application))
        } catch {
            result = .failure(error)
        }
        // Not of this task: when that is cancelled, the application must stop all the same.
        let stop = Task.detached { try await self.stop(application: application) }
        let stopped = await stop.result
        let output = try result.get()
        try stopped.get()
        return output
    }

    /// Writes memory of all chips at once by flood fill: at most 64 KiB, whole words.
    ///
    /// Chips pass the blocks on, and lost ones are not noticed.
    public func floodWrite(_ bytes: ByteBuffer, at address: UInt32) async throws(TransceiverError) {
        guard bytes.readableBytes % 4 == 0, bytes.readableBytes <= 256 * 256 else {
            throw TransceiverError(
                .invalidArgument, "a flood fill is at most 64 KiB of whole words, not \(bytes.readableBytes) bytes")
        }
        guard var pieces = MemoryPieces(address: address, count: bytes.readableBytes), pieces.count > 0 else { return }
        let id = self.withState { state in
            // As SpiNNMan counts: 2, 3 ... 126, 0, 1. One fill at a time is the caller's to see to.
            state.floodFillID = (state.floodFillID + 1) % 127
            return state.floodFillID
        }
        let root = CoreID.monitor(of: .root)
        let blocks = UInt8(truncatingIfNeeded: (bytes.readableBytes + 255) / 256)
        _ = try await self.send(NearestNeighbourPacket.floodFillStart(id: id, blocks: blocks), to: root)
        var requests: [(request: FloodFillData, core: CoreID)] = []
        while let piece = pieces.next() {
            let data = bytes.getSlice(at: bytes.readerIndex + piece.offset, length: piece.size) ?? ByteBuffer()
            do throws(WireError) {
                requests.append(
                    (
                        try FloodFillData(
                            id: id, block: UInt16(truncatingIfNeeded: piece.offset / 256), address: piece.address, data: data),
                        root
                    ))
            } catch {
                throw TransceiverError(error)
            }
        }
        _ = try await self.sendAll(requests)
        _ = try await self.send(NearestNeighbourPacket.floodFillEnd(id: id, nil), to: root)
    }
}

/// Who copies an image from whom, and when: levels of chips whose parents have it.
struct CopyTree {
    struct Step: Hashable {
        var chip: ChipID
        /// The link to the chip that it copies from.
        var from: Link
    }

    private(set) var levels: [[Step]] = []
    private(set) var reached: Set<ChipID>

    init(_ machine: Machine) {
        self.reached = [machine.root]
        var children: [ChipID: [Step]] = [:]
        for chip in machine.chips {
            guard let link = chip.parentLink, let parent = machine.shape.position(over: link, from: chip.id).chip,
                machine[parent] != nil
            else { continue }
            children[parent, default: []].append(Step(chip: chip.id, from: link))
        }
        // Chips that have the image and children that do not.
        var active: [ChipID] = children[machine.root] == nil ? [] : [machine.root]
        while !active.isEmpty {
            var level: [Step] = []
            var crossing: Set<ChipID> = []
            var still: [ChipID] = []
            for parent in active {
                let board = machine[parent]?.nearestEthernet ?? parent
                var waiting = children[parent] ?? []
                // One child at a time; of a board's children on other boards, one for the whole board.
                let next = waiting.firstIndex { step in
                    machine[step.chip]?.nearestEthernet == board || !crossing.contains(board)
                }
                if let next {
                    let step = waiting.remove(at: next)
                    if machine[step.chip]?.nearestEthernet != board { crossing.insert(board) }
                    level.append(step)
                    children[parent] = waiting
                }
                if !waiting.isEmpty { still.append(parent) }
            }
            for step in level {
                self.reached.insert(step.chip)
                if children[step.chip] != nil { still.append(step.chip) }
            }
            self.levels.append(level)
            active = still
        }
    }
}
