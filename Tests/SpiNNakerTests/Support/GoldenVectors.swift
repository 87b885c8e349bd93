//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// All of `golden-vectors.json`.
func goldenVectors() throws -> [[String: Any]] {
    let path =
        ProcessInfo.processInfo.environment["SPINNAKER_VECTORS"]
        ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "../shared/vectors/golden-vectors.json").standardizedFileURL.path
    return try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [[String: Any]] ?? []
}
