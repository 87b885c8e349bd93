//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where a job that does not fit now would fit soonest.
enum Reservation {
    /// Of the places that boards in service could make up, the one with the fewest boards taken; nil if there is none.
    static func nearest(
        for request: JobRequest, topology: MachineTopology, functioning: BoardSet, usable: BoardSet
    ) -> (taken: Int, boards: BoardSet)? {
        switch request.size {
        case .boards(1):
            // Any board that comes free is the first job's anyway.
            return nil
        case .boards:
            let atLeast = request.fewestBoards(working: functioning.count)
            // The first shape for which there is a place: the one the search would choose on an empty machine.
            for shape in Shapes.forBoards(
                atLeast, width: topology.width, height: topology.height, minimumRatio: request.rules.minimumRatio)
            {
                if let found = self.rectangle(
                    shapes: [(shape.width, shape.height)], atLeast: atLeast, topology: topology, functioning: functioning,
                    usable: usable)
                {
                    return found
                }
            }
            return nil
        case .rectangle(let width, let height):
            return self.rectangle(
                shapes: width == height ? [(width, height)] : [(width, height), (height, width)],
                atLeast: max(1, width * height * 3 - request.maxDeadBoards), topology: topology, functioning: functioning,
                usable: usable)
        case .board:
            return nil
        case .rectangleAt(let width, let height, let name):
            guard let root = topology.index(of: name), functioning.contains(root) else { return nil }
            let region = topology.rectangle(root: root, width: width, height: height, of: functioning)
            return (region.subtracting(usable).count, region)
        }
    }

    private static func rectangle(
        shapes: [(width: Int, height: Int)], atLeast: Int, topology: MachineTopology, functioning: BoardSet, usable: BoardSet
    ) -> (taken: Int, boards: BoardSet)? {
        let inService = TriadCounts(functioning, width: topology.width, height: topology.height)
        let free = TriadCounts(usable, width: topology.width, height: topology.height)
        var candidates: [(taken: Int, root: Int, width: Int, height: Int)] = []
        for (width, height) in shapes where width <= topology.width && height <= topology.height {
            for x in 0..<topology.width {
                for y in 0..<topology.height {
                    let root = (x * topology.height + y) * 3
                    guard functioning.contains(root) else { continue }
                    let working = inService.count(x: x, y: y, w: width, h: height)
                    guard working >= atLeast else { continue }
                    candidates.append((working - free.count(x: x, y: y, w: width, h: height), root, width, height))
                }
            }
        }
        candidates.sort { ($0.taken, $0.root) < ($1.taken, $1.root) }
        for candidate in candidates {
            let region = topology.rectangle(
                root: candidate.root, width: candidate.width, height: candidate.height, of: functioning)
            guard topology.connected(from: candidate.root, within: region).count >= atLeast else { continue }
            return (candidate.taken, region)
        }
        return nil
    }
}
