//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging
import NIOCore
import SpiNNaker
import SpiNNakerMachine
import SpiNNakerWire
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// The other half of `interop/compare_transceivers.py`. Not for users.
///
/// ```
/// spinnaker-interop serve BOARDS   virtual boards (1, or a multiple of 3) until standard input ends; their addresses as JSON
/// spinnaker-interop view HOST ADDRESS COUNT     what our transceiver sees of the machine, as JSON
/// spinnaker-interop discover HOST TIMES         seconds of each discovery, connections included, as JSON
/// ```
@main
struct Interop {
    static func main() async {
        do {
            try await Interop.run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    static func run(_ arguments: [String]) async throws {
        switch (arguments.first, arguments.count) {
        case ("serve", 2): try await self.serve(boards: Int(arguments[1]) ?? 0)
        case ("view", 4):
            guard let address = UInt32(arguments[2]), let count = Int(arguments[3]) else { throw Usage() }
            try await withTransceiver(to: arguments[1], image: .placeholder, configuration: .local) { transceiver in
                try self.put(try await transceiver.view(summed: (address, count)))
            }
        case ("discover", 3):
            var seconds: [Double] = []
            for _ in 0..<(Int(arguments[2]) ?? 1) {
                let start = ContinuousClock.now
                try await withTransceiver(to: arguments[1], configuration: .local) { transceiver in
                    _ = try await transceiver.discoverMachine()
                }
                seconds.append((ContinuousClock.now - start) / .seconds(1))
            }
            try self.put(seconds)
        default: throw Usage()
        }
    }

    struct Usage: Error, CustomStringConvertible {
        var description: String { "usage: spinnaker-interop serve BOARDS | view HOST ADDRESS COUNT | discover HOST TIMES" }
    }

    private static func put(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
    }

    private static func serve(boards: Int) async throws {
        let kind: VirtualMachineDescription.Kind = boards < 3 ? .spinn5 : .triads(width: boards / 3, height: 1)
        var description = VirtualMachineDescription(kind, bootTimeScale: 0, isPoweredAtStart: true)
        description.hasFirmwareLinkQuirks = false
        var logger = Logger(label: "interop")
        logger.logLevel = .error
        let first = Int(getpid()) % 224
        for attempt in 0..<8 {
            do {
                return try await withVirtualMachineHost(
                    description, base: UInt8(16 + (first + attempt * 29) % 224), logger: logger
                ) { host in
                    try self.put(host.boards.map { $0.address.description })
                    // A thread of its own: reading blocks.
                    await withCheckedContinuation { continuation in
                        Thread.detachNewThread {
                            while let data = try? FileHandle.standardInput.read(upToCount: 1024), !data.isEmpty {}
                            continuation.resume()
                        }
                    }
                }
            } catch VirtualMachineHostError.addressInUse where attempt < 7 {
                continue
            }
        }
    }
}

extension TransceiverConfiguration {
    /// Boards on this host, which boot at once.
    fileprivate static var local: TransceiverConfiguration {
        var configuration = TransceiverConfiguration()
        configuration.bootPause = .milliseconds(1)
        configuration.probeRetries = 0
        return configuration
    }
}
