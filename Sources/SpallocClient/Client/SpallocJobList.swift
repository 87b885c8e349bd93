//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI

/// Jobs, newest first. A page is fetched when the one before is used up; whoever stops early fetches no more.
public struct SpallocJobList: AsyncSequence, Sendable {
    public typealias Element = SpallocJob
    public typealias Failure = SpallocError

    let session: SpallocSession
    let includingDestroyed: Bool

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let session: SpallocSession
        private var page: [SpallocJob] = []
        private var next: (url: SpallocURL, query: [(name: String, value: String)])?
        private var seen: Set<SpallocURL> = []

        init(_ list: SpallocJobList) {
            self.session = list.session
            let root = list.session.knownRoot?.jobsRef.flatMap { list.session.serviceURL.following($0) }
            let url = root ?? list.session.rootURL.appending("jobs")
            self.next = (url.asFolder, [("deleted", list.includingDestroyed ? "true" : "false")])
        }

        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SpallocError) -> SpallocJob? {
            if self.page.isEmpty { try await self.fetch() }
            return self.page.popLast()
        }

        private mutating func fetch() async throws(SpallocError) {
            guard let (url, query) = self.next else { return }
            self.next = nil
            let list: JobList = try await self.session.json(url, query: query)
            // A page that leads back to one we had would go on for ever.
            self.seen.insert(url)
            if !list.jobs.isEmpty, let next = list.next.flatMap({ url.following($0) }), !self.seen.contains(next) {
                self.next = (next, [])
            }
            var jobs: [SpallocJob] = []
            for reference in list.jobs { jobs.append(try SpallocJob(reference: reference, session: self.session)) }
            self.page = jobs.reversed()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
