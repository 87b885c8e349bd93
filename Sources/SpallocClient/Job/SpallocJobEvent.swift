//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What happens to a job that is kept alive.
public enum SpallocJobEvent: Sendable {
    /// Half the keepalive interval has passed without a keepalive getting through. The job ends at `deadline` if that goes on.
    case atRisk(deadline: ContinuousClock.Instant, cause: SpallocError)
    /// Keepalives get through again, after this long without.
    case recovered(after: Duration)
    /// The whole interval has passed without one: the service has probably ended the job.
    case presumedLost(cause: SpallocError)
    /// The job is over, and not by our doing.
    case lost(SpallocError)
}
