//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import WireFuzz

/// `spinnaker-fuzz [INPUTS [SEED [DECODER…]]]`: that many inputs (10⁶ unless told) to every decoder, or to those named.
///
/// Each decoder runs in a process of its own, as many at once as there are cores, so that a trap ends one of them and is
/// told like any other failure: decoder, seed, number of the input, and its bytes. Exit status 1 when there was one.
@main
struct Fuzz {
    static func main() async {
        var arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == Child.argument { exit(Child.main(Array(arguments.dropFirst()))) }

        func number<Value: FixedWidthInteger>(_ what: String, default value: Value) -> Value {
            guard !arguments.isEmpty else { return value }
            let text = arguments.removeFirst()
            guard let number = Value(text), number >= 0 else { refuse("\(text) is no \(what)") }
            return number
        }
        let inputs = number("number of inputs", default: 1_000_000)
        let seed = number("seed", default: 0xF022 as UInt64)
        let known = allCodecs.map(\.name)
        for name in arguments where !known.contains(name) { refuse("there is no decoder \(name); there are: \(known)") }
        let names = arguments.isEmpty ? known : arguments

        let start = Date()
        let results = await run(names, inputs: inputs, seed: seed)
        let failed = results.filter { $0 != .clean }.count
        let seconds = Date().timeIntervalSince(start)
        print(
            "fuzz: \(names.count) decoders, \(inputs) inputs each, seed \(seed), \(String(format: "%.0f", seconds)) s: "
                + (failed == 0 ? "clean" : "\(failed) failed"))
        exit(failed == 0 ? 0 : 1)
    }

    /// All of them, as many at a time as there are cores.
    private static func run(_ names: [String], inputs: Int, seed: UInt64) async -> [Child.Result] {
        await withTaskGroup(of: Child.Result.self) { group in
            var results: [Child.Result] = []
            var waiting = names[...]
            for _ in 0..<max(1, ProcessInfo.processInfo.activeProcessorCount) {
                guard let name = waiting.popFirst() else { break }
                group.addTask { await Child.run(name, inputs: inputs, seed: seed) }
            }
            while let result = await group.next() {
                results.append(result)
                if let name = waiting.popFirst() { group.addTask { await Child.run(name, inputs: inputs, seed: seed) } }
            }
            return results
        }
    }

    private static func refuse(_ why: String) -> Never {
        FileHandle.standardError.write(Data("spinnaker-fuzz: \(why)\n".utf8))
        exit(64)
    }
}
