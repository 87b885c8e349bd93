//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// The list of jobs, and new ones.
struct JobCollectionController: Sendable {
    let core: ServiceCore
    let tls: Bool
    let seen: SeenRevisions

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("jobs", use: self.list)
        router.post("jobs", use: self.create)
    }

    @Sendable
    private func list(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayRead)
        let query = Query(request)
        let limit = try query.number(SpallocHTTP.limit, in: 1...200, default: 100)
        let start = try query.number(SpallocHTTP.start, in: 0...Int(Int32.max), default: 0)
        let deleted = query.flag(SpallocHTTP.deleted)
        let known = self.core.changes.current(.jobs)
        var ids = try await self.core.store.jobIDs(includingDestroyed: deleted, limit: limit, start: start)
        if query.flag(SpallocHTTP.wait), !ids.isEmpty {
            // Any change of a job on the page, and any new or ended job: the reference misses the new ones.
            var topics: [(topic: JobChanges.Topic, known: Int64)] = [(.jobs, known)]
            for id in ids { topics.append((.job(id), self.core.changes.current(.job(id)))) }
            await self.core.next(topics, for: caller)
            ids = try await self.core.store.jobIDs(includingDestroyed: deleted, limit: limit, start: start)
        }
        let links = Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
        var page = JobList(jobs: ids.map(links.job(_:)))
        func at(_ start: Int) -> String {
            links.url("\(SpallocPath.jobs)?wait=false&deleted=\(deleted)&limit=\(limit)&start=\(start)")
        }
        if start > 0 { page.prev = at(max(0, start - limit)) }
        if ids.count == limit { page.next = at(start + limit) }
        var headers = HTTPFields()
        let relations = [page.prev.map { "<\($0)>; rel=\"prev\"" }, page.next.map { "<\($0)>; rel=\"next\"" }].compactMap { $0 }
        if !relations.isEmpty { headers[.link] = relations.joined(separator: ", ") }
        return try .json(page, headers: headers)
    }

    @Sendable
    private func create(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        try caller.require(caller.user.trustLevel.mayHaveJobs)
        let wanted = try await request.decodeJSON(CreateJobRequest.self)
        let id = try await JobService(core: self.core).create(wanted, caller: caller, host: context.remoteAddress)
        // Who creates a job knows it as queued: a first wait returns at once if it is more by then.
        self.seen.saw(1, of: id, by: caller.sessionKey, over: false)
        let links = Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
        return try .json(
            CreateJobReply(jobID: id, jobRef: links.job(id)), status: .created, headers: [.location: links.job(id)])
    }
}

extension HTTPField.Name {
    static var link: HTTPField.Name { HTTPField.Name("Link") ?? .location }
}
