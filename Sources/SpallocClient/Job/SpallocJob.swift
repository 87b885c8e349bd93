//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpallocAPI
import SpiNNakerMachine

/// A job: boards of a machine that are ours for a while.
///
/// A job is only a name for what the service holds. It is kept alive inside ``SpallocClient/withJob(_:_:)`` and
/// ``whileKeptAlive(_:)``, and nowhere else.
public final class SpallocJob: Sendable, CustomStringConvertible {
    public let id: Int
    /// Its address at the service, ending in `/`.
    public let url: SpallocURL
    /// How long it lives without a keepalive.
    public let keepaliveInterval: Duration
    let session: SpallocSession
    let ending = NIOLockedValueBox(Ending())
    private let eventSource: (stream: AsyncStream<SpallocJobEvent>, continuation: AsyncStream<SpallocJobEvent>.Continuation)

    struct Ending: Sendable {
        /// A destruction of ours got through, or is on its way.
        var isDestroyedByUs = false
        /// The job ended otherwise.
        var lost: SpallocError?
    }

    init(id: Int, url: SpallocURL, session: SpallocSession, keepaliveInterval: Duration? = nil) {
        self.id = id
        self.url = url
        self.session = session
        self.keepaliveInterval = keepaliveInterval ?? session.configuration.keepaliveInterval
        self.eventSource = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(32))
    }

    /// From an address that the service gave.
    convenience init(reference: String, session: SpallocSession, keepaliveInterval: Duration? = nil) throws(SpallocError) {
        guard let url = session.serviceURL.following(reference)?.asFolder,
            let id = url.path.split(separator: "/").last.flatMap({ Int($0) }), id >= 0
        else {
            throw SpallocError(
                .unexpectedResponse, "this is no address of a job", serverMessage: SpallocError.oneLine(reference))
        }
        self.init(id: id, url: url, session: session, keepaliveInterval: keepaliveInterval)
    }

    public var description: String { "job \(self.id) at \(self.session.serviceURL.host)" }

    /// Alarms and the loss of a job that is kept alive. For one reader; the last 32 wait for it.
    public var events: AsyncStream<SpallocJobEvent> { self.eventSource.stream }
    func report(_ event: SpallocJobEvent) { self.eventSource.continuation.yield(event) }
    func finishEvents() { self.eventSource.continuation.finish() }

    // MARK: - Asking

    /// What the service knows of the job now.
    public func details() async throws(SpallocError) -> JobDescription { try await self.json(self.url) }

    /// What it got; nil while it is queued.
    public func machine() async throws(SpallocError) -> JobMachine? {
        try await self.jsonIfAny(self.url(SpallocJobPath.machine))
    }

    /// Where a chip of the job really is; nil while it is queued.
    public func whereIs(_ chip: ChipPosition) async throws(SpallocError) -> WhereIs? {
        try await self.jsonIfAny(self.url(SpallocJobPath.chip), query: [("x", "\(chip.x)"), ("y", "\(chip.y)")])
    }

    // MARK: - Acting

    /// Whether its boards are on, all of them; nil while it is queued.
    public func power() async throws(SpallocError) -> PowerState? {
        let power: PowerDescription? = try await self.jsonIfAny(self.url(SpallocJobPath.power))
        return power?.power
    }

    /// Orders the boards on or off; the job goes through `power` to `ready`, which ``waitUntilReady(timeout:)`` awaits.
    public func setPower(_ power: PowerState) async throws(SpallocError) {
        let reply = try await self.inJob { () async throws(SpallocError) in
            try await self.session.post(
                self.url(SpallocJobPath.power), body: try SpallocSession.encode(PowerDescription(power: power)),
                contentType: "application/json", timeout: self.session.configuration.createTimeout)
        }
        guard reply.status != 204 else {
            throw SpallocError(.notReady, "it has no boards to switch", status: 204, url: self.url, job: self.id)
        }
    }

    /// Tells the service that boards misbehave. It answers with what it did, or with what was wrong with the report.
    public func reportIssue(_ issue: String, boards: [IssueReport.Board]) async throws(SpallocError) -> String {
        let body = try SpallocSession.encode(IssueReport(issue: issue, boards: boards))
        let url = self.url(SpallocJobPath.reportIssue)
        let reply = try await self.inJob { () async throws(SpallocError) in
            try await self.session.post(url, body: body, contentType: "application/json")
        }
        let answer: IssueReply = try SpallocSession.decode(reply, of: url)
        return answer.action
    }

    /// Clears every chip's multicast routes and router counters, then sets these diagnostic filters.
    /// - Parameter filters: words by filter number, 0...15.
    public func resetRouting(filters: [Int: UInt32]) async throws(SpallocError) {
        // The reference service reads the words as signed: 0xFFFF_FFFF must be written -1 for it.
        let query = filters.sorted { $0.key < $1.key }.map { (name: "\($0.key)", value: "\(Int32(bitPattern: $0.value))") }
        _ = try await self.inJob { () async throws(SpallocError) in
            try await self.session.delete(
                self.url(SpallocJobPath.router), query: query, timeout: self.session.configuration.createTimeout)
        }
    }

    /// One keepalive. ``whileKeptAlive(_:)`` sends them all by itself.
    func keepAlive(timeout: Duration?) async throws(SpallocError) {
        _ = try await self.inJob { () async throws(SpallocError) in
            try await self.session.put(self.url(SpallocJobPath.keepalive), text: "alive", timeout: timeout)
        }
    }

    // MARK: - Ways

    func url(_ path: String) -> SpallocURL {
        // Components of our own, with nothing in them to encode.
        var url = self.url
        url.addPath(path)
        return url
    }

    func json<Value: Decodable>(_ url: SpallocURL) async throws(SpallocError) -> Value {
        try await self.inJob { () async throws(SpallocError) in try await self.session.json(url) }
    }

    func jsonIfAny<Value: Decodable>(
        _ url: SpallocURL, query: [(name: String, value: String)] = []
    ) async throws(SpallocError) -> Value? {
        try await self.inJob { () async throws(SpallocError) in try await self.session.jsonIfAny(url, query: query) }
    }

    /// Names the job in every error, and says so when it has ended meanwhile.
    func inJob<Value>(_ body: () async throws(SpallocError) -> Value) async throws(SpallocError) -> Value {
        if let lost = self.ending.withLockedValue({ $0.lost }) { throw lost }
        do throws(SpallocError) {
            return try await body()
        } catch {
            throw error.inJob(self.id)
        }
    }
}
