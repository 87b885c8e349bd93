//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// Where a datagram came from or goes to on the host's side.
public struct HostAddress: Hashable, Sendable, CustomStringConvertible {
    public var ip: IPv4Address
    public var port: UInt16

    @inlinable
    public init(ip: IPv4Address, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    public var description: String { "\(self.ip):\(self.port)" }
}
