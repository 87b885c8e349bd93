//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

/// Every vector of the file, once. `make vectors` runs this suite alone.
@Suite struct GoldenVectorTests {
    @Test func everyVectorAgreesOrIsExcused() throws {
        let vectors = try GoldenVector.loadAll()
        #expect(vectors.count > 600, "the file of vectors is not whole: \(GoldenVector.path)")

        var table: [String: (checked: Int, elsewhere: Int, not: Int)] = [:]
        var usedExceptions: Set<String> = []
        for vector in vectors {
            let fine = "\(vector.kind)/\(vector.class)"
            if let check = checkedFamilies[fine] ?? checkedFamilies[vector.kind] {
                table[vector.kind, default: (0, 0, 0)].checked += 1
                do {
                    let outcome = try check(vector)
                    #expect(outcome.compared > 0, "\(vector.id): nothing was compared")
                    for difference in outcome.differences {
                        if let exception = vectorExceptions.first(where: { $0.covers(vector, difference) }) {
                            usedExceptions.insert(exception.key)
                        } else {
                            Issue.record("\(vector.id): \(difference)")
                        }
                    }
                } catch {
                    Issue.record("\(vector.id): \(error)")
                }
            } else if familiesElsewhere[fine] ?? familiesElsewhere[vector.kind] != nil {
                table[vector.kind, default: (0, 0, 0)].elsewhere += 1
            } else if familiesNotTaken[fine] ?? familiesNotTaken[vector.kind] != nil {
                table[vector.kind, default: (0, 0, 0)].not += 1
            } else {
                Issue.record("\(vector.id): nobody checks \(fine)")
            }
        }
        for exception in vectorExceptions where !usedExceptions.contains(exception.key) {
            Issue.record("the exception for \(exception.prefix) excuses nothing: \(exception.reason)")
        }

        var lines = ["vector family         here  elsewhere  not taken"]
        for (kind, counts) in table.sorted(by: { $0.key < $1.key }) {
            let name = kind.padding(toLength: 20, withPad: " ", startingAt: 0)
            lines.append("\(name)  \(column(counts.checked))  \(column(counts.elsewhere))       \(column(counts.not))")
        }
        let all = table.values.reduce((0, 0, 0)) { ($0.0 + $1.checked, $0.1 + $1.elsewhere, $0.2 + $1.not) }
        lines.append("all                   \(column(all.0))  \(column(all.1))       \(column(all.2))")
        print(lines.joined(separator: "\n"))
    }

    /// A table entry whose kind the file does not have is a slip of the pen.
    @Test func everyFamilyOfTheTablesIsInTheFile() throws {
        let vectors = try GoldenVector.loadAll()
        let known = Set(vectors.flatMap { [$0.kind, "\($0.kind)/\($0.class)"] })
        #expect(familyTables.reduce(0) { $0 + $1.count } == checkedFamilies.count, "two tables check one family")
        for family in Array(checkedFamilies.keys) + Array(familiesElsewhere.keys) + Array(familiesNotTaken.keys) {
            if !known.contains(family) { Issue.record("no vector is of \(family)") }
        }
    }

    /// A target that is said to read a family names it in its sources.
    @Test func whatIsSaidToBeReadElsewhereIs() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        for (family, target) in familiesElsewhere {
            let folder = tests.appending(path: target)
            let kind = family.prefix { $0 != "/" }
            let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
            let isThere = try files.contains {
                try String(contentsOf: folder.appending(path: $0), encoding: .utf8).contains("\"\(kind)\"")
            }
            if !isThere { Issue.record("\(target) does not read \(family)") }
        }
    }

    private func column(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: " ", count: max(0, 4 - text.count)) + text
    }
}
