//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import HTTPTypes
import HummingbirdTesting
import SpallocServer
import Testing

@Suite(.timeLimit(.minutes(3))) struct IndexTests {
    @Test func whoIsNotLoggedInIsSentToTheForm() async throws {
        try await withService { _, client in
            let reply = try await client.execute(uri: "/spalloc/system/", method: .get)
            #expect(reply.status == .found)
            #expect(reply.headers[.location] == "http://localhost/spalloc/system/login.html")
        }
    }

    /// The reference prints what users wrote without escaping it.
    @Test func whatUsersWroteIsEscaped() async throws {
        let nasty = "<script>alert('x')</script>"
        try await withService(configure: { configuration in
            configuration.users.append(.init(name: nasty, password: "p", trustLevel: .user))
        }) { harness, client in
            let admin = try await Session.logIn(client, as: "root")
            let owner = #"{"owner":"<script>alert('x')</script>","keepalive-interval":60}"#
            _ = try await admin.create(owner)
            let page = try await admin.execute(.get, "/spalloc/system/")
            #expect(page.status == .ok)
            #expect(!page.text.contains("<script>"))
            #expect(page.text.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"))
            #expect(page.headers[.contentSecurityPolicy]?.contains("default-src 'none'") == true)
            #expect(try await harness.store.liveJobs().count == 1)
        }
    }

    @Test func usersSeeTheirOwnJobsOnly() async throws {
        try await withService { _, client in
            let alice = try await Session.logIn(client, as: "alice")
            _ = try await alice.create()
            #expect(try await alice.execute(.get, "/spalloc/system/").text.contains("<td>alice</td>"))
            let bob = try await Session.logIn(client, as: "bob")
            let page = try await bob.execute(.get, "/spalloc/system/").text
            #expect(!page.contains("<td>alice</td>") && page.contains("<td>m1</td>"))
        }
    }
}
