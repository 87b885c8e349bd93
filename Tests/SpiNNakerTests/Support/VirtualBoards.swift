//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOCore
import SpiNNaker
import SpiNNakerMachine
import Synchronization
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// Virtual machines of tests that run side by side, in this process and in others: each has an octet of its own in its
/// addresses.
private let bases = Atomic<Int>(Int(ProcessInfo.processInfo.processIdentifier))

/// Runs `body` with a virtual machine on loopback.
func withVirtualBoards<Output>(
    _ kind: VirtualMachineDescription.Kind, faults: HardwareFaults = .none, isPowered: Bool = true,
    _ body: (VirtualMachineHost) async throws -> Output
) async throws -> Output {
    var logger = Logger(label: "test")
    logger.logLevel = .error
    var description = VirtualMachineDescription(
        kind, faults: faults, bootTimeScale: 0, powerOnDelay: .milliseconds(1), isPoweredAtStart: isPowered)
    description.hasFirmwareLinkQuirks = false
    var attempts = 0
    while true {
        // 2...254; a port in use means that another test process has the same number.
        let base = UInt8(2 + bases.add(1, ordering: .relaxed).oldValue % 253)
        do {
            return try await withVirtualMachineHost(description, base: base, logger: logger, body)
        } catch let error as VirtualMachineHostError where attempts < 5 {
            attempts += 1
            logger.info("another test has 127.\(base): \(error)")
        }
    }
}

extension TransceiverConfiguration {
    /// For machines that boot at once.
    static var quick: TransceiverConfiguration {
        var configuration = TransceiverConfiguration()
        // What a machine that is not booted costs each test. Retries make up for it when the tests run slowly.
        configuration.timeout = .milliseconds(200)
        configuration.retries = 30
        configuration.probeRetries = 0
        configuration.bootPause = .zero
        configuration.powerOnPause = .milliseconds(50)
        return configuration
    }
}
