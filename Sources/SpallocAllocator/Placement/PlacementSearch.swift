//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// Looks for boards on one machine for one request.
///
/// Rectangles are tried at every root, best fit first: the fewer free boards the place leaves around itself, the less it cuts up
/// what is free. A count is served by the smallest rectangle of a sensible shape, of which it takes only as many boards
/// as were asked for; what is over stays free for jobs of one board.
struct PlacementSearch {
    let topology: MachineTopology
    /// Boards that may be taken.
    private(set) var usable: BoardSet
    /// Boards that are in service.
    private let functioning: BoardSet
    /// Of `usable`; made when a request first needs it, which one for a single board does not.
    private var madeCounts: TriadCounts?

    init(topology: MachineTopology, functioning: BoardSet, usable: BoardSet) {
        self.topology = topology
        self.usable = usable
        self.functioning = functioning
    }

    private var counts: TriadCounts {
        self.madeCounts ?? TriadCounts(self.usable, width: self.topology.width, height: self.topology.height)
    }

    /// Takes boards away, for the requests that follow.
    mutating func remove(_ boards: BoardSet) {
        self.usable.subtract(boards)
        self.madeCounts = nil
    }

    mutating func place(_ request: JobRequest) -> Placement? {
        switch request.size {
        case .boards(1), .board, .rectangleAt: break
        case .boards, .rectangle: self.madeCounts = self.counts
        }
        switch request.size {
        case .boards(let count):
            return count == 1 ? self.oneBoard() : self.boards(count, request)
        case .rectangle(let width, let height):
            return self.rectangle(width: width, height: height, request)
        case .board(let name):
            guard let index = self.topology.index(of: name), self.usable.contains(index) else { return nil }
            return self.single(index)
        case .rectangleAt(let width, let height, let root):
            guard let index = self.topology.index(of: root), index % 3 == 0, width <= self.topology.width,
                height <= self.topology.height
            else { return nil }
            return self.rectangle(
                rootedAt: index, width: width, height: height, atLeast: max(1, width * height * 3 - request.maxDeadBoards),
                rules: request.rules)
        }
    }

    /// One board: where it breaks up least. A board in a triad that is already broken goes before one in a whole triad, and one
    /// with few free neighbours before one in the open.
    private func oneBoard() -> Placement? {
        let inTriads = self.usable.triadCounts
        // A board has six neighbours, and a board more in the triad counts eight: the best is in one of the triads that have fewest.
        guard let fewest = inTriads.lazy.filter({ $0 > 0 }).min() else { return nil }
        var best: (free: Int, index: Int)?
        for (triad, inTriad) in inTriads.enumerated() where inTriad == fewest {
            for index in triad * 3..<triad * 3 + 3 where self.usable.contains(index) {
                var free = 0
                for side in 0..<6 {
                    let other = Int(self.topology.neighbours[index * 6 + side])
                    if other >= 0, self.usable.contains(other) { free += 1 }
                }
                if best.map({ free < $0.free }) ?? true { best = (free, index) }
            }
            // The others of the triad, and nothing else: less there is not.
            if let best, best.free == 0 { break }
        }
        return best.map { self.single($0.index) }
    }

    private func single(_ index: Int) -> Placement {
        Placement(
            width: 1, height: 1, depth: 1, root: index,
            boards: BoardSet(CollectionOfOne(index), capacity: self.topology.capacity))
    }

    private func boards(_ count: Int, _ request: JobRequest) -> Placement? {
        // A count may fall short of what was asked for only because of boards that are not in service.
        let atLeast = request.fewestBoards(working: self.functioning.count)
        let free = self.counts.count(x: 0, y: 0, w: self.topology.width, h: self.topology.height)
        guard count > 1, free >= atLeast else { return nil }
        let shapes = Shapes.forBoards(
            atLeast, width: self.topology.width, height: self.topology.height, minimumRatio: request.rules.minimumRatio)
        for shape in shapes {
            if let found = self.rectangle(
                width: shape.width, height: shape.height, atLeast: atLeast, takeAtMost: count, rules: request.rules)
            {
                return found
            }
        }
        return nil
    }

    private func rectangle(width: Int, height: Int, _ request: JobRequest) -> Placement? {
        if width == 1, height == 1, request.maxDeadBoards >= 2, !request.rules.onlyBrokenMayMiss {
            // The reference gives one board where two of three may be missing.
            return self.oneBoard()
        }
        let atLeast = max(1, width * height * 3 - request.maxDeadBoards)
        if let found = self.rectangle(width: width, height: height, atLeast: atLeast, rules: request.rules) { return found }
        return width == height ? nil : self.rectangle(width: height, height: width, atLeast: atLeast, rules: request.rules)
    }

