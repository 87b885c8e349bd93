//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@testable import SpallocServer

/// What is told of, in JSON and by mail.
@Suite struct NoticeTests {
    private static let at = TurnedClock().now()

    private func notice(_ reason: String, boards: [String] = ["0,0,1"], machine: String = "m1") -> Notice {
        Notice(.issueReport, at: Self.at, machine: machine, boards: boards, reason: reason, job: 7, user: "ada")
    }

    private func mail(_ notice: Notice) -> NoticeMail {
        NoticeMail(
            from: "spalloc@example.org", to: ["a@example.org", "b@example.org"], notice: notice,
            now: Date(timeIntervalSince1970: 1_700_000_000), id: "id")
    }

    @Test func asJSONItIsOneLine() throws {
        let text = String(decoding: try self.notice("does not\nboot").json, as: UTF8.self)
        #expect(
            text == #"{"at":"\#(Self.at.wire)","boards":["0,0,1"],"job":7,"kind":"issue-report","machine":"m1","#
                + #""reason":"does not\nboot","user":"ada"}"# + "\n")
        let bare = Notice(.boardsOutOfService, at: Self.at, machine: "m1", boards: [], reason: "r")
        #expect(!String(decoding: try bare.json, as: UTF8.self).contains("job"))
    }

    @Test func itIsNotLong() throws {
        let long = self.notice(String(repeating: "é", count: 100_000), boards: (0..<1000).map { "\($0),0,0" })
        #expect(try long.json.count < 16_000)
    }

    @Test func aMailIsAMessage() throws {
        let lines = self.mail(self.notice("smells of smoke")).text.components(separatedBy: "\r\n")
        #expect(
            lines.prefix(10) == [
                "From: Spalloc <spalloc@example.org>", "To: a@example.org,", " b@example.org",
                "Subject: Issue reported: board 0,0,1 of m1", "Date: Tue, 14 Nov 2023 22:13:20 +0000",
                "Message-ID: <id@example.org>", "Auto-Submitted: auto-generated", "MIME-Version: 1.0",
                "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: base64",
            ])
        #expect(lines[10].isEmpty && lines.last == "")
        let body = try #require(Data(base64Encoded: lines[11...].joined()))
        let text = String(decoding: body, as: UTF8.self)
        #expect(text.hasPrefix("Issue reported: board 0,0,1 of m1\n\nBoards: 0,0,1\nJob: 7\nBy: ada\n"))
        #expect(text.hasSuffix("\n\nsmells of smoke\n"))
    }

    /// Whatever stands in it: the header is the same lines, none is long, and the body holds no line of anybody's.
    @Test(arguments: [
        "x\r\nBcc: eve@example.org", "x\nBcc: eve@example.org\n\n.\n", "=?UTF-8?Q?=0D=0ABcc:_eve?=", "ä\u{2028}\u{0}\u{7F}",
        "漢字",
    ])
    func whatUsersSayIsNoHeader(text: String) throws {
        let notice = self.notice(text, machine: String(repeating: text, count: 20))
        let lines = self.mail(notice).text.components(separatedBy: "\r\n")
        let end = try #require(lines.firstIndex(of: ""))
        let names = lines[..<end].filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
        #expect(
            names == [
                "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
                "Content-Transfer-Encoding",
            ])
        for line in lines {
            #expect(line.utf8.count <= 90 && line.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "\(line)")
            #expect(line != ".")
        }
        #expect(lines[(end + 1)...].allSatisfy { $0.wholeMatch(of: /[A-Za-z0-9+\/=]*/) != nil })
        // It can be read all the same.
        let words = lines[..<end].joined(separator: "\n").matches(of: /=\?UTF-8\?B\?([A-Za-z0-9+\/=]+)\?=/)
        let subject = words.compactMap { Data(base64Encoded: String($0.1)) }.reduce(Data(), +)
        #expect(String(decoding: subject, as: UTF8.self) == notice.title)
    }

    @Test(arguments: [
        ("a@example.org", true), ("a.b+c@x", true), ("", false), ("a", false), ("@b", false), ("a@", false),
        ("a b@c.org", false),
        ("-f@c.org", false), ("a@c.org,b@c.org", false), ("a@c.org\n", false), ("<a@c.org>", false), ("ä@c.org", false),
        ("a@-c.org", false),
    ])
    func addressesAreAddresses(text: String, isOne: Bool) { #expect(NoticeMail.isAddress(text) == isOne) }
}
