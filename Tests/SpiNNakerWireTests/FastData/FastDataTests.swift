//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// The messages of the fast protocols, byte for byte.
@Suite struct FastDataTests {
    private func bytes(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
        var buffer = ByteBuffer()
        write(&buffer)
        return Array(buffer.readableBytesView)
    }

    @Test func dataInIsWordsOfLittleEndian() {
        let location = FastDataInCommand.location(transaction: 7, address: 0x6010_0000, chip: ChipID(5, 3), lastSequence: 258)
        // The chip as two halves: y, then x.
        #expect(
            self.bytes { location.write(into: &$0) } == [
                200, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0x10, 0x60, 3, 0, 5, 0, 2, 1, 0, 0,
            ])
        let data = FastDataInCommand.data(transaction: 7, sequence: 258, data: ByteBuffer(bytes: [1, 2, 3, 4]))
        #expect(self.bytes { data.write(into: &$0) } == [0xD0, 7, 0, 0, 7, 0, 0, 0, 2, 1, 0, 0, 1, 2, 3, 4])
        #expect(self.bytes { FastDataInCommand.tellMissing(transaction: 7).write(into: &$0) } == [0xD1, 7, 0, 0, 7, 0, 0, 0])
        #expect(FastData.inBytes == 260 && FastData.outBytes == 264)
    }

    @Test func theGatherersAnswers() {
        let missing = FastDataInReply.missing(
            transaction: 1, sequences: [9, FastDataInReply.everything, FastDataInReply.endOfList])
        #expect(
            self.bytes { missing.write(into: &$0) } == [
                0xD2, 7, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            ])
        #expect(self.bytes { FastDataInReply.finished(transaction: 1).write(into: &$0) } == [0xD3, 7, 0, 0, 1, 0, 0, 0])
    }

    @Test func dataOut() throws {
        let start = FastDataOutCommand.start(transaction: 2, address: 0x6000_0004, size: 1000)
        #expect(self.bytes { start.write(into: &$0) } == [100, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0x60, 0xE8, 3, 0, 0])
        #expect(self.bytes { FastDataOutCommand.clear(transaction: 2).write(into: &$0) } == [0xD0, 7, 0, 0, 2, 0, 0, 0])
        var buffer = ByteBuffer(bytes: [3, 0, 0, 0x80, 2, 0, 0, 0, 0xAA, 0xBB, 0xCC, 0xDD])
        let packet = try FastDataOutPacket(from: &buffer)
        #expect(packet.sequence == 3 && packet.isLast && packet.transaction == 2)
        #expect(Array(packet.data.readableBytesView) == [0xAA, 0xBB, 0xCC, 0xDD] && buffer.readableBytes == 0)
    }

    /// 65 sequences fit beside the number of messages, 66 without it.
    @Test(arguments: [(0, 1), (1, 1), (65, 1), (66, 2), (131, 2), (132, 3)])
    func aListIsCutIntoMessages(_ count: Int, _ messages: Int) {
        let sequences = (0..<UInt32(count)).map { $0 * 3 }
        let list = FastDataOutCommand.list(of: sequences, transaction: 5)
        #expect(list.count == messages)
        var found: [UInt32] = []
        for (index, command) in list.enumerated() {
            switch command {
            case .missing(5, let announced, let part):
                #expect(index == 0 && announced == UInt32(messages))
                found += part
            case .moreMissing(5, let part):
                #expect(index > 0)
                found += part
            default: Issue.record("\(command)")
            }
            #expect(self.bytes { command.write(into: &$0) }.count <= 4 * FastData.words)
        }
        #expect(found == sequences)
    }

    @Test func theNextTransactionSkipsZero() {
        #expect(FastData.transaction(after: 0) == 1)
        #expect(FastData.transaction(after: 41) == 42)
        #expect(FastData.transaction(after: FastData.transactionMask) == 1)
        #expect(FastData.transaction(after: .max) == 1)
    }

    @Test func whatIsNoMessageIsRefused() {
        for bytes in [[], [200, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0], [200, 0, 0, 0, 1, 0, 0, 0, 1]] as [[UInt8]] {
            #expect(throws: WireError.self) {
                var buffer = ByteBuffer(bytes: bytes)
                _ = try FastDataInCommand(from: &buffer)
            }
            #expect(throws: WireError.self) {
                var buffer = ByteBuffer(bytes: bytes)
                _ = try FastDataInReply(from: &buffer)
            }
            #expect(throws: WireError.self) {
                var buffer = ByteBuffer(bytes: bytes)
                _ = try FastDataOutCommand(from: &buffer)
            }
        }
    }
}
