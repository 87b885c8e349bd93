//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import NIOPosix
import SpiNNakerLink
import SpiNNakerWire

/// A `trace.*` entry of `golden-vectors.json`: what SpiNNMan sent for one call, and what it was answered.
struct Trace: Sendable {
    var id: String
    /// Whether the vector holds all of it.
    var isWhole: Bool
    var sends: [ByteBuffer]
    /// Headers (18 bytes) and lengths of boot datagrams.
    var bootSends: [(header: ByteBuffer, count: Int)]
    /// By send.
    var answers: [[ByteBuffer]]
    var succeeds: Bool

    static func loadAll() throws -> [Trace] {
        let kinds: Set<String> = ["process-trace", "transceiver-trace", "bmp-trace"]
        return try goldenVectors().filter { kinds.contains($0["kind"] as? String ?? "") }.compactMap(Trace.init)
    }

    private init?(_ vector: [String: Any]) {
        guard let id = vector["id"] as? String, let decoded = vector["decoded"] as? [String: Any] else { return nil }
        let events = decoded["trace"] as? [[String: Any]]
        self.id = id
        self.isWhole = events != nil || decoded["trace_head"] == nil
        self.succeeds = (decoded["outcome"] as? [String: Any])?["ok"] as? Bool ?? false
        self.sends = []
        self.bootSends = []
        self.answers = []
        var last: [UInt16: Int] = [:]
        for event in events ?? [] {
            let bytes = (event["hex"] as? String).map { ByteBuffer(hex: $0) }
            switch event["op"] as? String {
            case "send":
                guard let bytes, let sequence = bytes.getInteger(at: 12, endianness: .little, as: UInt16.self) else { continue }
                last[sequence] = self.sends.count
                self.sends.append(bytes)
                self.answers.append([])
            case "recv":
                guard let bytes, let sequence = bytes.getInteger(at: 12, endianness: .little, as: UInt16.self),
                    let index = last[sequence]
                else { continue }
                self.answers[index].append(bytes)
            case "boot-send":
                self.bootSends.append((ByteBuffer(hex: event["header"] as? String ?? ""), event["n_bytes"] as? Int ?? 0))
            default: break
            }
        }
    }

    /// The number of its first request.
    var firstSequence: UInt16 { self.sends.first?.getInteger(at: 12, endianness: .little) ?? 0 }
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

/// A link whose far end plays a trace: the nth datagram is given the answers of the trace's nth.
final class TraceLink: DatagramLink, @unchecked Sendable {
    // Unchecked: touched on the event loop only.

    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let linkDescription: String
    private let answers: [[ByteBuffer]]
    private var receiver: (any DatagramReceiver)?
    private var queue: [ByteBuffer] = []
    private var sent: [ByteBuffer] = []

    init(_ description: String, answers: [[ByteBuffer]] = []) {
        self.linkDescription = description
        self.answers = answers
    }

    func setReceiver(_ receiver: (any DatagramReceiver)?) { self.receiver = receiver }
    func write(_ datagram: ByteBuffer) { self.queue.append(datagram) }

    func flush() {
        var answers: [ByteBuffer] = []
        for datagram in self.queue {
            if self.sent.count < self.answers.count { answers.append(contentsOf: self.answers[self.sent.count]) }
            self.sent.append(datagram)
        }
        self.queue = []
        guard !answers.isEmpty else { return }
        // Later, as of a network: a window's worth of requests is out before the first answer comes.
        let replies = answers
        self.eventLoop.execute {
            for reply in replies {
                self.receiver?.datagramReceived(reply)
                self.receiver?.datagramReadComplete()
            }
        }
    }

    func close() {
        let receiver = self.receiver
        self.receiver = nil
        receiver?.linkClosed(nil)
    }

    func allSent() async throws -> [ByteBuffer] { try await self.eventLoop.submit { self.sent }.get() }
}
