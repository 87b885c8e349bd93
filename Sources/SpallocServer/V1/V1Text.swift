//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI

/// What the original server said, word for word: scripts look for it.
enum V1Text {
    static let noMachine = "No suitable machines available."
    static let timedOut = "Job timed out."
    static let machineAndTags = "Only one of machine and tags may be specified for a job."
    static let torusOfBoards = "require_torus must be False when allocating boards."

    /// Why a job ended, as the original puts it: one that never had boards was cancelled.
    static func reason(of job: V1JobView) -> String? {
        guard job.record.state == .destroyed else { return nil }
        let reason = job.record.reason == Store.keepaliveExpired ? V1Text.timedOut : job.record.reason
        return job.hasPlace ? reason : "Cancelled: \(reason ?? "")"
    }
}
