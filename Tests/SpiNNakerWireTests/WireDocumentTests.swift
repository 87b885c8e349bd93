//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpiNNakerWire
import Testing
import WireFuzz

/// `docs/wire.md` against the sources: what is in the code is in the document, with the same number.
@Suite struct WireDocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func document() throws -> String {
        try String(contentsOf: Self.root.appending(path: "docs/wire.md"), encoding: .utf8)
    }

    /// Every source of the target, joined.
    private func sources() throws -> String {
        let folder = Self.root.appending(path: "Sources/SpiNNakerWire")
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }.sorted()
        #expect(files.count > 30)
        return try files.map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }.joined(separator: "\n")
    }

    @Test func everyCommandIsThereWithItsNumber() throws {
        let document = try self.document()
        let constants = try self.sources().matches(of: /static let `?(\w+)`? = SCPCommand\(rawValue: (\d+)\)/)
        #expect(constants.count == 36)
        for constant in constants {
            let row = "| \(constant.2) | `\(constant.1)` |"
            if !document.contains(row) { Issue.record("wire.md has no row \(row)") }
        }
        for constant in try self.sources().matches(of: /static let (\w+) = RunningCommand\(rawValue: (\d+)\)/) {
            let row = "| \(constant.2) | `\(constant.1)` |"
            if !document.contains(row) { Issue.record("wire.md has no row \(row)") }
        }
        for (name, command) in commandNames where !document.contains("| \(command.rawValue) | `") {
            Issue.record("wire.md has no row for \(name)")
        }
    }

    @Test func everyRequestAndReplyIsThere() throws {
        let document = try self.document()
        let types = try self.sources().matches(of: /public struct (\w+): (?:\w+Request|SCPResponse)\b/).map { String($0.1) }
        #expect(types.count > 80)
        for type in types where !document.contains("`\(type)`") { Issue.record("wire.md does not have \(type)") }
    }

    @Test func everyStructureIsThere() throws {
        let document = try self.document()
        let structures = try self.sources().matches(
            of: /public (?:struct|enum) (\w+): [^\n]*\{(?:(?!\npublic|\n\}\n)[\s\S])*?func write\((?:datagram )?into/)
        #expect(structures.count > 30)
        for structure in structures where !document.contains("`\(structure.1)`") {
            Issue.record("wire.md does not have \(structure.1)")
        }
    }

    /// A decoder without an entry in `allCodecs` would be neither cut, nor corrupted, nor fuzzed.
    @Test func everyDecoderIsInTheListOfCodecs() throws {
        let sources = try self.sources()
        let messages = sources.matches(of: #/public struct (\w+): (?:\w+Request|SCPResponse)\b/#).map { String($0.1) }
        let others = sources.matches(
            of:
                #/public (?:struct|enum) (\w+): (?:(?!\npublic|\n\}\n)[\s\S])*?init\((?:datagram: |frame: |from buffer: |line: |_ json: V1JSON\))/#
        ).map { String($0.1) }
        let types = messages + others
        #expect(types.count > 100)
        let codecs = Set(allCodecs.map(\.name))
        // Inside EIEIOMessage, which is there.
        let parts: Set = ["EIEIOCommand", "EIEIODataHeader"]
        for type in types where !codecs.contains(type) && !parts.contains(type) {
            Issue.record("\(type) is not in allCodecs")
        }
    }

    /// The DocC catalogs name every type, and nothing else: `make docs` finds dead links, this finds types left out.
    @Test func everyPublicTypeIsInItsCatalog() throws {
        for target in ["SpiNNakerWire", "SpiNNakerMachine"] {
            let folder = Self.root.appending(path: "Sources/\(target)")
            let catalog = try String(
                contentsOf: folder.appending(path: "Documentation.docc/\(target).md"), encoding: .utf8)
            let topics = Set(catalog.matches(of: /\n- ``(\w+)``/).map { String($0.1) })
            var types: Set<String> = []
            for file in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where file.hasSuffix(".swift") {
                let source = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
                types.formUnion(source.matches(of: /\npublic (?:struct|enum|protocol) (\w+)/).map { String($0.1) })
            }
            #expect(types.count > 20)
            #expect(topics == types, "\(target): \(topics.symmetricDifference(types).sorted())")
        }
    }

    @Test func everyFieldOfTheSystemVariablesIsThereWithItsOffset() throws {
        let document = try self.document()
        for field in systemVariableFields {
            let digits = String(field.offset, radix: 16, uppercase: true)
            let offset = "0x" + (digits.count < 2 ? "0" : "") + digits
            let found = document.split(separator: "\n").contains {
                $0.hasPrefix("| \(offset) |") && $0.contains("| \(field.name) |")
            }
            if !found { Issue.record("wire.md has no row for \(field.name) at \(offset)") }
        }
    }

    @Test func everyResultIsThere() throws {
        let document = try self.document()
        for code: UInt16 in 0x80...0x8F {
            let name = SCPResult(rawValue: code).description.prefix { $0 != " " }
            let again = SCPResult(rawValue: code).isRetryable ? "yes" : ""
            let row = "| 0x\(String(code, radix: 16, uppercase: true)) | \(name) | \(again)"
            if !document.contains(row) { Issue.record("wire.md has no \(row)") }
        }
    }
}
