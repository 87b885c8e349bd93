//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import CryptoExtras
import Foundation
import NIOPosix

/// A password as it is stored: `scrypt$16384$8$1$<salt>$<key>`, salt and key in base64.
package struct PasswordHash: Hashable, Sendable, CustomStringConvertible {
    var rounds: Int
    var blockSize: Int
    var parallelism: Int
    var salt: [UInt8]
    var key: [UInt8]

    /// About 16 MiB and 30 ms each: dear for who guesses, bearable for who logs in.
    package static let defaultRounds = 16384
    private static let blockSize = 8
    private static let keySize = 32

    /// Off the event loop: on the thread pool.
    package static func make(_ password: String, rounds: Int = defaultRounds) async throws -> PasswordHash {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return try await NIOThreadPool.singleton.runIfActive {
            var hash = PasswordHash(rounds: rounds, blockSize: self.blockSize, parallelism: 1, salt: salt, key: [])
            hash.key = try hash.derive(password)
            return hash
        }
    }

    /// Off the event loop: on the thread pool.
    package func matches(_ password: String) async throws -> Bool {
        try await NIOThreadPool.singleton.runIfActive {
            let derived = try self.derive(password)
            // Every byte is looked at, so that the time taken says nothing.
            guard derived.count == self.key.count else { return false }
            return zip(derived, self.key).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
        }
    }

    private func derive(_ password: String) throws -> [UInt8] {
        try KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: self.salt, outputByteCount: PasswordHash.keySize, rounds: self.rounds,
            blockSize: self.blockSize, parallelism: self.parallelism
        ).withUnsafeBytes { Array($0) }
    }

    package var description: String {
        [
            "scrypt", "\(self.rounds)", "\(self.blockSize)", "\(self.parallelism)", Data(self.salt).base64EncodedString(),
            Data(self.key).base64EncodedString(),
        ].joined(separator: "$")
    }

    private init(rounds: Int, blockSize: Int, parallelism: Int, salt: [UInt8], key: [UInt8]) {
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.salt = salt
        self.key = key
    }

    /// nil for what ``description`` has not written.
    package init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "scrypt", let rounds = Int(parts[1]), let blockSize = Int(parts[2]),
            let parallelism = Int(parts[3]), let salt = Data(base64Encoded: String(parts[4])),
            let key = Data(base64Encoded: String(parts[5])), rounds > 1, rounds <= 1 << 20, rounds & (rounds - 1) == 0,
            (1...32).contains(blockSize), (1...16).contains(parallelism), key.count == PasswordHash.keySize
        else { return nil }
        self.init(
            rounds: rounds, blockSize: blockSize, parallelism: parallelism, salt: Array(salt), key: Array(key))
    }
}
