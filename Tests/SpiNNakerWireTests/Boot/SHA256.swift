//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// SHA-256 (FIPS 180-4), because the long vectors give only a digest and the codecs have no cryptography.
enum SHA256 {
    static func hex(_ message: some Sequence<UInt8>) -> String {
        var state: [UInt32] = [
            0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
        ]
        var bytes = Array(message)
        let bits = UInt64(bytes.count) * 8
        bytes.append(0x80)
        while bytes.count % 64 != 56 { bytes.append(0) }
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
        var w = [UInt32](repeating: 0, count: 64)
        for start in stride(from: 0, to: bytes.count, by: 64) {
            for i in 0..<16 {
                w[i] = bytes[(start + i * 4)..<(start + i * 4 + 4)].reduce(0) { $0 << 8 | UInt32($1) }
            }
            for i in 16..<64 {
                let a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3)
                let b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10)
                w[i] = w[i - 16] &+ a &+ w[i - 7] &+ b
            }
            var s = state
            for i in 0..<64 {
                let e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)
                let choice = (s[4] & s[5]) ^ (~s[4] & s[6])
                let t1 = s[7] &+ e &+ choice &+ k[i] &+ w[i]
                let a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)
                let majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2])
                s = [t1 &+ a &+ majority, s[0], s[1], s[2], s[3] &+ t1, s[4], s[5], s[6]]
            }
            for i in 0..<8 { state[i] = state[i] &+ s[i] }
        }
        return state.map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }.joined()
    }

    private static func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }

    /// The first 32 bits of the fractions of the cube roots of the first 64 primes.
    private static let k: [UInt32] = {
        var primes: [UInt64] = []
        var candidate: UInt64 = 2
        while primes.count < 64 {
            if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
            candidate += 1
        }
        return primes.map { prime in
            // floor(cbrt(prime) · 2^32) bit by bit, in exact arithmetic: x³ ≤ prime · 2^96.
            var root: UInt64 = 0
            for bit in stride(from: 34, through: 0, by: -1) {
                let next = root | 1 << UInt64(bit)
                if cubeIsAtMost(next, prime) { root = next }
            }
            return UInt32(truncatingIfNeeded: root)
        }
    }()

    private static func cubeIsAtMost(_ x: UInt64, _ prime: UInt64) -> Bool {
        // x < 2^35, so x² < 2^70 and x³ < 2^105: 128 bits hold all of it.
        UInt128(x) * UInt128(x) * UInt128(x) <= UInt128(prime) << 96
    }
}
