//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// Whether a request could be served if no job had any board, and if not, why: asked when a job is created.
package enum Feasibility: Hashable, Sendable {
    case possible
    /// The reason, for the user.
    case impossible(String)

    package static func check(_ request: JobRequest, on machines: [AllocatorSnapshot.Machine]) -> Feasibility {
        let eligible = machines.filter { $0.takes(request) }
        guard !eligible.isEmpty else {
            switch request.machine {
            case .named(let name):
                return .impossible("there is no machine \"\(name)\" in service")
            case .tagged(let tags):
                return .impossible(
                    "there is no machine in service with the tags " + tags.sorted().map { "\"\($0)\"" }.joined(separator: ", "))
            }
        }
        for machine in eligible {
            var search = PlacementSearch(
                topology: machine.topology, functioning: machine.functioning, usable: machine.functioning)
            if search.place(request) != nil { return .possible }
        }
        let reasons = eligible.prefix(3).map { self.reason(request, on: $0) }
        return .impossible(reasons.joined(separator: "; "))
    }

    private static func reason(_ request: JobRequest, on machine: AllocatorSnapshot.Machine) -> String {
        let topology = machine.topology
        let name = "machine \"\(topology.name)\""
        let working = machine.functioning.count
        switch request.size {
        case .boards(let count):
            if count > topology.existing.count {
                return "\(count) boards were asked for, but \(name) has only \(topology.existing.count)"
            }
            if count > working { return "\(count) boards were asked for, but only \(working) of \(name) are working" }
            return "\(name) has no \(count) working boards that are connected with each other"
        case .rectangle(let width, let height):
            let fits =
                (width <= topology.width && height <= topology.height) || (height <= topology.width && width <= topology.height)
            if !fits {
                return "\(width) x \(height) triads were asked for, but \(name) is \(topology.width) x \(topology.height)"
            }
            return "\(name) has no \(width) x \(height) triads with at most \(request.maxDeadBoards) boards missing"
        case .board(let board):
            guard topology.index(of: board) != nil else { return "\(name) has no board \(board)" }
            return "board \(board) of \(name) is out of service"
        case .rectangleAt(let width, let height, let board):
            guard let index = topology.index(of: board) else { return "\(name) has no board \(board)" }
            if index % 3 != 0 {
                return "a rectangle begins at a board with z = 0, but board \(board) is \(topology.coordinates(of: index))"
            }
            if width > topology.width || height > topology.height {
                return "\(width) x \(height) triads were asked for, but \(name) is \(topology.width) x \(topology.height)"
            }
            return "\(name) has no \(width) x \(height) triads at \(board) with at most \(request.maxDeadBoards) boards missing"
        }
    }
}

extension JobRequest.BoardName: CustomStringConvertible {
    package var description: String {
        switch self {
        case .triad(let coordinates): coordinates.description
        case .physical(let physical): physical.description
        case .address(let address): address
        }
    }
}
