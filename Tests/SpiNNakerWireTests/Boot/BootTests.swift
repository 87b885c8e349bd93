//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import WireFuzz

@Suite struct BootVectorTests {
    @Test func everyVectorOfTheFamilies() throws { try check(bootFamilies, except: bootExceptions, count: 33) }

    @Test func digestsAreSHA256() {
        #expect(SHA256.hex([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(SHA256.hex(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    /// Vector `struct.sv-boot-defaults`, of which SpiNNMan uses the first 128 bytes.
    @Test func defaults() throws {
        let vector = try #require(try GoldenVector.loadAll().first { $0.id == "struct.sv-boot-defaults" })
        var buffer = ByteBuffer()
        BootValues().write(into: &buffer)
        #expect(Array(buffer.readableBytesView) == vector.bytes)
    }

    /// The real image is not ours to ship: the path comes from SPINNAKER_SCAMP_BOOT (SpiNNMan's
    /// `messages/spinnaker_boot/boot_data/scamp.boot`).
    static let scamp = ProcessInfo.processInfo.environment["SPINNAKER_SCAMP_BOOT"]

    @Test(.enabled(if: scamp != nil, "SPINNAKER_SCAMP_BOOT does not name SpiNNMan's scamp.boot"))
    func theRealImage() throws {
        let path = try #require(Self.scamp)
        let file = try [UInt8](Data(contentsOf: URL(filePath: path)))
        #expect(SHA256.hex(file).hasPrefix("8d61f7bd"))
        let image = try BootImage(ByteBuffer(bytes: file))
        // The file as shipped has no boot values in it.
        let sequence = BootSequence(image: image, values: BootValues(board: .spinn5, unixTime: 1_700_000_000))
        #expect(sequence.count == 32)
        #expect(sequence.blockCount == 30)
        #expect(sequence.map { $0.data.readableBytes }.reduce(0, +) == 29868)
        #expect(sequence[30].data.readableBytes == 29868 - 29 * 1024)
        #expect(sequence[0].operand3 == 29)
    }
}

@Suite struct BootImageTests {
    @Test func sizesAreRefused() throws {
        #expect(throws: WireError.invalid(message: "boot image", field: "size", value: 32772)) {
            try BootImage(ByteBuffer(repeating: 0, count: 32772))
        }
        #expect(throws: WireError.invalid(message: "boot image", field: "size", value: 1022)) {
            try BootImage(ByteBuffer(repeating: 0, count: 1022))
        }
        for short in [0, 4, 508] {
            #expect(throws: WireError.truncated(message: "boot image", needed: 512, available: short)) {
                try BootImage(ByteBuffer(repeating: 0, count: short))
            }
        }
        #expect(try BootImage(ByteBuffer(repeating: 0, count: 512)).bytes.readableBytes == 512)
        let largest = try BootImage(ByteBuffer(repeating: 0, count: BootImage.maximumSize))
        let sequence = BootSequence(image: largest, values: BootValues())
        #expect(sequence.blockCount == 32)
        #expect(sequence[0].operand3 == 31)
        #expect(sequence[32].operand1 == 0xFF1F)
    }

    @Test func patchChangesNothingElse() throws {
        let image = BootImage.placeholder
        #expect(image.bytes.readableBytes == 2048)
        let values = BootValues(board: .spinn3, unixTime: 0x0102_0304, led0: 0x0007_6104)
        let patched = Array(image.patched(with: values).readableBytesView)
        let plain = Array(image.bytes.readableBytesView)
        #expect(patched[..<384] == plain[..<384])
        #expect(patched[512...] == plain[512...])
        var patch = ByteBuffer(bytes: patched[384..<512])
        #expect(try BootValues(from: &patch) == values)
        #expect(patch.readableBytes == 0)
        #expect(try BootImage(ByteBuffer(bytes: patched)).values == values)
    }

    /// An image that begins inside a larger buffer is patched in its own place.
    @Test func imagesMayBeSlices() throws {
        var buffer = ByteBuffer(repeating: 9, count: 100)
        buffer.writeImmutableBuffer(BootImage.placeholder.bytes)
        buffer.moveReaderIndex(forwardBy: 100)
        let values = BootValues(board: .spinn5, unixTime: 5)
        let image = try BootImage(buffer)
        #expect(image.patched(with: values) == BootImage.placeholder.patched(with: values))
        let all = BootSequence(image: image, values: values)
        #expect(Array(all) == Array(BootSequence(image: BootImage.placeholder, values: values)))
    }

    @Test func placeholderIsDistinctEverywhere() {
        var rest = BootImage.placeholder.bytes
        var words: Set<UInt32> = []
        while let word = rest.readInteger(endianness: .little, as: UInt32.self) { words.insert(word) }
        #expect(words.count == 512)
    }
}

