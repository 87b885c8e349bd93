//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAllocator
import SpiNNakerMachine
import Testing

/// The allocator's rules by brute force over coordinates: no index, no sum and no bit set of its own.
private struct Model {
    let width: Int
    let height: Int
    let existing: Set<BoardCoordinates>
    let functioning: Set<BoardCoordinates>
    var usable: Set<BoardCoordinates>
    let deadLinks: Set<BoardLink>
    let topology: MachineTopology
    var geometry: TriadGeometry { TriadGeometry(width: self.width, height: self.height) }

    /// A machine with holes, dead boards, dead links and boards that others have.
    init(using random: inout SeededGenerator, upTo side: Int = 4) {
        self.width = Int.random(in: 1...side, using: &random)
        self.height = Int.random(in: 1...side, using: &random)
        let geometry = TriadGeometry(width: self.width, height: self.height)
        func some(_ boards: Set<BoardCoordinates>, oneIn n: Int) -> Set<BoardCoordinates> {
            Set(boards.sorted().filter { _ in Int.random(in: 0..<n, using: &random) == 0 })
        }
        let existing = Set(geometry.boards).subtracting(some(Set(geometry.boards), oneIn: 12))
        self.existing = existing
        self.functioning = existing.subtracting(some(existing, oneIn: 10))
        self.usable = self.functioning.subtracting(some(self.functioning, oneIn: 3))
        self.deadLinks = Set(
            some(existing, oneIn: 6).sorted().compactMap { board in
                Link.allCases.randomElement(using: &random).map { BoardLink(board: board, side: $0) }
            })
        self.topology = machine(
            self.width, self.height, without: geometry.boards.filter { !existing.contains($0) }, deadLinks: self.deadLinks)
    }

    func set(_ boards: Set<BoardCoordinates>) -> BoardSet {
        BoardSet(boards.compactMap { self.topology.index(of: $0) }, capacity: self.topology.capacity)
    }
    func boards(_ set: BoardSet) -> Set<BoardCoordinates> { Set(set.members.map { self.topology.coordinates(of: $0) }) }
    var snapshot: AllocatorSnapshot {
        AllocatorSnapshot(
            machines: [
                .init(topology: self.topology, functioning: self.set(self.functioning), usable: self.set(self.usable))
            ], queue: [])
    }

    /// The board behind a side, if both are there and neither end of the cable is dead.
    func behind(_ board: BoardCoordinates, _ side: Link) -> BoardCoordinates? {
        let other = self.geometry.neighbour(of: board, side: side)
        guard self.existing.count > 1, self.existing.contains(board), self.existing.contains(other), other != board,
            !self.deadLinks.contains(BoardLink(board: board, side: side)),
            !self.deadLinks.contains(BoardLink(board: other, side: side.opposite))
        else { return nil }
        return other
    }

    /// All that `root` reaches inside `boards`, in as many rounds as it takes.
    func reach(_ root: BoardCoordinates, in boards: Set<BoardCoordinates>) -> Set<BoardCoordinates> {
        var reached: Set<BoardCoordinates> = boards.contains(root) ? [root] : []
        var size = -1
        while size != reached.count {
            size = reached.count
            for board in reached { reached.formUnion(Link.allCases.compactMap { self.behind(board, $0) }) }
            reached.formIntersection(boards)
        }
        return reached
    }

    func triads(x: Int, y: Int, width: Int, height: Int) -> Set<BoardCoordinates> {
        Set(
            (0..<width).flatMap { dx in
                (0..<height).map { dy in self.geometry.wrapped(BoardCoordinates(x + dx, y + dy, 0)) }
            })
    }
    func boards(of triads: Set<BoardCoordinates>) -> Set<BoardCoordinates> {
        Set(triads.flatMap { triad in (0..<3).map { BoardCoordinates(triad.x, triad.y, $0) } })
    }

    /// Where a rectangle goes: of the roots from which enough is connected the one with the fewest free boards in the triads around.
    func rectangle(_ width: Int, _ height: Int, atLeast: Int) -> (root: BoardCoordinates, boards: Set<BoardCoordinates>)? {
        guard width <= self.width, height <= self.height else { return nil }
        var best: (around: Int, root: BoardCoordinates, boards: Set<BoardCoordinates>)?
        for root in self.usable.sorted() where root.z == 0 {
            let inside = self.triads(x: root.x, y: root.y, width: width, height: height)
            let boards = self.reach(root, in: self.usable.intersection(self.boards(of: inside)))
            guard boards.count >= atLeast else { continue }
            let around = self.triads(x: root.x - 1, y: root.y - 1, width: width + 2, height: height + 2).subtracting(inside)
            let cost = self.usable.intersection(self.boards(of: around)).count
            if best.map({ cost < $0.around }) ?? true { best = (cost, root, boards) }
        }
        return best.map { ($0.root, $0.boards) }
    }

