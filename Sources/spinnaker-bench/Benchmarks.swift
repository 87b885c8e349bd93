//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Figures of the suite, as ratios against peers in the same run. See `make bench`.
@main
struct Benchmarks {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == BarePair.argument {
            exit(BarePair.respond(replySize: arguments.dropFirst().first.flatMap { Int($0) } ?? 64))
        }
        do {
            try await ProxyBenchmark.run()
        } catch {
            FileHandle.standardError.write(Data("spinnaker-bench: \(error)\n".utf8))
            exit(1)
        }
    }
}
