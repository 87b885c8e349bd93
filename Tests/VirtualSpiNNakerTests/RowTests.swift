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

    @Test func everyTestThatIsNamedExists() throws {
        var sources = ""
        for folder in ["VirtualSpiNNakerTests", "SpiNNakerSimTests"] {
            let directory = RowTests.root.appending(path: "Tests/\(folder)")
            for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where name.hasSuffix(".swift") {
                sources += try String(contentsOf: directory.appending(path: name), encoding: .utf8)
            }
        }
        var named = 0
        for row in try self.ours().values.joined() {
            let names = row[1].split(separator: " ").map { $0.filter { $0 != "`" } }
            #expect(!names.isEmpty, "\(row[0]) has no test")
            for name in names {
                named += 1
                #expect(sources.contains("func \(name)("), "\(row[0]): there is no test \(name)")
            }
        }
        #expect(named > 80)
    }
}
