//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire
import Testing
import WireFuzz

/// A little of what `make fuzz` does (there it is 10⁶ inputs for each decoder), and that it would find something.
@Suite struct FuzzTests {
    @Test func everyDecoderSurvivesAnything() throws {
        let each = 20_000 / allCodecs.count
        var accepted = 0
        for codec in allCodecs { accepted += try Fuzzer(codec, seed: 0xF022).run(0..<each) }
        // Inputs that are all refused would test nothing behind the first guard.
        let inputs = each * allCodecs.count
        #expect(accepted > inputs / 4, "only \(accepted) of \(inputs) inputs were messages")
        #expect(accepted < inputs, "nothing was refused")
    }

    /// A word that is read whole and written with its upper half lost.
    private let forgetful = Codec(
        "forgetful", minimum: 4, random: { $0.integer(UInt32.self) }, write: { $1.put($0 & 0xFFFF) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            return try buffer.take(of: "word")
        })

    /// A word below 2000 that is written as another; what it becomes so is refused.
    private let growing = Codec(
        "growing", minimum: 4, random: { $0.integer(UInt32.self) % 1000 }, write: { $1.put($0 + 1000) },
        read: { (buffer) throws(WireError) in
            var buffer = buffer
            let word: UInt32 = try buffer.take(of: "word")
            guard word < 2000 else { throw .invalid(message: "word", field: "word", value: UInt64(word)) }
            return word
        })

    @Test func aCodecThatForgetsIsFoundWithTheInputThatDidIt() throws {
        let failure = try #require(throws: FuzzFailure.self) { try Fuzzer(self.forgetful, seed: 1).run(0..<1000) }
        #expect(failure.decoder == "forgetful" && failure.seed == 1)
        #expect(failure.description.hasSuffix(FuzzFailure.hex(failure.bytes)))
        #expect(throws: FuzzFailure.self) { try Fuzzer(self.growing, seed: 1).run(0..<1000) }
        // Alone, by its number, it is the same input.
        let again = try Fuzzer(self.forgetful, seed: 1).input(failure.input)
        #expect(again == failure.bytes)
    }

    @Test func inputsDependOnDecoderSeedAndNumber() throws {
        let one = try (0..<50).map { try Fuzzer(self.forgetful, seed: 1).input($0) }
        #expect(try (0..<50).map { try Fuzzer(self.forgetful, seed: 1).input($0) } == one)
        #expect(try (0..<50).map { try Fuzzer(self.forgetful, seed: 2).input($0) } != one)
        #expect(try (0..<50).map { try Fuzzer(self.growing, seed: 1).input($0) } != one)
        #expect(Set(one).count > 40)
        // Of every sort: nothing of a message, cut ones, and ones with more behind.
        #expect(one.contains { $0.readableBytes < 4 } && one.contains { $0.readableBytes > 44 })
    }
}
