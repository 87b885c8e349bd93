//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

/// `docs/virtual-machine-rows.md` against the specification's table and against the tests there are.
@Suite(.timeLimit(.minutes(3))) struct RowTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The cells of the tables under each `## 8.x` or `### 8.x` heading.
    private func tables(of text: String) -> [String: [[String]]] {
        var tables: [String: [[String]]] = [:]
        var section = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                section = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            } else if line.hasPrefix("|"), section.hasPrefix("8."), !line.hasPrefix("|---") {
                tables[section, default: []].append(
                    line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) })
            }
        }
        return tables.mapValues { Array($0.dropFirst()) }
    }

    private func ours() throws -> [String: [[String]]] {
        self.tables(
            of: try String(contentsOf: RowTests.root.appending(path: "docs/virtual-machine-rows.md"), encoding: .utf8))
    }

    @Test(arguments: ["8.1", "8.2"]) func everyRowOfTheSpecificationIsThere(section: String) throws {
        let file = RowTests.root.appending(path: "../shared/spec/virtual-machine.md").standardizedFileURL
        let specified = try #require(self.tables(of: try String(contentsOf: file, encoding: .utf8))[section]).map { $0[0] }
        #expect(specified.count > 8)
        #expect(try #require(try self.ours()[section]).map { $0[0] } == specified)
    }

    /// §8.3 is a sentence: its parts are rows, and behind them comes one of ours.
    @Test func everyFaultOfTheSpecificationIsThere() throws {
        let file = RowTests.root.appending(path: "../shared/spec/virtual-machine.md").standardizedFileURL
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let heading = try #require(lines.firstIndex { $0.hasPrefix("### 8.3") })
        let specified = lines[heading + 1].split(separator: ";").map { part in
            part.trimmingCharacters(in: CharacterSet(charactersIn: " ."))
        }
        #expect(specified.count > 10)
        #expect(try #require(try self.ours()["8.3"]).map { $0[0] }.dropLast() == specified[...])
    }

    /// The functions that have `@Test` before them, out of comments.
    private func tests(in source: String) -> Set<String> {
        var names: Set<String> = []
        var isTest = false
        for line in source.split(separator: "\n").map({ $0.drop { $0 == " " } }) where !line.hasPrefix("//") {
            if line.hasPrefix("@Test") { isTest = true }
            guard let keyword = line.firstRange(of: "func ") else { continue }
            if isTest { names.insert(String(line[keyword.upperBound...].prefix { $0 != "(" })) }
            isTest = false
        }
        return names
    }

    @Test func everyTestThatIsNamedExists() throws {
        var tests: Set<String> = []
        for folder in ["VirtualSpiNNakerTests", "SpiNNakerSimTests"] {
            let directory = RowTests.root.appending(path: "Tests/\(folder)")
            for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where name.hasSuffix(".swift") {
                tests.formUnion(self.tests(in: try String(contentsOf: directory.appending(path: name), encoding: .utf8)))
            }
        }
        var named = 0
        for row in try self.ours().values.joined() {
            let names = row[1].split(separator: " ").map { $0.filter { $0 != "`" } }
            #expect(!names.isEmpty, "\(row[0]) has no test")
            for name in names {
                named += 1
                #expect(tests.contains(name), "\(row[0]): there is no test \(name)")
            }
        }
        #expect(named > 80)
    }
}
