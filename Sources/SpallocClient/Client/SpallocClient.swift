//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A Spalloc service, logged in. ``withSpallocClient(url:credentials:configuration:logger:_:)`` makes one.
///
/// Listing jobs, or naming one, keeps none of them alive; ``withJob(_:_:)`` and ``SpallocJob/whileKeptAlive(_:)`` do.
public struct SpallocClient: Sendable {
    public let session: SpallocSession

    public var serviceURL: SpallocURL { self.session.serviceURL }

    // MARK: - The service

    /// The service's version.
    public func version() async throws(SpallocError) -> ServiceDescription.Version { try await self.description().version }

    /// The machines that are in service, by name.
    public func machines() async throws(SpallocError) -> [SpallocMachine] {
        let list: MachineList = try await self.session.json(self.machinesURL().asFolder)
        return list.machines.map { SpallocMachine(brief: $0, session: self.session) }
    }

    /// - Throws: ``SpallocError/Code/notFound`` when no machine in service has this name.
    public func machine(_ name: String) async throws(SpallocError) -> SpallocMachine {
        let machines = try await self.machines()
        guard let machine = machines.first(where: { $0.name == name }) else {
            let names = machines.map(\.name).joined(separator: ", ")
            throw SpallocError(
                .notFound, "there is no machine \"\(name)\"; there \(machines.count == 1 ? "is" : "are"): \(names)")
        }
        return machine
    }

    // MARK: - Jobs

    /// All users' jobs, newest first, fetched page by page as they are asked for.
    /// - Parameter destroyed: those too that are over, as far as the service still lists them.
    public func jobs(includingDestroyed destroyed: Bool = false) -> SpallocJobList {
        SpallocJobList(session: self.session, includingDestroyed: destroyed)
    }

    /// A job by its number. Not looked up: whether it is there, and this user's, shows in its first answer.
    public func job(_ id: Int) -> SpallocJob {
        SpallocJob(id: id, url: self.jobsURL().appending(String(id)).asFolder, session: self.session)
    }

    /// A job by its address, as a notification database names it.
    public func job(at address: String) throws(SpallocError) -> SpallocJob {
        try SpallocJob(reference: address, session: self.session)
    }

    /// Creates a job that nobody keeps alive yet: it lasts one keepalive interval. ``withJob(_:_:)`` is the safer way.
    public func createJob(_ request: SpallocJobRequest) async throws(SpallocError) -> SpallocJob {
        let keepalive = request.keepaliveInterval ?? self.session.configuration.keepaliveInterval
        try request.validate(keepalive: keepalive)
        let body = try SpallocSession.encode(JobRequestBody(request: request, keepalive: keepalive))
        let reply: SpallocReply
        do throws(SpallocError) {
            reply = try await self.session.post(
                self.jobsURL().asFolder, body: body, contentType: "application/json",
                timeout: self.session.configuration.createTimeout)
        } catch {
            throw SpallocClient.explain(error, of: request)
        }
        let location = reply.header("location") ?? (try? JSONDecoder().decode(CreateJobReply.self, from: reply.data))?.jobRef
        guard let location else {
            throw SpallocError(
                .unexpectedResponse, "the service created a job but does not say where it is", status: reply.status)
        }
        return try SpallocJob(reference: location, session: self.session, keepaliveInterval: keepalive)
    }

    private static func explain(_ error: SpallocError, of request: SpallocJobRequest) -> SpallocError {
        var error = error
        guard error.code == .requestRefused || error.code == .notFound else { return error }
        if request.size.namesBoard { error.code = .boardUnavailable }
        error.message = "the service will not make a job of \(request.size)"
        return error
    }

    /// Creates a job, keeps it alive while `body` runs, and destroys it afterwards, whatever happens: the reason it gets is
    /// the error `body` threw, if it threw one. Cancellation does not skip that.
    public func withJob<Result>(
        _ request: SpallocJobRequest, _ body: (SpallocJob) async throws -> Result
    ) async throws -> Result {
        // Not cancelled with us: a job that was created without our hearing its number could not be destroyed.
        let job = try await Task { try await self.createJob(request) }.value
        return try await job.destroyedAfterwards {
            guard !Task.isCancelled else { throw SpallocError(.cancelled, "cancelled while it was created", job: job.id) }
            return try await job.whileKeptAlive { try await body(job) }
        }
    }

    // MARK: - Addresses

    private func description() async throws(SpallocError) -> ServiceDescription {
        if let root = try await self.session.login(after: nil).root { return root }
        // A restored session has not read it yet.
        return try await self.session.json(self.session.rootURL)
    }

    private func jobsURL() -> SpallocURL {
        let ref = self.session.knownRoot?.jobsRef
        return ref.flatMap { self.session.serviceURL.following($0) } ?? self.session.rootURL.appending("jobs")
    }

    private func machinesURL() -> SpallocURL {
        let ref = self.session.knownRoot?.machinesRef
        return ref.flatMap { self.session.serviceURL.following($0) } ?? self.session.rootURL.appending("machines")
    }
}
