//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

/// SplitMix64: the same numbers on every machine, from a seed that a failing test prints.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func machine(
    _ width: Int, _ height: Int, name: String = "m", tags: Set<String> = ["default"], without: [BoardCoordinates] = [],
    deadLinks: Set<BoardLink> = []
) -> MachineTopology {
    let geometry = TriadGeometry(width: width, height: height)
    let boards = geometry.boards.filter { !without.contains($0) }.enumerated().map { index, coordinates in
        MachineTopology.Board(
            coordinates: coordinates,
            physical: PhysicalCoordinates(cabinet: index / 120, frame: index / 24 % 5, board: index % 24),
            address: "10.0.\(index / 250).\(index % 250)")
    }
    return MachineTopology(name: name, tags: tags, width: width, height: height, boards: boards, deadLinks: deadLinks)
}

func snapshot(
    _ topology: MachineTopology, dead: [BoardCoordinates] = [], taken: [BoardCoordinates] = [],
    queue: [AllocatorSnapshot.QueuedJob] = []
) -> AllocatorSnapshot {
    var functioning = topology.existing
    for board in dead { if let index = topology.index(of: board) { functioning.remove(index) } }
    var usable = functioning
    for board in taken { if let index = topology.index(of: board) { usable.remove(index) } }
    return AllocatorSnapshot(
        machines: [.init(topology: topology, functioning: functioning, usable: usable)], queue: queue)
}

func request(_ size: JobRequest.Size, maxDead: Int = 0, machine: String? = nil) -> JobRequest {
    JobRequest(size: size, machine: machine.map { .named($0) } ?? .tagged(["default"]), maxDeadBoards: maxDead)
}

func queued(_ id: Int, _ size: JobRequest.Size, since: Int64 = 0, maxDead: Int = 0) -> AllocatorSnapshot.QueuedJob {
    AllocatorSnapshot.QueuedJob(id: id, request: request(size, maxDead: maxDead), since: since)
}

/// The placement of a single request on an otherwise idle machine.
func place(_ size: JobRequest.Size, on snapshot: AllocatorSnapshot, maxDead: Int = 0) -> Placement? {
    var snapshot = snapshot
    snapshot.queue = [queued(1, size, maxDead: maxDead)]
    return Allocator.decide(snapshot).first?.placement
}

/// What every placement must be, whatever the request.
func expectSound(
    _ placement: Placement, on machine: AllocatorSnapshot.Machine, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let topology = machine.topology
    #expect(placement.boards.subtracting(machine.usable).isEmpty, comment, sourceLocation: sourceLocation)
    #expect(placement.boards.contains(placement.root), comment, sourceLocation: sourceLocation)
    let connected = topology.connected(from: placement.root, within: placement.boards)
    #expect(connected.count == placement.boards.count, comment, sourceLocation: sourceLocation)
    if placement.boards.count == 1, placement.depth == 1 {
        #expect(placement.width == 1 && placement.height == 1, comment, sourceLocation: sourceLocation)
    } else {
        #expect(placement.depth == 3 && placement.root % 3 == 0, comment, sourceLocation: sourceLocation)
        let rectangle = topology.rectangle(
            root: placement.root, width: placement.width, height: placement.height, of: topology.existing)
        #expect(placement.boards.subtracting(rectangle).isEmpty, comment, sourceLocation: sourceLocation)
    }
}
