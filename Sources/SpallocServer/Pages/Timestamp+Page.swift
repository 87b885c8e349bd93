//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI

extension Timestamp {
    /// `2026-01-02 03:04:05Z`: as the wire has it, but with a place to break the line. HTML's `time` takes it, too.
    var onPage: String { self.wire.description.replacing("T", with: " ") }
}
