//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocAPI

/// Ended jobs as text, for other programs.
package enum HistoryText {
    package static let header = "job,owner,group,machine,boards,created,allocated,finished,reason"

    /// RFC 4180, with a header.
    package static func csv(_ jobs: [EndedJob]) -> String {
        var text = self.header + "\r\n"
        for job in jobs {
            let fields: [String] = [
                "\(job.id)", job.owner, job.group ?? "", job.machine ?? "", "\(job.boards)", "\(job.created.wire)",
                job.allocated.map { "\($0.wire)" } ?? "", "\(job.finished.wire)", job.reason ?? "",
            ]
            text += fields.map(self.field).joined(separator: ",") + "\r\n"
        }
        return text
    }

    /// Users write owners' names and reasons. A spreadsheet would take what begins like a formula for one.
    private static func field(_ text: String) -> String {
        let text = text.first.map { "=+-@\t\r".contains($0) } == true ? "'" + text : text
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    /// One line of JSON for each.
    static func lines(_ jobs: [EndedJob]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try jobs.map { job in
            String(decoding: try encoder.encode(HistoryController.Entry(job)), as: UTF8.self) + "\n"
        }.joined()
    }
}
