//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpiNNakerMachine

/// An IP address, or all that begin with the same bits: `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    public let description: String
    private let bytes: [UInt8]
    private let bits: Int

    /// nil for anything but an address, with or without a number of bits.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, let bytes = AddressRange.bytes(of: String(address)) else { return nil }
        var bits = bytes.count * 8
        if parts.count > 1 {
            guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let given = Int(parts[1]), given <= bits else {
                return nil
            }
            bits = given
        }
        self.description = text
        self.bytes = bytes
        self.bits = bits
    }

    /// False for what is no address.
    public func contains(_ address: String) -> Bool {
        guard let other = AddressRange.bytes(of: address), other.count == self.bytes.count else { return false }
        let whole = self.bits / 8
        guard self.bytes[..<whole] == other[..<whole] else { return false }
        guard self.bits % 8 > 0 else { return true }
        return (self.bytes[whole] ^ other[whole]) >> (8 - self.bits % 8) == 0
    }

    /// In network order: 4, or 16. An IPv4 address in the clothes of IPv6 (`::ffff:127.0.0.1`, as a socket of both has it) is 4.
    static func bytes(of address: String) -> [UInt8]? {
        if let v4 = IPv4Address(address) { return withUnsafeBytes(of: v4.value.bigEndian) { Array($0) } }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return Array(bytes[..<12]) == mapped ? Array(bytes[12...]) : bytes
    }
}

extension AddressRange: Decodable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let range = AddressRange(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is neither an IP address nor a range such as 10.0.0.0/8")
        }
        self = range
    }
}
