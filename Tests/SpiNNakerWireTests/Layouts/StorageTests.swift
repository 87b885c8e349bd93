//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// The hot codecs copy nothing: they write into the room that is there and read slices of what came.
@Suite struct StorageTests {
    private func address(_ buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withUnsafeReadableBytes { $0.baseAddress }
    }

    @Test func repliesAreSlicesOfTheirDatagram() throws {
        var datagram = ByteBuffer()
        SCPReply(
            header: SDPHeader(destination: .ethernet, destinationChip: .origin), result: .ok, sequence: 1,
            payload: ByteBuffer(repeating: 7, count: 256)
        ).writeDatagram(into: &datagram)
        let reply = try SCPReply(datagram: datagram)
        let bytes = try reply.decode(for: ReadMemory.self).bytes
        let start = try #require(address(datagram))
        #expect(address(reply.payload) == start + 14)
        #expect(address(bytes) == start + 14)
        #expect(reply.payload.readableBytes == 256)
    }

    @Test func proxyMessagesAreSlicesOfTheirFrame() throws {
        var frame = ByteBuffer()
        ProxyReply.message(channel: 3, ByteBuffer(repeating: 1, count: 270)).write(into: &frame)
        guard case .message(3, let payload) = try ProxyReply(frame: frame) else {
            Issue.record("no MESSAGE")
            return
        }
        let start = try #require(address(frame))
        #expect(address(payload) == start + 8)
        guard case .message(3, let request) = try ProxyRequest(frame: frame) else {
            Issue.record("no MESSAGE")
            return
        }
        #expect(address(request) == start + 8)
    }

    @Test func packetsAreWrittenIntoTheRoomThatIsThere() throws {
        let packet = SCPPacket(
            WriteMemory(address: 0x6000_0000, data: ByteBuffer(repeating: 3, count: 256)), to: CoreID(1, 2, 3), sequence: 9)
        var buffer = ByteBufferAllocator().buffer(capacity: SCP.maximumRequestDatagram + 8)
        let capacity = buffer.capacity
        let start = try #require(buffer.withUnsafeMutableWritableBytes { UnsafeRawPointer($0.baseAddress) })
        ProxyRequest.writeMessageHead(channel: 1, into: &buffer)
        packet.writeDatagram(into: &buffer)
        #expect(buffer.readableBytes == SCP.maximumRequestDatagram + 8)
        #expect(buffer.capacity == capacity)
        #expect(address(buffer) == start)
    }

    @Test func theLongestPacketsAreAsLongAsTheLimitsSay() {
        var request = ByteBuffer()
        SCPPacket(
            WriteMemory(address: 0, data: ByteBuffer(repeating: 0, count: SCP.maximumData)), to: CoreID(0, 0, 0), sequence: 0
        )
        .writeDatagram(into: &request)
        #expect(request.readableBytes == SCP.maximumRequestDatagram)
        var reply = ByteBuffer()
        SCPReply(
            header: SDPHeader(destination: .ethernet, destinationChip: .origin), result: .ok, sequence: 0,
            payload: ByteBuffer(repeating: 0, count: SCP.maximumData)
        ).writeDatagram(into: &reply)
        #expect(reply.readableBytes == SCP.maximumReplyDatagram)
    }

    @Test func aReplyTurnsARequestRound() {
        let header = SDPHeader(
            flags: .replyExpectedNoRouting, tag: 9, destination: SDPAddress(port: 0, cpu: 3), destinationChip: ChipID(1, 2),
            sourceChip: ChipID(4, 8))
        let reply = header.reply
        #expect(reply.flags == .replyNotExpectedNoRouting && reply.tag == 9)
        #expect(reply.destination == .ethernet && reply.source == SDPAddress(port: 0, cpu: 3))
        #expect(reply.destinationChip == ChipID(4, 8) && reply.sourceChip == ChipID(1, 2))
        #expect(reply.reply.flags == .replyNotExpectedNoRouting)
    }
}
