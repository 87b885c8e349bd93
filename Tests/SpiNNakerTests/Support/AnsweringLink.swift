//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A link whose far end is a closure: for each request, a result and a payload; nil: no answer.
final class AnsweringLink: DatagramLink, @unchecked Sendable {
    // Unchecked: touched on the event loop only.

    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let linkDescription = "a board of the test"
    private let answer: (SCPPacket) -> (result: SCPResult, payload: ByteBuffer)?
    private var receiver: (any DatagramReceiver)?
    private var queue: [ByteBuffer] = []
    private var sent: [SCPPacket] = []
    private var datagrams: [ByteBuffer] = []

    init(_ answer: @escaping @Sendable (SCPPacket) -> (result: SCPResult, payload: ByteBuffer)?) { self.answer = answer }

    func setReceiver(_ receiver: (any DatagramReceiver)?) { self.receiver = receiver }
    func write(_ datagram: ByteBuffer) { self.queue.append(datagram) }

    func flush() {
        let datagrams = self.queue
        self.queue = []
        self.eventLoop.execute {
            self.datagrams.append(contentsOf: datagrams)
            for datagram in datagrams {
                guard let packet = try? SCPPacket(datagram: datagram) else { continue }
                self.sent.append(packet)
                guard let (result, payload) = self.answer(packet) else { continue }
                var bytes = ByteBuffer()
                SCPReply(header: packet.header.reply, result: result, sequence: packet.sequence, payload: payload)
                    .writeDatagram(into: &bytes)
                self.receiver?.datagramReceived(bytes)
            }
            self.receiver?.datagramReadComplete()
        }
    }

    func close() {
        let receiver = self.receiver
        self.receiver = nil
        receiver?.linkClosed(nil)
    }

    func allDatagrams() async throws -> [ByteBuffer] { try await self.eventLoop.submit { self.datagrams }.get() }

    func allSent() async throws -> [SCPPacket] { try await self.eventLoop.submit { self.sent }.get() }
}

/// A payload of little-endian words.
func words(_ words: UInt32...) -> ByteBuffer {
    var buffer = ByteBuffer()
    for word in words { buffer.writeInteger(word, endianness: .little) }
    return buffer
}

extension VersionInfo {
    /// What the root chip of a machine says that is booted and knows its shape.
    static let ofBootedMachine = VersionInfo(
        virtualCore: 0, physicalCore: 1, chip: .origin, buildDate: 1, name: "SC&MP", hardware: "SpiNNaker",
        version: SoftwareVersion(major: 4, minor: 0, patch: 0))
}