    private func rectangle(
        width: Int, height: Int, atLeast: Int, takeAtMost: Int = .max, rules: JobRequest.Rules
    ) -> Placement? {
        guard width >= 1, height >= 1, width <= self.topology.width, height <= self.topology.height else { return nil }
        let counts = self.counts
        var candidates: [(cost: Int, root: Int)] = []
        for x in 0..<self.topology.width {
            for y in 0..<self.topology.height {
                let root = (x * self.topology.height + y) * 3
                guard self.usable.contains(root) else { continue }
                let free = counts.count(x: x, y: y, w: width, h: height)
                guard free >= atLeast else { continue }
                // Boards of the rectangle that would be left over, then the free boards around.
                let over = takeAtMost == .max ? 0 : max(0, free - takeAtMost)
                candidates.append((over * 1024 + counts.ring(x: x, y: y, w: width, h: height), root))
            }
        }
        candidates.sort { ($0.cost, $0.root) < ($1.cost, $1.root) }
        for candidate in candidates {
            if let found = self.rectangle(
                rootedAt: candidate.root, width: width, height: height, atLeast: atLeast, takeAtMost: takeAtMost, rules: rules)
            {
                return found
            }
        }
        return nil
    }

    private func rectangle(
        rootedAt root: Int, width: Int, height: Int, atLeast: Int, takeAtMost: Int = .max, rules: JobRequest.Rules
    ) -> Placement? {
        guard self.usable.contains(root) else { return nil }
        let within = self.topology.rectangle(root: root, width: width, height: height, of: self.usable)
        if rules.onlyBrokenMayMiss, takeAtMost == .max,
            self.topology.rectangle(root: root, width: width, height: height, of: self.functioning).count != within.count
        {
            return nil
        }
        let boards = self.topology.connected(from: root, within: within, limit: takeAtMost)
        guard boards.count >= atLeast else { return nil }
        let taken = BoardSet(boards, capacity: self.topology.capacity)
        if let most = rules.maximumDeadLinks,
            self.topology.deadLinks(between: taken, wrapping: rules.countsWrappingLinks) > most
        {
            return nil
        }
        return Placement(width: width, height: height, depth: 3, root: root, boards: taken)
    }
}

extension JobRequest {
    /// What a request for a count of boards must get. All of them, unless the machine has not so many in service; then as many
    /// may be missing as the request allows.
    func fewestBoards(working: Int) -> Int {
        guard case .boards(let count) = self.size else { return 1 }
        return working >= count ? count : max(1, count - self.maxDeadBoards)
    }
}

extension MachineTopology {
    package func index(of name: JobRequest.BoardName) -> Int? {
        switch name {
        case .triad(let coordinates): self.index(of: coordinates)
        case .physical(let physical): self.index(of: physical)
        case .address(let address): self.index(ofAddress: address)
        }
    }

    /// The ends of dead links that have a board of the set at both; those over the edge of the machine only if they are asked for.
    package func deadLinks(between boards: BoardSet, wrapping: Bool) -> Int {
        var count = 0
        boards.forEach { index in
            let board = self.coordinates(of: index)
            for side in Link.allCases where self.neighbour(of: index, side: side) == nil {
                guard let other = self.index(of: self.geometry.neighbour(of: board, side: side)), boards.contains(other) else {
                    continue
                }
                let crossed = self.geometry.edgesCrossed(from: board, over: side)
                if wrapping || !(crossed.x || crossed.y) { count += 1 }
            }
        }
        return count
    }

    /// The members of `set` in the rectangle, wrapped, whose root is the z = 0 board of the triad of `root`.
    package func rectangle(root: Int, width: Int, height: Int, of set: BoardSet) -> BoardSet {
        let origin = self.coordinates(of: root)
        var result = BoardSet(capacity: self.capacity)
        for dx in 0..<min(width, self.width) {
            let x = (origin.x + dx) % self.width
            for dy in 0..<min(height, self.height) {
                let base = (x * self.height + (origin.y + dy) % self.height) * 3
                for z in 0..<3 where set.contains(base + z) { result.insert(base + z) }
            }
        }
        return result
    }
}
