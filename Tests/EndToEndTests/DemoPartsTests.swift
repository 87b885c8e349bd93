//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import SpallocDemo

/// What the demo is made of, without a machine.
@Suite("Parts of the demo", .timeLimit(.minutes(3)))
struct DemoPartsTests {
    // MARK: Options

    @Test(arguments: [
        (1, 1, true), (64, 32, true), (32, 64, true), (64, 33, false), (0, 1, false), (1, 0, false), (65, 1, false),
        (1, 65, false), (-1, -1, false), (Int.max, 2, false),
    ]) func machinesOfADemo(width: Int, height: Int, isPossible: Bool) {
        let options = DemoOptions(width: width, height: height)
        if isPossible {
            #expect(throws: Never.self) { try options.validate() }
        } else {
            #expect(throws: DemoError.self) { try options.validate() }
        }
    }

    @Test(arguments: [(-1, nil), (65536, nil), (0, -1), (0, 65536)] as [(Int, Int?)]) func portsOfADemo(port: Int, v1: Int?) {
        #expect(throws: DemoError.self) { try DemoOptions(port: port, v1Port: v1).validate() }
        #expect(throws: Never.self) { try DemoOptions(port: 65535, v1Port: 65535).validate() }
    }

    @Test(arguments: [-0.1, .nan, .infinity]) func timeScalesOfADemo(scale: Double) {
        #expect(throws: DemoError.self) { try DemoOptions(bootTimeScale: scale).validate() }
        #expect(throws: Never.self) { try DemoOptions(bootTimeScale: 0).validate() }
    }

    // MARK: Narrator

    private struct Failure: Error, CustomStringConvertible { let description = "it broke" }

    private final class Paper: Sendable {
        private let written = NIOLockedValueBox("")
        func narrator(isTerminal: Bool) -> Narrator {
            Narrator(isTerminal: isTerminal) { text in self.written.withLockedValue { $0 += text } }
        }
        /// What is there, without the times that steps took.
        var text: String {
            self.written.withLockedValue { $0 }.replacing(/\(\d+(\.\d+)? m?s\)/, with: "(T)")
        }
    }

    private func tell(_ narrator: Narrator) async throws {
        #expect(try await narrator.step("log in") { (5, "demo") } == 5)
        #expect(try await narrator.step("wait") { ("x", "") } == "x")
        await #expect(
            performing: {
                try await narrator.step("read") { () async throws -> (Int, String) in
                    narrator.progress(done: 1, of: 4, note: "fast")
                    throw Failure()
                }
            }, throws: { "\($0)" == "read: it broke" })
        narrator.progress(done: 1, of: 4, note: "no step runs")
        narrator.say("bye")
    }

    @Test func aLogHasALineForEachStep() async throws {
        let paper = Paper()
        try await self.tell(paper.narrator(isTerminal: false))
        #expect(paper.text == " ✓  1  log in: demo  (T)\n ✓  2  wait  (T)\n ✗  3  read  (T)\nbye\n")
    }

    @Test func aTerminalSeesAStepWhileItRuns() async throws {
        let paper = Paper()
        try await self.tell(paper.narrator(isTerminal: true))
        let over = "\r\u{1B}[K"
        #expect(
            paper.text
                == [
                    over, "    1  log in …", over, " ✓  1  log in: demo  (T)\n", over, "    2  wait …", over,
                    " ✓  2  wait  (T)\n", over,
                    "    3  read …", over, "    3  read ", String(repeating: "█", count: 7), String(repeating: "░", count: 23),
                    " 25 %  fast", over, " ✗  3  read  (T)\nbye\n",
                ].joined())
    }

    /// The innermost step is the one that failed, and the numbers go on past nine.
    @Test func stepsInSteps() async {
        let paper = Paper()
        let narrator = paper.narrator(isTerminal: false)
        await #expect(
            performing: {
                try await narrator.step("outer") {
                    try await narrator.step("inner") { () async throws -> ((Int, String), String) in throw Failure() }
                }
            }, throws: { "\($0)" == "inner: it broke" })
        for _ in 0..<8 { _ = try? await narrator.step("s") { (0, "") } }
        #expect(paper.text.hasSuffix(" ✓  9  s  (T)\n ✓ 10  s  (T)\n"))
    }

    @Test(arguments: [
        (Duration.zero, "0 ms"), (.microseconds(1400), "1 ms"), (.milliseconds(999), "999 ms"), (.seconds(1), "1.00 s"),
        (.milliseconds(61_230), "61.23 s"),
    ]) func durationsForPeople(duration: Duration, text: String) {
        #expect(Narrator.text(of: duration) == text)
    }

    // MARK: Certificates

    private func withDirectory(_ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "demo-parts-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory)
    }

    private func contents(_ files: DevelopmentCertificates) throws -> [String] {
        try [files.authority, files.certificate, files.key].map { try String(contentsOf: $0, encoding: .utf8) }
    }

    @Test func certificatesAreKeptWhileTheyAreGood() throws {
        try self.withDirectory { directory in
            let first = try DevelopmentCertificates.load(orMakeIn: directory)
            let before = try self.contents(first)
            #expect(before[0].contains("BEGIN CERTIFICATE") && before[2].contains("PRIVATE KEY"))
            for (file, mode) in [(first.authority, 0o644), (first.certificate, 0o644), (first.key, 0o600)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
                #expect(attributes[.posixPermissions] as? Int == mode)
            }
            #expect(try self.contents(DevelopmentCertificates.load(orMakeIn: directory)) == before)
            // A month is their life; a day before its end there are new ones.
            let day: TimeInterval = 24 * 3600
            #expect(try self.contents(DevelopmentCertificates.load(orMakeIn: directory, now: Date() + 28.9 * day)) == before)
            let later = try self.contents(DevelopmentCertificates.load(orMakeIn: directory, now: Date() + 29.1 * day))
            #expect(zip(later, before).allSatisfy { $0 != $1 })
        }
    }

    /// Files that do not belong together, are cut short, or are not there: all are made anew.
    @Test(arguments: ["ca.pem", "server.pem", "server.key"]) func certificatesThatDoNotFitAreReplaced(name: String) throws {
        try self.withDirectory { directory in
            try self.withDirectory { elsewhere in
                let other = try DevelopmentCertificates.load(orMakeIn: elsewhere)
                for damage in 0..<3 {
                    let before = try self.contents(DevelopmentCertificates.load(orMakeIn: directory))
                    let file = directory.appending(path: name)
                    switch damage {
                    case 0: try FileManager.default.removeItem(at: file)
                    case 1: try Data("-----BEGIN CERTIFICATE-----".utf8).write(to: file)
                    default:
                        try FileManager.default.removeItem(at: file)
                        try FileManager.default.copyItem(
                            at: other.key.deletingLastPathComponent().appending(path: name), to: file)
                    }
                    let after = try self.contents(DevelopmentCertificates.load(orMakeIn: directory))
                    #expect(zip(after, before).allSatisfy { $0 != $1 }, "damage \(damage)")
                    #expect(try self.contents(DevelopmentCertificates.load(orMakeIn: directory)) == after)
                }
            }
        }
    }

    @Test func aDirectoryThatIsNotThereIsNamed() {
        #expect(throws: DemoError.self) { try DevelopmentCertificates.load(orMakeIn: URL(filePath: "/nowhere/at/all")) }
    }
}
