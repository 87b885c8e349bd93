//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct URLTests {
    @Test func credentialsAreTakenOutOfTheURL() throws {
        let address = try SpallocServiceAddress("https://user:pw@host:1234/p")
        #expect(address.url.string == "https://host:1234/p/")
        #expect(address.user == "user")
        #expect(address.password?.text == "pw")
    }

    @Test func aUserNameMayBeAnEMailAddress() throws {
        let address = try SpallocServiceAddress("https://me@example.org:p%40ss%2Fw@spinnaker.example/spalloc")
        #expect(address.user == "me@example.org")
        #expect(address.password?.text == "p@ss/w")
        #expect(address.url.host == "spinnaker.example")
    }

    @Test(arguments: [
        ("https://h", "https://h/"), ("https://H.Example/a/?q=1#f", "https://h.example/a/"),
        ("HTTP://[::1]:80/x", "http://[::1]:80/x/"),
        (" https://h:8080/a/b ", "https://h:8080/a/b/"),
    ])
    func theBaseEndsInASlash(text: String, url: String) throws {
        #expect(try SpallocServiceAddress(text).url.string == url)
    }

    @Test(arguments: [
        "", "host.example", "ftp://h/", "https://", "https://h:99999/", "https://h:secretport/", "https://u:top/secret@h/",
        "https://u:%zz@h/", "https://[::1/", "https://h/a b",
    ])
    func aBadURLIsAnErrorThatTellsNothingSecret(text: String) throws {
        let error = try #require(throws: SpallocError.self) { try SpallocServiceAddress(text) }
        #expect(error.code == .invalidURL)
        #expect(!"\(error)".contains("secret"))
    }

    @Test func referencesChangeThePathOnly() throws {
        let base = try SpallocServiceAddress("http://127.0.0.1:8080/spalloc/").url
        #expect(base.following("https://evil.example/a/b?c=d")?.string == "http://127.0.0.1:8080/a/b?c=d")
        #expect(base.following("wss://h/spalloc/proxy/42")?.string == "http://127.0.0.1:8080/spalloc/proxy/42")
        #expect(base.following("/x/y")?.string == "http://127.0.0.1:8080/x/y")
        #expect(base.following("jobs?start=100")?.string == "http://127.0.0.1:8080/spalloc/jobs?start=100")
        #expect(base.following("https://h")?.string == "http://127.0.0.1:8080/")
        #expect(base.following("") == nil)
        #expect(base.following("a\r\nb") == nil)
    }

    @Test func partsAndQueriesAreEncoded() throws {
        let base = try SpallocServiceAddress("https://h/a").url
        #expect(base.appending("machines", "my machine/1").string == "https://h/a/machines/my%20machine%2F1")
        #expect(base.withQuery([("reason", "a&b=c +"), ("x", "ü")]).string == "https://h/a/?reason=a%26b%3Dc%20%2B&x=%C3%BC")
    }

    @Test(arguments: [
        ("localhost", true), ("127.3.4.5", true), ("[::1]", true), ("10.0.0.1", false), ("127.example.org", false),
    ])
    func loopbackIsKnown(host: String, isLoopback: Bool) throws {
        #expect(try SpallocServiceAddress("http://\(host)/").url.isLoopback == isLoopback)
    }

    @Test func secretsAreNotPrinted() throws {
        let credentials = SpallocCredentials.password(user: "alice", "hunter2")
        let session = SpallocStoredSession(cookies: ["JSESSIONID": "hunter2"], headers: ["X-CSRF-TOKEN": "hunter2"])
        var dumped = ""
        dump(credentials, to: &dumped)
        dump(session, to: &dumped)
        dump(SpallocCredentials.token("hunter2"), to: &dumped)
        dump(try SpallocServiceAddress("https://alice:hunter2@h/"), to: &dumped)
        dumped += "\(credentials) \(session) \(String(reflecting: session)) \(String(reflecting: credentials))"
        #expect(!dumped.contains("hunter2"))
        #expect("\(credentials)" == "user alice")
    }

    @Test func theEnvironmentIsReadInOrder() {
        func describe(_ environment: [String: String]) -> String? {
            SpallocCredentials.fromEnvironment(environment).map { "\($0)" }
        }
        #expect(describe([:]) == nil)
        #expect(describe(["SPALLOC_USER": "u"]) == nil)
        #expect(describe(["SPALLOC_USER": "u", "SPALLOC_PASSWORD": "p", "OIDC_BEARER_TOKEN": "t"]) == "user u")
        #expect(describe(["OIDC_BEARER_TOKEN": "t"]) == "a bearer token")
        #expect(describe(["OIDC_BEARER_TOKEN": ""]) == nil)
        let jupyter = [
            "JUPYTERHUB_API_TOKEN": "a", "JUPYTERHUB_SERVICE_HOST": "hub", "JUPYTERHUB_SERVICE_PORT": "8081",
            "OIDC_BEARER_TOKEN": "t",
        ]
        // The hub's service before the fixed token: it gives fresh ones.
        #expect(SpallocCredentials.fromEnvironment(jupyter)?.provider is JupyterTokenProvider)
        #expect(SpallocCredentials.fromEnvironment(jupyter.filter { $0.key != "JUPYTERHUB_API_TOKEN" })?.provider is FixedToken)
        let badPort = jupyter.merging(["JUPYTERHUB_SERVICE_PORT": "http"]) { _, new in new }
        #expect(SpallocCredentials.fromEnvironment(badPort)?.provider is FixedToken)
    }
}

extension SpallocCredentials {
    /// Where its tokens come from.
    fileprivate var provider: (any SpallocTokenProvider)? {
        if case .token(let provider) = self.kind { return provider }
        return nil
    }
}