    /// The board that breaks up least: fewest free in its triad, then fewest free behind its live links.
    var oneBoard: BoardCoordinates? {
        self.usable.sorted().map { board in
            let triad = self.boards(of: [BoardCoordinates(board.x, board.y, 0)]).intersection(self.usable).count
            let around = Link.allCases.compactMap { self.behind(board, $0) }.filter(self.usable.contains).count
            return (cost: triad * 100 + around, board: board)
        }.min { $0.cost < $1.cost }?.board
    }
}

@Suite struct ModelTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func topologiesAreWhatIsListed(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let model = Model(using: &random)
            let topology = model.topology
            #expect(model.boards(topology.existing) == model.existing)
            #expect(topology.depth == (model.existing.count == 1 ? 1 : 3))
            let job = model.set(model.usable)
            var border: Set<BoardLink> = []
            var (dead, deadInside) = (0, 0)
            for board in model.geometry.boards {
                guard let index = topology.index(of: board) else {
                    #expect(!model.existing.contains(board))
                    continue
                }
                #expect(topology.coordinates(of: index) == board)
                for side in Link.allCases {
                    let other = model.behind(board, side)
                    #expect(topology.neighbour(of: index, side: side).map { topology.coordinates(of: $0) } == other)
                    guard model.usable.contains(board) else { continue }
                    if !(other.map(model.usable.contains) ?? false), model.existing.count > 1 {
                        border.insert(BoardLink(board: board, side: side))
                    }
                    if other == nil, model.usable.contains(model.geometry.neighbour(of: board, side: side)) {
                        dead += 1
                        let crossed = model.geometry.edgesCrossed(from: board, over: side)
                        if !crossed.x, !crossed.y { deadInside += 1 }
                    }
                }
            }
            let found = topology.borderSides(of: job).map {
                BoardLink(board: topology.coordinates(of: $0.index), side: $0.side)
            }
            #expect(found.count == border.count && Set(found) == border)
            #expect(topology.deadLinks(between: job, wrapping: true) == dead)
            #expect(topology.deadLinks(between: job, wrapping: false) == deadInside)
            for root in model.usable {
                let index = try #require(topology.index(of: root))
                let walk = topology.connected(from: index, within: job)
                #expect(walk.first == index && Set(walk).count == walk.count)
                #expect(Set(walk.map { topology.coordinates(of: $0) }) == model.reach(root, in: model.usable))
                // A walk that stops early is the beginning of the whole one.
                for limit in 0...3 {
                    #expect(topology.connected(from: index, within: job, limit: limit) == Array(walk.prefix(limit)))
                }
            }
            #expect(topology.neighbour(of: -1, side: .north) == nil)
            #expect(topology.neighbour(of: topology.capacity, side: .north) == nil)
        }
    }

    /// The very place, not only a sound one: a request is served exactly if the rules allow it, where they say.
    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func placementsAreWhereTheRulesSay(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<12 {
            let model = Model(using: &random)
            let snapshot = model.snapshot
            let single = place(.boards(1), on: snapshot).map { model.topology.coordinates(of: $0.root) }
            #expect(single == model.oneBoard)
            for width in 1...(model.width + 1) {
                for height in 1...(model.height + 1) {
                    let maxDead = Int.random(in: 0..<width * height * 3 + 1, using: &random)
                    let found = place(.rectangle(width: width, height: height), on: snapshot, maxDead: maxDead)
                    if width * height == 1, maxDead >= 2 {
                        #expect(found.map { model.topology.coordinates(of: $0.root) } == model.oneBoard)
                        continue
                    }
                    let atLeast = max(1, width * height * 3 - maxDead)
                    let upright = model.rectangle(width, height, atLeast: atLeast)
                    let expected = upright ?? model.rectangle(height, width, atLeast: atLeast)
                    #expect(found.map { model.topology.coordinates(of: $0.root) } == expected?.root)
                    #expect(found.map { model.boards($0.boards) } == expected?.boards)
                    if let found {
                        #expect([found.width, found.height] == (upright == nil ? [height, width] : [width, height]))
                    }
                    for root in model.existing where root.z == 0 {
                        let wanted = JobRequest.Size.rectangleAt(width: width, height: height, root: .triad(root))
                        let inside = model.boards(of: model.triads(x: root.x, y: root.y, width: width, height: height))
                        let there = model.reach(root, in: model.usable.intersection(inside))
                        let fits = width <= model.width && height <= model.height && there.count >= atLeast
                        let boards = place(wanted, on: snapshot, maxDead: maxDead).map { model.boards($0.boards) }
                        #expect(boards == (fits ? there : nil), "seed \(seed): \(wanted)")
                    }
                }
            }
            for count in 2...max(2, model.usable.count) {
                guard let found = place(.boards(count), on: snapshot) else { continue }
                #expect(found.boards.count == count)
                expectSound(found, on: snapshot.machines[0])
            }
        }
    }

    /// What is kept for the first job that does not fit: of the places that boards in service make up, the one with the fewest boards
    /// taken. All else goes to the single boards behind it, and nothing of that.
    @Test(arguments: [21, 22, 23, 24, 25, 26] as [UInt64])
    func theFirstThatWaitsKeepsTheNearestPlace(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<12 {
            let model = Model(using: &random)
            let (width, height) = (
                Int.random(in: 1...model.width, using: &random), Int.random(in: 1...model.height, using: &random)
            )
            let size = JobRequest.Size.rectangle(width: width, height: height)
            let maxDead = Int.random(in: 0...1, using: &random)
            guard place(size, on: model.snapshot, maxDead: maxDead) == nil else { continue }
            var best: (taken: Int, root: BoardCoordinates, region: Set<BoardCoordinates>)?
            for (w, h) in width == height ? [(width, height)] : [(width, height), (height, width)] {
                guard w <= model.width, h <= model.height else { continue }
                for root in model.functioning.sorted() where root.z == 0 {
                    let inside = model.boards(of: model.triads(x: root.x, y: root.y, width: w, height: h))
                    let region = inside.intersection(model.functioning)
                    guard model.reach(root, in: region).count >= max(1, width * height * 3 - maxDead) else { continue }
                    let taken = region.subtracting(model.usable).count
                    if best.map({ (taken, root) < ($0.taken, $0.root) }) ?? true { best = (taken, root, region) }
                }
            }
            var crowded = model.snapshot
            crowded.queue = [queued(0, size, maxDead: maxDead)]
            crowded.queue += (1...60).map { queued($0, .boards(1), since: 1000) }
            let given = Allocator.decide(crowded).map { model.boards($0.placement.boards) }
            #expect(
                given.reduce(into: Set()) { $0.formUnion($1) } == model.usable.subtracting(best?.region ?? []), "seed \(seed)")
            #expect(given.allSatisfy { $0.count == 1 })
        }
    }

    @Test func orderIsByWaitingAndPriority() {
        for (size, priority) in [
            (JobRequest.Size.boards(0), 1), (.boards(1), 1), (.boards(119), 119), (.boards(500), 120),
            (.rectangle(width: 1, height: 1), 1), (.rectangle(width: 2, height: 3), 9), (.rectangle(width: 9, height: 9), 120),
            (.board(.address("10.0.0.0")), 65),
            (.rectangleAt(width: 9, height: 9, root: .address("10.0.0.0")), 65),
        ] {
            #expect(request(size).priority == priority, "\(size)")
            // Exactly so many seconds later it is level with one of priority 1, and then the smaller number is first.
            let first = queued(5, .boards(1), since: 1000)
            let later = Int64(1000 + priority - 1)
            #expect(Allocator.order([first, queued(6, size, since: later)]).map(\.id) == [5, 6], "\(size)")
            #expect(Allocator.order([first, queued(4, size, since: later)]).map(\.id) == [4, 5], "\(size)")
            #expect(Allocator.order([first, queued(6, size, since: later - 1)]).map(\.id) == [6, 5], "\(size)")
            #expect(Allocator.order([first, queued(4, size, since: later + 1)]).map(\.id) == [5, 4], "\(size)")
        }
    }

    /// Any sets: each operation is that of Set, and the same members make equal values.
    @Test func boardSetsAgreeWithSets() {
        var random = SeededGenerator(seed: 31)
        for capacity in [0, 1, 63, 64, 65, 130] {
            for _ in 0..<20 {
                func some() -> Set<Int> {
                    Set(
                        (0..<Int.random(in: 0...40, using: &random)).map { _ in
                            Int.random(in: -2...capacity + 1, using: &random)
                        })
                }
                let (a, b) = (some(), some())
                let inside = { (set: Set<Int>) in set.filter { 0..<capacity ~= $0 } }
                let (x, y) = (BoardSet(a, capacity: capacity), BoardSet(b, capacity: capacity))
                #expect(x.members == inside(a).sorted())
                #expect(x.count == inside(a).count && x.isEmpty == inside(a).isEmpty)
                #expect(x.subtracting(y).members == inside(a.subtracting(b)).sorted())
                #expect(x.isDisjoint(with: y) == inside(a).isDisjoint(with: b))
                var union = x
                union.formUnion(y)
                #expect(union == BoardSet(a.union(b), capacity: capacity))
                for index in -2...capacity + 1 {
                    #expect(x.contains(index) == inside(a).contains(index))
                    var (with, without) = (x, x)
                    with.insert(index)
                    without.remove(index)
                    #expect(with.members == inside(a.union([index])).sorted())
                    #expect(without.members == inside(a.subtracting([index])).sorted())
                }
            }
        }
        #expect(BoardSet(capacity: -5) == BoardSet(capacity: 0))
    }
}