@Suite struct BootSequenceTests {
    @Test func wordsComeBack() throws {
        let values = BootValues(board: .spinn5, unixTime: 1_700_000_000)
        let sequence = BootSequence(image: .placeholder, values: values)
        #expect(sequence.map(\.opcode) == [.floodFillStart, .floodFillBlock, .floodFillBlock, .floodFillControl])
        #expect(sequence.map(\.operand1) == [0, 0xFF00, 0xFF01, 1])
        #expect(sequence.map(\.operand3) == [1, 0, 0, 0])
        #expect(sequence[2].blockNumber == 1)
        #expect(sequence[2].blockWords == 256)
        #expect(sequence.nominalDuration == .milliseconds(2400))
        var image = ByteBuffer()
        for message in sequence {
            var data = message.data
            while let word = data.readInteger(endianness: .big, as: UInt32.self) {
                image.writeInteger(word, endianness: .little)
            }
        }
        #expect(image == BootImage.placeholder.patched(with: values))
    }

    @Test func helloIsWhatTheROMSays() {
        var buffer = ByteBuffer()
        BootMessage.hello.write(into: &buffer)
        #expect(Outcome.hex(buffer.readableBytesView) == "000100000041020100000000000043505453")
    }
}

@Suite struct BootMessageTests {
    @Test func randomMessagesRoundTrip() throws {
        var random = Seeded(11)
        for _ in 0..<300 {
            var message = try BootMessage(
                opcode: BootOpcode(rawValue: random.value()), operand1: random.value(), operand2: random.value(),
                operand3: random.value(), data: random.bytes(upTo: 1024))
            message.version = random.value()
            try checkCodec(of: message, decode: BootMessage.init(datagram:)) { $0.write(into: &$1) }
        }
    }

    @Test func everyTruncationAndCorruption() throws {
        let message = try BootMessage(opcode: .floodFillBlock, operand1: 0xFF00, data: ByteBuffer(bytes: [1, 2, 3, 4]))
        var buffer = ByteBuffer()
        message.write(into: &buffer)
        let outcome = abuse(buffer) { try BootMessage(datagram: $0) }
        #expect(outcome.refusedLengths == Array(0..<18))
        #expect(outcome.refusedBytes == 0)
    }

    @Test func tooMuchDataIsRefusedBothWays() {
        #expect(throws: WireError.self) {
            try BootMessage(opcode: .floodFillBlock, data: ByteBuffer(repeating: 0, count: 1025))
        }
        #expect(throws: WireError.trailing(message: "boot message", extra: 1)) {
            try BootMessage(datagram: ByteBuffer(repeating: 0, count: 18 + 1025))
        }
    }

    @Test func randomValuesRoundTrip() throws {
        var random = Seeded(12)
        for _ in 0..<200 {
            var image = random.bytes(BootValues.size)
            let values = try BootValues(from: &image)
            var buffer = ByteBuffer()
            values.write(into: &buffer)
            #expect(buffer.readableBytes == BootValues.size)
            #expect(try BootValues(from: &buffer) == values)
        }
        for length in 0..<BootValues.size {
            #expect(throws: WireError.self) {
                var short = ByteBuffer(repeating: 1, count: length)
                _ = try BootValues(from: &short)
            }
        }
    }
}
