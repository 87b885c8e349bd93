//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a user may do. Each level may do what those before it may; `nmpiExec` may act for others as `admin` may, without
/// administering.
public enum TrustLevel: String, Codable, Hashable, Sendable, CaseIterable {
    /// Log in.
    case basic = "BASIC"
    /// See machines, and that jobs exist.
    case reader = "READER"
    /// Have jobs.
    case user = "USER"
    case admin = "ADMIN"
    case nmpiExec = "NMPI_EXEC"

    package var mayRead: Bool { self != .basic }
    package var mayHaveJobs: Bool { self != .basic && self != .reader }
    /// Sees and does with all jobs what their owners may, and creates jobs for others.
    package var actsForOthers: Bool { self == .admin || self == .nmpiExec }
    package var administers: Bool { self == .admin }
}
