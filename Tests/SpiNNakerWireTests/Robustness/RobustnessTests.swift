//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import WireFuzz

/// What a peer sends may be anything. A decoder gives a value or a ``WireError``; it never traps.
@Suite struct RobustnessTests {
    @Test func namesAreUnique() {
        let names = allCodecs.map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test func randomValuesReadBackAsTheyWere() throws {
        for codec in allCodecs {
            var random = Seeded(0x5EED)
            for attempt in 0..<200 {
                let (bytes, readsBack) = try codec.random(&random)
                if !readsBack {
                    Issue.record("\(codec.name) \(attempt): \(Outcome.hex(bytes.readableBytesView)) reads as another value")
                }
                if bytes.readableBytes < codec.minimum {
                    Issue.record("\(codec.name) writes fewer than its \(codec.minimum) bytes")
                }
            }
        }
    }

    /// At every length: too short is an error; what is read must be written and read again as itself.
    @Test func truncationAtEveryLengthIsAnErrorOrAMessage() throws {
        for codec in allCodecs {
            var random = Seeded(0x7A11)
            for _ in 0..<4 {
                let bytes = try codec.random(&random).bytes
                for length in 0..<bytes.readableBytes {
                    let outcome = self.read(codec, bytes.getSlice(at: bytes.readerIndex, length: length) ?? ByteBuffer())
                    if length < codec.minimum && outcome != nil {
                        Issue.record("\(codec.name) reads \(length) bytes, fewer than its \(codec.minimum)")
                    }
                    if outcome == false { Issue.record("\(codec.name) cut to \(length) is not written as it was read") }
                }
            }
        }
    }

    @Test func corruptionAtEveryPositionIsAnErrorOrAMessage() throws {
        for codec in allCodecs {
            var random = Seeded(0xBAD)
            for _ in 0..<2 {
                let bytes = try codec.random(&random).bytes
                for position in 0..<bytes.readableBytes {
                    for value: UInt8 in [0, 0x7F, 0x80, 0xFF, random.integer()] {
                        var corrupt = bytes
                        corrupt.setInteger(value, at: corrupt.readerIndex + position)
                        if self.read(codec, corrupt) == false {
                            Issue.record("\(codec.name) with \(value) at \(position) is not written as it was read")
                        }
                    }
                }
            }
        }
    }

    /// nil: refused. Otherwise whether what was read is written as it was.
    private func read(_ codec: Codec, _ bytes: ByteBuffer) -> Bool? {
        do {
            return try codec.isStable(bytes)
        } catch {
            return nil
        }
    }
}
