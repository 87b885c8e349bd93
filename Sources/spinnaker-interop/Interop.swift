//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpiNNaker
import SpiNNakerTesting
import SpiNNakerWire

/// The other half of `interop/compare_transceivers.py`. Not for users.
///
/// ```
/// spinnaker-interop view HOST ADDRESS COUNT     what our transceiver sees of the machine, as JSON
/// spinnaker-interop tour HOST                   everything that our transceiver does; what was not as it should be, as JSON
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
        case ("view", 4):
            guard let address = UInt32(arguments[2]), let count = Int(arguments[3]) else { throw Usage() }
            try await withTransceiver(to: arguments[1], image: .placeholder, configuration: .local) { transceiver in
                try self.put(try await transceiver.view(summed: (address, count)))
            }
        case ("tour", 2):
            try await withTransceiver(to: arguments[1], image: .placeholder, configuration: .local) { transceiver in
                try self.put(try await TransceiverTour.complaints(about: transceiver))
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
        var description: String { "usage: spinnaker-interop view HOST ADDRESS COUNT | tour HOST | discover HOST TIMES" }
    }

    private static func put(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
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
