//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// A notice as a message of RFC 5322 and MIME, for a `sendmail`.
///
/// Nothing that users or machines say can be taken for a header: what is not plain ASCII goes into encoded words (RFC 2047), and the body
/// is in base64.
struct NoticeMail {
    var from: String
    var to: [String]
    var notice: Notice
    var now: Date
    /// Makes the message's identity unique.
    var id: String

    var text: String {
        let lines = [
            "From: Spalloc <\(self.from)>", "To: \(self.to.joined(separator: ",\r\n "))",
            "Subject: \(NoticeMail.encoded(self.notice.title))", "Date: \(NoticeMail.date(self.now))",
            "Message-ID: <\(self.id)@\(self.from.split(separator: "@").last ?? "localhost")>",
            // No answers of machines to a machine: RFC 3834.
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8",
            "Content-Transfer-Encoding: base64", "",
            Data(self.body.utf8).base64EncodedString(options: [
                .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
            ]),
            "",
        ]
        return lines.joined(separator: "\r\n")
    }

    private var body: String {
        var lines = [self.notice.title, "", "Boards: \(self.notice.boards.joined(separator: "  "))"]
        if let job = self.notice.job { lines.append("Job: \(job)") }
        if let user = self.notice.user { lines.append("By: \(user)") }
        lines += ["When: \(self.notice.at)", "", self.notice.reason]
        return lines.joined(separator: "\n") + "\n"
    }

    /// A header's value: in words of at most 75 characters, on lines of their own, if it is not plain.
    static func encoded(_ text: String) -> String {
        let isPlain = text.utf8.count <= 60 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !text.contains("=?")
        if isPlain { return text }
        var words: [String] = []
        var word: [UInt8] = []
        // 45 bytes are 60 characters of base64; no character is cut in two.
        for character in text.unicodeScalars {
            let bytes = Array(String(character).utf8)
            if word.count + bytes.count > 45 {
                words.append(NoticeMail.word(word))
                word = []
            }
            word += bytes
        }
        if !word.isEmpty { words.append(NoticeMail.word(word)) }
        return words.joined(separator: "\r\n ")
    }

    private static func word(_ bytes: [UInt8]) -> String { "=?UTF-8?B?\(Data(bytes).base64EncodedString())?=" }

    private static func date(_ date: Date) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss '+0000'"
        return formatter.string(from: date)
    }

    /// Whether it can stand in a header and on a command line as one address, and as nothing else.
    static func isAddress(_ text: String) -> Bool {
        text.utf8.count <= 254
            && text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9.!#$%&'*+\/=?^_`{|}~-]*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?/)
                != nil
    }
}
