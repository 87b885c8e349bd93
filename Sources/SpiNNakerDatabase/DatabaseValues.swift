//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// How a simulation runs.
public struct RunParameters: Hashable, Sendable {
    /// µs
    public var machineTimeStep: Double
    public var timeScaleFactor: Double
    /// ms; nil: until it is stopped.
    public var runTime: Double?
    public var application: UInt8

    public init(machineTimeStep: Double, timeScaleFactor: Double = 1, runTime: Double?, application: UInt8) {
        self.machineTimeStep = machineTimeStep
        self.timeScaleFactor = timeScaleFactor
        self.runTime = runTime
        self.application = application
    }
}

/// A chip, as the database has it.
public struct DatabaseChip: Hashable, Sendable {
    public var chip: ChipID
    public var cores: Int
    public var nearestEthernet: ChipID
    /// Of its board, on the board's Ethernet chip: an address or a host name.
    public var address: String?

    public init(chip: ChipID, cores: Int, nearestEthernet: ChipID, address: String? = nil) {
        self.chip = chip
        self.cores = cores
        self.nearestEthernet = nearestEthernet
        self.address = address
    }
}

/// The tag by which a gatherer sends live output.
public struct LiveOutputTag: Hashable, Sendable {
    public var tag: UInt8
    /// The board's address.
    public var board: String
    /// Where the output goes to.
    public var host: String
    /// 0: not assigned; the listener points the tag at itself.
    public var port: UInt16
    public var stripsSDP: Bool

    public init(tag: UInt8, board: String, host: String, port: UInt16 = 0, stripsSDP: Bool = true) {
        self.tag = tag
        self.board = board
        self.host = host
        self.port = port
        self.stripsSDP = stripsSDP
    }
}

/// How boards are reached by a job's proxy: where the service and the job are, and what lets one act in the session of who made
/// the job. That is as good as a password, and neither printed nor dumped.
public struct ProxyCredentials: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Both end in "/".
    public var serviceURL: String
    public var jobURL: String
    public var cookies: [String: String]
    public var headers: [String: String]

    /// - Parameter headers: without `Authorization`, which is left out if it is there.
    public init(serviceURL: String, jobURL: String, cookies: [String: String], headers: [String: String]) {
        self.serviceURL = serviceURL
        self.jobURL = jobURL
        self.cookies = cookies
        self.headers = headers.filter { $0.key.lowercased() != "authorization" }
    }

    /// nil unless both addresses, a cookie and a header are there: then boards are reached directly.
    init?(rows: [(kind: String, name: String, value: String)]) {
        var service: String?
        var job: String?
        var cookies: [String: String] = [:]
        var headers: [String: String] = [:]
        for row in rows {
            switch (row.kind, row.name) {
            case ("SPALLOC", "service uri"): service = row.value
            case ("SPALLOC", "job uri"): job = row.value
            case ("COOKIE", _): cookies[row.name] = row.value
            case ("HEADER", _): headers[row.name] = row.value
            default: break
            }
        }
        guard let service, let job else { return nil }
        self.init(serviceURL: service, jobURL: job, cookies: cookies, headers: headers)
        if self.cookies.isEmpty || self.headers.isEmpty { return nil }
    }

    var rows: [(kind: String, name: String, value: String)] {
        [("SPALLOC", "service uri", self.serviceURL), ("SPALLOC", "job uri", self.jobURL)]
            + self.cookies.sorted { $0.key < $1.key }.map { ("COOKIE", $0.key, $0.value) }
            + self.headers.sorted { $0.key < $1.key }.map { ("HEADER", $0.key, $0.value) }
    }

    public var description: String {
        let names = (self.cookies.keys.sorted() + self.headers.keys.sorted()).joined(separator: ", ")
        return "\(self.jobURL) (\(names): secret)"
    }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: ["jobURL": self.jobURL]) }
}
