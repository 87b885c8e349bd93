//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct IPv4AddressTests {
    @Test func textNumberOctetsAndWireAgree() {
        var random = SplitMix(seed: 11)
        let numbers = [0, 1, 0x7F00_0001, .max] + (0..<200).map { _ in UInt32(truncatingIfNeeded: random.next()) }
        for number in numbers {
            let address = IPv4Address(value: number)
            let octets = address.octets
            let bytes = [octets.0, octets.1, octets.2, octets.3]
            #expect(bytes.reduce(0) { $0 << 8 | UInt32($1) } == number)
            #expect(address.description == bytes.map(String.init).joined(separator: "."))
            #expect(IPv4Address(address.description) == address)
            #expect(IPv4Address(octets.0, octets.1, octets.2, octets.3) == address)
            // SCP's words are little-endian: the first byte of this one is the first octet.
            #expect(bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) } == address.wireWord)
            #expect(IPv4Address(wireWord: address.wireWord) == address)
        }
        #expect(IPv4Address.any.description == "0.0.0.0")
        #expect(IPv4Address.loopback.description == "127.0.0.1")
    }

    /// Only four numbers of one to three digits: no other notation of the C library's, and none of Swift's integers.
    @Test func otherTextIsNoAddress() {
        for text in [
            "", ".", "...", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "1..2.3.4", "1.2.3.4.", "256.0.0.1",
            "1.2.3.999", "1.2.3.0004", "+1.2.3.4", "1.-0.3.4", "1.2.3.4 ", " 1.2.3.4", "0x7f.0.0.1", "1.2.3.٤", "1,2,3,4",
            "localhost", "2130706433",
        ] {
            #expect(IPv4Address(text) == nil, "\(text)")
        }
        #expect(IPv4Address("001.002.003.004") == IPv4Address(1, 2, 3, 4))
    }
}
