//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import VirtualSpiNNaker

/// Why a virtual machine did not get its sockets.
public enum VirtualMachineHostError: Error, Sendable, CustomStringConvertible {
    /// Somebody listens there already: another virtual machine with the same base, most likely.
    case addressInUse(MachineEndpoint, IPv4Address, port: UInt16)
    case cannotBind(MachineEndpoint, IPv4Address, port: UInt16, reason: String)
    /// The process may not open so many files, and may not raise the limit either.
    case tooFewFileDescriptors(needed: Int, limit: Int)
    case noSuchBoard(Int)
    /// No block of addresses was offered to choose from.
    case noFreeBase

    public var description: String {
        switch self {
        case .addressInUse(let endpoint, let address, let port):
            "\(endpoint): \(address):\(port) is in use; another virtual machine may have the same base address"
        case .cannotBind(let endpoint, let address, let port, let reason):
            "\(endpoint): can not listen on \(address):\(port): \(reason)"
        case .tooFewFileDescriptors(let needed, let limit):
            "the virtual machine needs \(needed) open files, the limit of this process is \(limit): raise it (ulimit -Hn)"
        case .noSuchBoard(let number):
            "the virtual machine has no board \(number)"
        case .noFreeBase:
            "no free block of 127.x addresses was found"
        }
    }
}
