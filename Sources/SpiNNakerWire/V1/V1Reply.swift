//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A line from the service. Replies come in the order of the requests; notifications come between them.
///
/// | Line | Meaning |
/// |---|---|
/// | `{"return": value}` | success |
/// | `{"exception": text}` | the command failed; the text may be empty |
/// | `{"jobs_changed": [id, ...]}` | jobs that are watched have changed |
/// | `{"machines_changed": [name, ...]}` | machines that are watched have changed |
public enum V1Reply: Hashable, Sendable {
    case returned(V1JSON)
    case exception(String)
    case jobsChanged([Int])
    case machinesChanged([String])

    public init(line: ByteBuffer) throws(V1Error) {
        guard case .object(let members) = try V1JSON(line: line) else { throw .malformed("a reply is an object") }
        if let value = members["return"] {
            self = .returned(value)
        } else if let text = members["exception"] {
            self = .exception(text.stringValue ?? text.description)
        } else if let jobs = members["jobs_changed"] {
            guard let ids = jobs.arrayValue?.map(\.integerValue), !ids.contains(nil) else {
                throw .malformed("jobs_changed is an array of numbers")
            }
            self = .jobsChanged(ids.compactMap(\.self))
        } else if let machines = members["machines_changed"] {
            guard let names = machines.arrayValue?.map(\.stringValue), !names.contains(nil) else {
                throw .malformed("machines_changed is an array of texts")
            }
            self = .machinesChanged(names.compactMap(\.self))
        } else {
            throw .malformed("neither a return, nor an exception, nor a notification")
        }
    }

    public func writeLine(into buffer: inout ByteBuffer) {
        let member: (String, V1JSON) =
            switch self {
            case .returned(let value): ("return", value)
            case .exception(let text): ("exception", .string(text))
            case .jobsChanged(let ids): ("jobs_changed", V1JSON(ids))
            case .machinesChanged(let names): ("machines_changed", .array(names.map { .string($0) }))
            }
        V1JSON.object([member.0: member.1]).writeLine(into: &buffer)
    }

    /// Whether it came unasked.
    public var isNotification: Bool {
        switch self {
        case .returned, .exception: false
        case .jobsChanged, .machinesChanged: true
        }
    }
}

/// The version that a service reports, and the client releases that will talk to it (v1-protocol.md §1.5).
///
/// Clients refuse what they do not know: the early ones take 0.4.0 ..< 2.0.0, the later ones 0.1.0 ..< 7.0.0, and none
/// can read the epoch in `1!7.0.0`, which the last original server reports.
public struct V1Version: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var major: Int
    public var minor: Int
    public var patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// `7.0.0` or `1!7.0.0`; missing parts are 0; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let afterEpoch = text.split(separator: "!", omittingEmptySubsequences: false)
        guard afterEpoch.count <= 2, let release = afterEpoch.last else { return nil }
        let parts = release.split(separator: ".", omittingEmptySubsequences: false)
        guard 1...3 ~= parts.count else { return nil }
        var numbers: [Int] = []
        for part in parts {
            guard let number = Int(part), number >= 0 else { return nil }
            numbers.append(number)
        }
        while numbers.count < 3 { numbers.append(0) }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    /// 1.0.0: every client ever released takes it.
    public static let acceptedByAll = V1Version(1, 0, 0)
    /// 5.0.0: what the Java service reports.
    public static let java = V1Version(5, 0, 0)

    public static func < (a: V1Version, b: V1Version) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }
    public var description: String { "\(self.major).\(self.minor).\(self.patch)" }
}
