//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// The service description.
struct RootController: Sendable {
    let core: ServiceCore
    let sessions: Sessions
    let logins: Logins
    let tls: Bool

    /// The version of the interface, not of this program: the reference's, as stock clients know it.
    static let version = ServiceDescription.Version(majorVersion: 7, minorVersion: 4, revision: 2)

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("", use: self.describe)
    }

    @Sendable
    private func describe(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        var caller = try context.requireCaller()
        let links = Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
        var headers = HTTPFields()
        if caller.csrf == nil {
            // Who comes with a password or token only gets a session here, since writes need its token.
            let session = try await self.sessions.logIn(caller.user, expiry: self.logins.sessionExpiry(caller))
            caller.csrf = session.csrf
            headers[.setCookie] = sessionCookieHeader(
                session.cookie, path: self.core.configuration.basePath, secure: links.scheme == "https")
        }
        let reads = caller.user.trustLevel.mayRead
        return try .json(
            ServiceDescription(
                version: RootController.version, jobsRef: reads ? links.url(SpallocPath.jobs) : nil,
                machinesRef: reads ? links.url(SpallocPath.machines) : nil, csrfHeader: SpallocHTTP.csrfHeader,
                csrfToken: caller.csrf), headers: headers)
    }
}
