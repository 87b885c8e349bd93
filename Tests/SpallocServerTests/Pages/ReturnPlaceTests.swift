//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

@testable import SpallocServer

@Suite(.timeLimit(.minutes(3))) struct ReturnPlaceTests {
    @Test(arguments: ["list_jobs", "job_info/12", "admin/boards?machine=m1&where=0%2C0%2C1", "machine_info/SpiNN%20Aker"])
    func pages(path: String) {
        #expect(ReturnPlace(path)?.path == path)
    }

    @Test(arguments: [
        "", "//evil.example", "/evil", "https://evil.example", "a//b", "../srv/spalloc", "x\\y", "a b", "x\r\nSet-Cookie:a",
        "é", "perform_logout", "login.html", "events/jobs", "\"><b>",
    ])
    func everythingElse(path: String) {
        #expect(ReturnPlace(path) == nil)
    }

    @Test func thereIsAnEnd() {
        #expect(
            ReturnPlace(String(repeating: "a", count: 512)) != nil && ReturnPlace(String(repeating: "a", count: 513)) == nil)
    }

    /// Logs in by a form that says where to go, as a browser would, or as somebody who has changed the form.
    private func logIn(_ client: any TestClientProtocol, form uri: String, to forged: String? = nil) async throws -> String? {
        let form = try await client.execute(uri: "/spalloc/system/" + uri, method: .get)
        // The stock clients still find what they look for.
        let token = try #require(form.text.firstMatch(of: /<input type="hidden" name="_csrf" value="(.*)" \/>/)).1
        let place = form.text.firstMatch(of: /name="to" value="([^"]*)"/).map { String($0.1) }
        let to = forged ?? place?.replacing("&amp;", with: "&")
        let reply = try await client.execute(
            uri: "/spalloc/system/perform_login", method: .post,
            headers: [.cookie: "JSESSIONID=\(try #require(form.sessionCookie))"],
            body: ByteBuffer(
                string: "_csrf=\(token)&username=alice&password=alice%27s+secret" + (to.map { "&to=\(Links.escape($0))" } ?? "")
            ))
        #expect(reply.status == .found)
        return reply.headers[.location]
    }

    @Test func aLoginLeadsToThePageThatWasAskedFor() async throws {
        try await withService { _, client in
            let asked = try await client.execute(uri: "/spalloc/system/job_info/7?x=1&y=2", method: .get)
            #expect(asked.headers[.location] == "http://localhost/spalloc/system/login.html?to=job_info%2F7%3Fx%3D1%26y%3D2")
            let location = try await self.logIn(client, form: "login.html?to=job_info%2F7%3Fx%3D1%26y%3D2")
            #expect(location == "http://localhost/spalloc/system/job_info/7?x=1&y=2")
            #expect(try await self.logIn(client, form: "login.html") == "http://localhost/spalloc/system/")
        }
    }

    @Test(arguments: ["//evil.example/", "https://evil.example/", "/\\evil.example", "@evil.example"])
    func aLoginLeadsNowhereElse(place: String) async throws {
        try await withService { _, client in
            let first = "http://localhost/spalloc/system/"
            let asked = try await self.logIn(client, form: "login.html?to=" + Links.escape(place))
            let forged = try await self.logIn(client, form: "login.html", to: place)
            #expect(asked == first && forged == first)
        }
    }
}
