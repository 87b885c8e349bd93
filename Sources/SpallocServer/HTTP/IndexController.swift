//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import SpallocAPI

/// The page that a login leads to: machines, and the jobs that the user may see. No script; every value is escaped.
struct IndexController: Sendable {
    let core: ServiceCore
    let sessions: Sessions
    let logins: Logins
    let tls: Bool

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("", use: self.toIndex)
        router.get("system", use: self.index)
    }

    private func links(_ request: Request) -> Links {
        Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
    }

    @Sendable
    private func toIndex(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        Response(status: .found, headers: [.location: self.links(request).url(SpallocPath.webRoot)])
    }

    @Sendable
    private func index(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        guard let caller = try await Authenticator(sessions: self.sessions, logins: self.logins).caller(of: request) else {
            return Response(status: .found, headers: [.location: self.links(request).url(SpallocPath.login)])
        }
        var body = "<h1>Spalloc</h1>\n<p>Logged in as \(HTML.escape(caller.user.name)).</p>\n"
        if caller.user.trustLevel.mayRead {
            body +=
                "<h2>Machines</h2>\n<table><tr><th>Name</th><th>Boards</th><th>In use</th><th>Out of service</th><th>Tags</th></tr>\n"
            for machine in self.core.store.catalogue.machines where machine.inService || caller.user.trustLevel.administers {
                let boards = try await self.core.store.boardStatus(machine: machine.id)
                body += HTML.row([
                    machine.name, "\(boards.count)", "\(boards.count { $0.job != nil })", "\(boards.count { !$0.functioning })",
                    machine.tags.joined(separator: ", "),
                ])
            }
            body += "</table>\n"
        }
        if caller.user.trustLevel.mayHaveJobs {
            let jobs = JobService(core: self.core)
            body += "<h2>Jobs</h2>\n<table><tr><th>Job</th><th>State</th><th>Owner</th><th>Since</th><th>Kept alive</th></tr>\n"
            for job in try await self.core.store.liveJobs() where jobs.isVisible(job, to: caller.user) {
                body += HTML.row([
                    "\(job.id)", job.state.rawValue, job.owner, job.createdAt.wire.description,
                    job.keepaliveAt.wire.description,
                ])
            }
            body += "</table>\n"
        }
        var response = Response.text(HTML.page("Spalloc", body), type: "text/html; charset=UTF-8")
        response.headers[.contentSecurityPolicy] = LoginPage.policy
        response.headers[.cacheControl] = "no-store"
        return response
    }
}

enum HTML {
    static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }

    static func row(_ cells: [String]) -> String {
        "<tr>" + cells.map { "<td>\(HTML.escape($0))</td>" }.joined() + "</tr>\n"
    }

    static func page(_ title: String, _ body: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(HTML.escape(title))</title>
        <style>
        body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
        table { border-collapse: collapse; }
        th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #ccc; }
        </style>
        </head>
        <body>
        \(body)</body>
        </html>

        """
    }
}
