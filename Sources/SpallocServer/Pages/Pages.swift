//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import NIOCore
import SpallocAPI

/// What all pages share: who looks, the frame around them, and the headers that keep a browser from doing what no page asks for.
struct Pages: Sendable {
    let core: ServiceCore
    let sessions: Sessions
    let logins: Logins
    let tls: Bool
    let templates: PageTemplates

    /// Nothing but the service's own style, script and addresses; no inline script or style, no frames.
    static let policy =
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        + "frame-ancestors 'none'; base-uri 'none'"

    /// Who looks at a page.
    struct Viewer: Sendable {
        var name: String
        var reads: Bool
        var hasJobs: Bool
        var administers: Bool

        init(_ user: UserRecord) {
            self.name = user.name
            self.reads = user.trustLevel.mayRead
            self.hasJobs = user.trustLevel.mayHaveJobs
            self.administers = user.trustLevel.administers
        }
    }

    private struct Model {
        var title: String
        var base: String
        var version: String
        var viewer: Viewer?
        var csrf: String?
        /// What the page's script waits for, after `system/events/`.
        var live: String?
        var notice: String?
        var content: Any
    }

    func links(_ request: Request) -> Links {
        Links(request, listensWithTLS: self.tls, basePath: self.core.configuration.basePath)
    }

    /// - Parameter content: the template's values: structures, whose properties it names.
    func response(
        _ page: PageTemplates.Page, _ title: String, _ content: Any, for caller: Caller?, live: String? = nil,
        notice: String? = nil, status: HTTPResponse.Status = .ok
    ) -> Response {
        let model = Model(
            title: title, base: self.core.configuration.basePath, version: self.templates.version,
            viewer: caller.map { Viewer($0.user) }, csrf: caller?.csrf, live: live, notice: notice, content: content)
        return Pages.html(self.templates.render(page, model), status: status)
    }

    static func html(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        var response = Response.text(text, status: status, type: "text/html; charset=UTF-8")
        response.headers[.contentSecurityPolicy] = Pages.policy
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "same-origin" }
        if let name = HTTPField.Name("X-Frame-Options") { response.headers[name] = "DENY" }
        return response
    }

    /// After a form: the browser gets a page, and reloading that sends nothing again.
    func redirect(_ request: Request, to path: String, status: HTTPResponse.Status = .seeOther) -> Response {
        Response(status: status, headers: [.location: self.links(request).url(path)])
    }

    func error(_ error: APIError, for caller: Caller?) -> Response {
        struct Content { var message: String }
        let title =
            switch error.status {
            case .forbidden: "Not allowed"
            case .notFound, .gone: "Not found"
            default: error.status.reasonPhrase.isEmpty ? "Error" : error.status.reasonPhrase
            }
        return self.response(
            .error, title, Content(message: error.message.isEmpty ? "There is nothing here." : error.message), for: caller,
            status: error.status == .noContent ? .notFound : error.status)
    }
}

/// In front of all pages: finds out who asks, sends those who are nobody to the login form, and lets a form in only with its session's
/// token. What goes wrong is told as a page.
struct PageGate: RouterMiddleware {
    typealias Context = SpallocRequestContext

    let pages: Pages
    /// A machine's definition is the longest form.
    private static let maximumForm = 4 << 20

    // The protocol is of a module where an async function leaves its caller's executor.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        do {
            let authenticator = Authenticator(sessions: self.pages.sessions, logins: self.pages.logins)
            guard let caller = try await authenticator.caller(of: request) else {
                guard request.method == .get || request.method == .head else {
                    throw APIError(.unauthorized, "please log in")
                }
                let place = ReturnPlace(of: request, base: self.pages.core.configuration.basePath)
                let login = place.map { "\(SpallocPath.login)?to=\(Links.escape($0.path))" } ?? SpallocPath.login
                return self.pages.redirect(request, to: login, status: .found)
            }
            context.caller = caller
            if request.method != .get, request.method != .head {
                let body = try await request.body.collect(upTo: PageGate.maximumForm)
                let form = FormFields(String(buffer: body))
                guard let token = caller.csrf, form[SpallocHTTP.csrfField] == token else {
                    throw APIError(.forbidden, "the form is too old: reload the page and try again")
                }
                context.form = form
            }
            return try await next(request, context)
        } catch let error as APIError {
            return self.pages.error(error, for: context.caller)
        } catch let error as BadRequest {
            return self.pages.error(.badRequest(error.reason), for: context.caller)
        } catch let error as HTTPError where error.status == .contentTooLarge {
            return self.pages.error(APIError(.contentTooLarge, "the form is too long"), for: context.caller)
        }
    }
}

extension HTTPField.Name {
    static var xContentTypeOptions: HTTPField.Name { HTTPField.Name("X-Content-Type-Options") ?? .contentType }
}

/// Style, script and icon: for everybody, and for good, as a change changes their address.
struct ResourceController: Sendable {
    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/resources/:name", use: self.read)
    }

    @Sendable
    private func read(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        guard let resource = PageTemplates.resources[try context.component("name")] else {
            throw APIError.notFound("nothing here")
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: resource.type, .cacheControl: "public, max-age=31536000, immutable",
                .xContentTypeOptions: "nosniff",
            ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: resource.bytes)))
    }
}
