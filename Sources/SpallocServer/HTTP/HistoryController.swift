//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import NIOCore
import SpallocAPI

/// `history/?from=&to=&owner=&machine=&limit=&start=`: jobs that have ended, the latest first. As JSON, as a line of JSON for each job
/// (`application/x-ndjson`), or as CSV (`text/csv`), as the client accepts it. Administrators see all, others their own.
struct HistoryController: Sendable {
    let core: ServiceCore
    let tls: Bool

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("history", use: self.list)
    }

    struct Entry: Encodable {
        var id: Int
        var owner: String
        var group: String?
        var machine: String?
        var boards: Int
        var created: WireInstant
        var allocated: WireInstant?
        var finished: WireInstant
        var reason: String?

        init(_ job: EndedJob) {
            self.id = job.id
            self.owner = job.owner
            self.group = job.group
            self.machine = job.machine
            self.boards = job.boards
            self.created = job.created.wire
            self.allocated = job.allocated?.wire
            self.finished = job.finished.wire
            self.reason = job.reason
        }
    }

    private struct Page: Encodable {
        var jobs: [Entry]
        var next: String?
    }

    private func instant(_ query: Query, _ name: String) throws(APIError) -> Timestamp? {
        guard let text = query.text(name), !text.isEmpty else { return nil }
        if let instant = WireInstant(text) { return Timestamp(milliseconds: instant.secondsSince1970 &* 1000) }
        // A day by itself is its beginning.
        guard let instant = WireInstant("\(text)T00:00:00Z") else {
            throw .badRequest("\(name) is \"\(text)\", which is no moment like 2026-01-31T12:00:00Z, nor a day")
        }
        return Timestamp(milliseconds: instant.secondsSince1970 &* 1000)
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayHaveJobs)
        let query = Query(request)
        let limit = try query.number(SpallocHTTP.limit, in: 1...10_000, default: 1000)
        let start = try query.number(SpallocHTTP.start, in: 0...Int(Int32.max), default: 0)
        let (from, to) = (try self.instant(query, "from"), try self.instant(query, "to"))
        var owner = query.text("owner")
        if !caller.user.trustLevel.administers {
            guard owner == nil || owner == caller.user.name else { throw APIError.forbidden }
            owner = caller.user.name
        }
        let jobs = try await self.core.store.history(
            HistoryFilter(from: from, before: to, owner: owner, machine: query.text("machine")), limit: limit, start: start)

        var next: String?
        if jobs.count == limit {
            let links = Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
            var pairs = query.pairs.filter { $0.name != SpallocHTTP.start && $0.name != SpallocHTTP.limit }
            pairs += [(SpallocHTTP.limit, "\(limit)"), (SpallocHTTP.start, "\(start + limit)")]
            let text = pairs.map { "\($0.name)=\(Links.escape($0.value))" }.joined(separator: "&")
            next = links.url("\(SpallocPath.serviceRoot)history?\(text)")
        }
        var headers = HTTPFields()
        if let next { headers[.link] = "<\(next)>; rel=\"next\"" }
        let accept = request.headers[.accept]?.lowercased() ?? ""
        if accept.contains("text/csv") {
            headers[.contentType] = "text/csv; charset=utf-8; header=present"
            return Response(
                status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: HistoryText.csv(jobs))))
        }
        if accept.contains("ndjson") {
            headers[.contentType] = "application/x-ndjson"
            return Response(
                status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: try HistoryText.lines(jobs))))
        }
        return try .json(Page(jobs: jobs.map(Entry.init), next: next), headers: headers)
    }
}
