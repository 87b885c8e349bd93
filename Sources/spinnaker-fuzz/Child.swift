//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import WireFuzz

/// One decoder in a process of its own.
enum Child {
    enum Result: Sendable { case clean, failed }

    /// The hidden argument with which this program becomes the child: then decoder, inputs, seed, and perhaps a file.
    static let argument = "--child"

    /// The parent's side: starts the child, and where it trapped a second one that writes down what it is given.
    static func run(_ name: String, inputs: Int, seed: UInt64) async -> Result {
        let words = [Child.argument, name, String(inputs), String(seed)]
        switch await Child.start(words) {
        case (.exit, 0): return .clean
        case (.exit, _): return .failed
        default:
            let file = FileManager.default.temporaryDirectory.appending(path: "spinnaker-fuzz-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: file) }
            _ = await Child.start(words + [file.path])
            let last = (try? String(contentsOf: file, encoding: .utf8)) ?? "no second time"
            print("\(name), seed \(seed): TRAPPED at input \(last)")
            return .failed
        }
    }

    private static func start(_ words: [String]) async -> (Process.TerminationReason, Int32) {
        await withCheckedContinuation { continuation in
            let process = Process()
            process.executableURL = URL(filePath: CommandLine.arguments[0])
            process.arguments = words
            process.terminationHandler = { continuation.resume(returning: ($0.terminationReason, $0.terminationStatus)) }
            do {
                try process.run()
            } catch {
                print("spinnaker-fuzz: can not start \(CommandLine.arguments[0]): \(error)")
                process.terminationHandler = nil
                continuation.resume(returning: (.exit, 70))
            }
        }
    }

    /// The child's side.
    static func main(_ words: [String]) -> Int32 {
        guard words.count >= 3, let codec = allCodecs.first(where: { $0.name == words[0] }), let inputs = Int(words[1]),
            let seed = UInt64(words[2])
        else { return 64 }
        // Each input over the one before, so that what a trap leaves is the input that did it.
        let file = words.count > 3 ? fopen(words[3], "w") : nil
        let start = Date()
        do {
            let accepted = try Fuzzer(codec, seed: seed).run(0..<inputs) { number, bytes in
                guard let file else { return }
                rewind(file)
                fputs("\(number): \(FuzzFailure.hex(bytes))\n", file)
                fflush(file)
                ftruncate(fileno(file), ftell(file))
            }
            let rate = Double(inputs) / max(Date().timeIntervalSince(start), 1e-9)
            let share = inputs == 0 ? 0 : 100 * Double(accepted) / Double(inputs)
            print(
                "\(codec.name.padding(toLength: 32, withPad: " ", startingAt: 0)) \(String(format: "%9.0f inputs/s", rate)), "
                    + "\(String(format: "%3.0f", share)) % were messages")
            return 0
        } catch {
            print(error)
            return 1
        }
    }
}
