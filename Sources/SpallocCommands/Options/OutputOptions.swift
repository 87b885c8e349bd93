//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport

/// How results are written.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Write JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Write only the names, one a line.")
    var quiet = false

    func validate() throws {
        if self.json, self.quiet { throw ValidationError("--json and --quiet exclude each other") }
    }

    func show(_ report: Report) {
        let text = report.render(self.json ? .json : self.quiet ? .names : .table)
        if !text.isEmpty { CommandContext.current.out(text) }
    }
}
