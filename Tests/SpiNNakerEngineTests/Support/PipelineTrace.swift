//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore

/// A `pipeline.*` entry of `golden-vectors.json`: what SpiNNMan's pipeline sent and heard.
struct PipelineTrace {
    enum Event {
        case send(ByteBuffer)
        case receive(ByteBuffer)
        case pass(TimeAmount)
    }

    var id: String
    var window: Int
    var retries: Int
    var failureWithReply: UInt16?
    var firstSequence: UInt16
    var events: [Event]
    /// Numbers of the requests that completed, in that order; nil when the vector does not say.
    var completed: [Int]?
    /// Numbers of those that failed.
    var failed: [Int]

    static func loadAll() throws -> [PipelineTrace] {
        let path =
            ProcessInfo.processInfo.environment["SPINNAKER_VECTORS"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "../shared/vectors/golden-vectors.json").standardizedFileURL.path
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
        let vectors = json as? [[String: Any]] ?? []
        return vectors.filter { $0["kind"] as? String == "pipeline-trace" }.compactMap(PipelineTrace.init)
    }

    private init?(_ vector: [String: Any]) {
        guard let id = vector["id"] as? String, let args = vector["args"] as? [String: Any],
            let decoded = vector["decoded"] as? [String: Any], let trace = decoded["trace"] as? [[String: Any]],
            trace.count == decoded["n_events"] as? Int
        else { return nil }
        self.id = id
        self.window = args["n_channels"] as? Int ?? 8
        self.retries = args["n_retries"] as? Int ?? 10
        self.failureWithReply = (args["non_fail"] as? [Int])?.first.map { UInt16(clamping: $0) }
        self.firstSequence = UInt16(clamping: args["first_sequence"] as? Int ?? 0)
        self.events = trace.compactMap { event in
            switch event["op"] as? String {
            case "send": (event["hex"] as? String).map { .send(ByteBuffer(hex: $0)) }
            case "recv": (event["hex"] as? String).map { .receive(ByteBuffer(hex: $0)) }
            default: (event["seconds"] as? Double).map { .pass(.nanoseconds(Int64($0 * 1e9))) }
            }
        }
        let result = (decoded["outcome"] as? [String: Any])?["result"] as? [String: Any]
        self.completed = result?["completed"] as? [Int]
        self.failed = (result?["errors"] as? [[String: Any]] ?? []).compactMap { $0["request_seq"] as? Int }
    }
}

extension ByteBuffer {
    init(hex: String) {
        var bytes: [UInt8] = []
        var digits = hex[...]
        while let byte = UInt8(digits.prefix(2), radix: 16) {
            bytes.append(byte)
            digits = digits.dropFirst(2)
        }
        self.init(bytes: bytes)
    }
}
