//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where a job is in its life. The wire has the name in capitals; the version 1 protocol the number.
///
/// `queued → power → ready → destroyed`; `power` and `ready` alternate when the user switches boards, and a job whose boards
/// fail at the first power-on goes back to `queued`. `destroyed` is final.
public enum JobState: String, Codable, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Never stored: what a client says of a job it knows nothing about.
    case unknown = "UNKNOWN"
    /// Waiting for boards.
    case queued = "QUEUED"
    /// Has boards, whose power is being switched.
    case power = "POWER"
    /// Has boards, and their power is as wanted: on, or off if the user asked so.
    case ready = "READY"
    case destroyed = "DESTROYED"

    /// 0...4, in the order above.
    public var number: Int {
        switch self {
        case .unknown: 0
        case .queued: 1
        case .power: 2
        case .ready: 3
        case .destroyed: 4
        }
    }

    public init?(number: Int) {
        guard let state = JobState.allCases.first(where: { $0.number == number }) else { return nil }
        self = state
    }

    public var description: String { self.rawValue }
}

/// `ON` or `OFF`.
public enum PowerState: String, Codable, Hashable, Sendable {
    case on = "ON"
    case off = "OFF"
}

/// `GET …/machine/power` and the body of `POST …/machine/power`.
public struct PowerDescription: Codable, Hashable, Sendable {
    public var power: PowerState

    public init(power: PowerState) { self.power = power }

    private enum CodingKeys: String, CodingKey { case power }

    /// An absent or null power counts as `OFF`, as the reference takes it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.power = try container.decodeIfPresent(PowerState.self, forKey: .power) ?? .off
    }
}
