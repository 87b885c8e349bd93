//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI
import SpallocAllocator
import SpiNNakerMachine
import SpiNNakerWire

/// What a `create_job` of the legacy port asks for, in our terms.
///
/// | Parameter | What becomes of it |
/// |---|---|
/// | n | that many connected boards: our allocator takes no whole triads where single boards will do |
/// | `max_dead_boards` | null: any number may be missing because it does not work, but not the first |
/// | `require_torus` | the whole of a machine that has exactly the size: nothing else wraps around |
/// | `min_ratio`, `max_dead_links` | rules of the allocator |
struct V1Wish {
    /// For the job's description over HTTP.
    var request: CreateJobRequest
    /// nil: no machine can ever serve it.
    var wanted: JobRequest?

    /// - Throws: ``V1Desk/Refusal`` for what the original refuses: then there is no job.
    init(_ v1: V1JobRequest, machines: [AllocatorSnapshot.Machine]) throws(V1Desk.Refusal) {
        guard v1.machine == nil || v1.tags == nil else { throw V1Desk.Refusal(V1Text.machineAndTags) }
        let torus = v1.requireTorus ?? false
        var request = CreateJobRequest(
            keepaliveInterval: v1.keepalive.seconds.map { WireDuration(seconds: $0) }, machineName: v1.machine,
            tags: v1.machine == nil ? v1.tags ?? ["default"] : nil)
        switch v1.size {
        case .oneBoard, .boards(1), .board:
            guard !torus else { throw V1Desk.Refusal(V1Text.torusOfBoards) }
            if case .board(let board) = v1.size {
                request.board = .init(x: board.x, y: board.y, z: board.z)
            } else {
                request.numBoards = 1
            }
        case .boards(let count):
            request.numBoards = count
            request.maxDeadBoards = min(v1.maxDeadBoards ?? .max, V1Wish.boardsThatLack(of: count, request, machines))
        case .triads(let width, let height):
            request.dimensions = .init(width: width, height: height)
            // All but the first may be missing. The bounds are those of any machine.
            let most = max(1, min(width, 1024)) * max(1, min(height, 1024)) * 3 - 1
            request.maxDeadBoards = min(v1.maxDeadBoards ?? most, most)
        }
        self.request = request
        var isPossible = true
        if torus { isPossible = self.takeWholeMachine(v1, machines: machines) }
        self.wanted = isPossible ? try? JobRequest(self.request) : nil
        self.wanted?.rules = JobRequest.Rules(v1)
    }

    /// How many of a count's boards the machines that are large enough can not give because boards do not work. More than these may
    /// not be missing: our allocator would else serve a large count from a small machine.
    private static func boardsThatLack(
        of count: Int, _ request: CreateJobRequest, _ machines: [AllocatorSnapshot.Machine]
    ) -> Int {
        guard let anywhere = try? JobRequest(request) else { return 0 }
        let lacking = machines.filter { $0.takes(anywhere) && $0.topology.capacity >= count }
            .map { count - $0.functioning.count }
        return max(0, lacking.max() ?? 0)
    }

    /// Names the first machine that is just as large as what is asked for.
    private mutating func takeWholeMachine(_ v1: V1JobRequest, machines: [AllocatorSnapshot.Machine]) -> Bool {
        guard let anywhere = try? JobRequest(self.request) else { return false }
        let found = machines.first { machine in
            guard machine.takes(anywhere) else { return false }
            let (width, height) = (machine.topology.width, machine.topology.height)
            switch v1.size {
            case .triads(let w, let h): return (w, h) == (width, height)
            case .boards(let count):
                return (count - 1) / 3 + 1 == width * height
                    && Double(min(width, height)) >= (v1.minRatio ?? 0) * Double(max(width, height))
            case .oneBoard, .board: return false
            }
        }
        guard let topology = found?.topology else { return false }
        self.request.machineName = topology.name
        self.request.tags = nil
        self.request.numBoards = nil
        self.request.dimensions = .init(width: topology.width, height: topology.height)
        return true
    }
}

extension JobRequest.Rules {
    init(_ v1: V1JobRequest) {
        self.init(
            minimumRatio: v1.minRatio ?? 0, maximumDeadLinks: v1.maxDeadLinks,
            countsWrappingLinks: v1.requireTorus ?? false, onlyBrokenMayMiss: true)
    }

    /// From the arguments as a job's row keeps them; nil if the job did not come over the legacy port.
    init?(_ job: V1JobView) {
        guard let args = job.args, let kwargs = job.kwargs,
            case .array(let numbers)? = try? V1JSON(line: ByteBuffer(string: args)),
            case .object(var keywords)? = try? V1JSON(line: ByteBuffer(string: kwargs))
        else { return nil }
        keywords["owner"] = .string("")
        guard case .createJob(let v1)? = try? V1Request(V1Call(command: "create_job", args: numbers, kwargs: keywords)) else {
            return nil
        }
        self.init(v1)
    }
}
