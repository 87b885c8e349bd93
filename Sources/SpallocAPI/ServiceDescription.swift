//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// `GET srv/spalloc/`: where things are, and the token that writes need.
public struct ServiceDescription: Codable, Hashable, Sendable {
    public struct Version: Codable, Hashable, Sendable {
        public var majorVersion: Int
        public var minorVersion: Int
        public var revision: Int

        public init(majorVersion: Int, minorVersion: Int, revision: Int) {
            self.majorVersion = majorVersion
            self.minorVersion = minorVersion
            self.revision = revision
        }

        private enum CodingKeys: String, CodingKey {
            case majorVersion = "major-version"
            case minorVersion = "minor-version"
            case revision
        }
    }

    public var version: Version
    /// Absent when the caller may not read.
    public var jobsRef: String?
    /// Absent when the caller may not read.
    public var machinesRef: String?
    /// Absent, as is the token, when the request has no session.
    public var csrfHeader: String?
    public var csrfToken: String?

    public init(
        version: Version, jobsRef: String? = nil, machinesRef: String? = nil, csrfHeader: String? = nil,
        csrfToken: String? = nil
    ) {
        self.version = version
        self.jobsRef = jobsRef
        self.machinesRef = machinesRef
        self.csrfHeader = csrfHeader
        self.csrfToken = csrfToken
    }

    private enum CodingKeys: String, CodingKey {
        case version
        case jobsRef = "jobs-ref"
        case machinesRef = "machines-ref"
        case csrfHeader = "csrf-header"
        case csrfToken = "csrf-token"
    }
}

/// The body of a refused login: HTTP 401.
public struct LoginFailure: Codable, Hashable, Sendable {
    public var message: String
    public var timestamp: WireInstant

    public init(message: String, timestamp: WireInstant) {
        self.message = message
        self.timestamp = timestamp
    }
}
