//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerWire
import Testing

/// `make fuzz`: random and half-random bytes to every decoder. `SPINNAKER_FUZZ` says how many inputs (20,000 unless told),
/// `SPINNAKER_FUZZ_SEED` from which seed. A trap is the failure that this looks for; besides, what is read must be
/// written as it was.
@Suite struct FuzzTests {
    @Test func everyDecoderSurvivesAnything() throws {
        let environment = ProcessInfo.processInfo.environment
        let inputs = environment["SPINNAKER_FUZZ"].flatMap { Int($0) } ?? 20_000
        let seed = environment["SPINNAKER_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0xF022
        var random = Seeded(seed)
        var accepted = 0
        for input in 0..<inputs {
            let codec = allCodecs[input % allCodecs.count]
            let bytes = try self.input(for: codec, &random)
            do {
                accepted += 1
                if try !codec.isStable(bytes) {
                    Issue.record(
                        "seed \(seed), input \(input): \(codec.name) does not write \(Outcome.hex(bytes.readableBytesView)) as it read it"
                    )
                }
            } catch {
                accepted -= 1
            }
        }
        // Inputs that are all refused would test nothing behind the first guard.
        #expect(accepted > inputs / 4, "only \(accepted) of \(inputs) inputs were messages")
        #expect(accepted < inputs, "nothing was refused")
        print("fuzz: \(inputs) inputs from seed \(seed) to \(allCodecs.count) decoders, \(accepted) were messages")
    }

    /// Noise, or a message with a few bytes changed, cut, or more behind it.
    private func input(for codec: Codec, _ random: inout Seeded) throws -> ByteBuffer {
        if random.next() % 4 == 0 { return random.bytes(upTo: 320) }
        var bytes = try codec.random(&random).bytes
        for _ in 0..<random.next() % 4 where bytes.readableBytes > 0 {
            let position = Int(random.next() % UInt64(bytes.readableBytes))
            bytes.setInteger(random.integer(UInt8.self), at: bytes.readerIndex + position)
        }
        switch random.next() % 4 {
        case 0:
            return bytes.getSlice(at: bytes.readerIndex, length: Int(random.next() % UInt64(bytes.readableBytes + 1))) ?? bytes
        case 1: bytes.writeImmutableBuffer(random.bytes(upTo: 40))
        default: break
        }
        return bytes
    }
}
