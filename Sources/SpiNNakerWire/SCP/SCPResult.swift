//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The result code of an SCP reply. Any 16-bit number is a value; the named ones are those of `spinnaker.h` (`RC_…`).
public struct SCPResult: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt16
    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let ok = SCPResult(rawValue: 0x80)
    public static let badLength = SCPResult(rawValue: 0x81)
    public static let badChecksum = SCPResult(rawValue: 0x82)
    public static let badCommand = SCPResult(rawValue: 0x83)
    public static let badArgument = SCPResult(rawValue: 0x84)
    public static let badPort = SCPResult(rawValue: 0x85)
    public static let timeout = SCPResult(rawValue: 0x86)
    public static let noRoute = SCPResult(rawValue: 0x87)
    public static let badCPU = SCPResult(rawValue: 0x88)
    public static let dead = SCPResult(rawValue: 0x89)
    public static let noBuffer = SCPResult(rawValue: 0x8A)
    public static let p2pNoReply = SCPResult(rawValue: 0x8B)
    public static let p2pReject = SCPResult(rawValue: 0x8C)
    public static let p2pBusy = SCPResult(rawValue: 0x8D)
    public static let p2pTimeout = SCPResult(rawValue: 0x8E)
    public static let packetTransmit = SCPResult(rawValue: 0x8F)

    /// Whether the same request may well succeed if sent again: length, timeout, and the P2P codes that say "not now".
    @inlinable
    public var isRetryable: Bool {
        switch self.rawValue {
        case 0x81, 0x86, 0x8B, 0x8D, 0x8E: true
        default: false
        }
    }

    public var description: String {
        switch self.rawValue {
        case 0x80: "RC_OK"
        case 0x81: "RC_LEN (bad length)"
        case 0x82: "RC_SUM (bad checksum)"
        case 0x83: "RC_CMD (unknown command)"
        case 0x84: "RC_ARG (bad argument)"
        case 0x85: "RC_PORT (bad port)"
        case 0x86: "RC_TIMEOUT (no answer inside the machine)"
        case 0x87: "RC_ROUTE (no route to the chip)"
        case 0x88: "RC_CPU (no such core)"
        case 0x89: "RC_DEAD (chip is dead)"
        case 0x8A: "RC_BUF (no buffer)"
        case 0x8B: "RC_P2P_NOREPLY (chip does not answer)"
        case 0x8C: "RC_P2P_REJECT (chip refused)"
        case 0x8D: "RC_P2P_BUSY (chip is busy)"
        case 0x8E: "RC_P2P_TIMEOUT (chip stopped answering)"
        case 0x8F: "RC_PKT_TX (packet not sent)"
        default: "0x" + String(self.rawValue, radix: 16)
        }
    }
}
