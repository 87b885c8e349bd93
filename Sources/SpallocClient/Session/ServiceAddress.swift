//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a user writes to name a service: `https://user:password@host:port/spalloc/`, taken apart.
///
/// A user name may hold `@` (an e-mail address): the *last* `@` before the path ends the credentials. Errors never repeat
/// the text, since it may hold the password.
public struct SpallocServiceAddress: Sendable {
    /// The service's base, its path ending in `/`.
    public let url: SpallocURL
    /// The user of the URL, if any.
    public let user: String?
    let password: Secret?
    public var hasPassword: Bool { self.password != nil }

    public init(_ text: String) throws(SpallocError) {
        let text = text.trimmingBlanks()
        guard !text.isEmpty else { throw .invalidURL("the service URL is empty") }
        guard let schemeEnd = text.firstRange(of: "://") else {
            throw .invalidURL("the service URL must begin with https:// (or http:// on this machine)")
        }
        guard let scheme = SpallocURL.Scheme(rawValue: text[..<schemeEnd.lowerBound].lowercased()) else {
            throw .invalidURL("the service URL's scheme must be https or http")
        }
        var authority = text[schemeEnd.upperBound...]
        var path: Substring = "/"
        // Query and fragment of a service URL mean nothing: dropped.
        if let end = authority.firstIndex(where: { $0 == "/" || $0 == "?" || $0 == "#" }) {
            path = authority[end...].prefix { $0 != "?" && $0 != "#" }
            authority = authority[..<end]
        }
        guard !path.contains("@") else {
            throw .invalidURL(
                "the service URL has an @ after its first /: write / ? # in a user name or password as %2F %3F %23")
        }
        var user: String?
        var password: Secret?
        if let at = authority.lastIndex(of: "@") {
            let credentials = authority[..<at]
            authority = authority[authority.index(after: at)...]
            let colon = credentials.firstIndex(of: ":")
            guard let name = SpallocURL.decode(credentials[..<(colon ?? credentials.endIndex)]) else {
                throw .invalidURL("the user name in the service URL has a % that is not followed by two hexadecimal digits")
            }
            user = name.isEmpty ? nil : name
            if let colon {
                guard let word = SpallocURL.decode(credentials[credentials.index(after: colon)...]) else {
                    throw .invalidURL("the password in the service URL has a % that is not followed by two hexadecimal digits")
                }
                password = Secret(word)
            }
        }
        let (host, port) = try SpallocServiceAddress.split(authority: authority)
        let encoded = path.isEmpty ? "/" : String(path)
        guard encoded.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalidURL("the path of the service URL has a blank or a letter that must be written as %XX")
        }
        self.url = SpallocURL(scheme: scheme, host: host, port: port, path: encoded).asFolder
        self.user = user
        self.password = password
    }

    private static func split(authority: Substring) throws(SpallocError) -> (host: String, port: Int?) {
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw .invalidURL("the IPv6 address in the service URL lacks its ]")
            }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else {
                throw .invalidURL("the service URL has something between its IPv6 address and its port")
            }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace }) else {
            throw .invalidURL("the service URL has no host")
        }
        guard let portText else { return (host.lowercased(), nil) }
        guard let port = Int(portText), (1...65535).contains(port) else {
            throw .invalidURL("the port in the service URL must be a number from 1 to 65535")
        }
        return (host.lowercased(), port)
    }

    /// Whether a `spalloc_server` setting names a service of this kind (a URL) or a classic host name.
    public static func isServiceURL(_ text: String, alsoSchemes extra: Set<String> = []) -> Bool {
        guard let schemeEnd = text.firstRange(of: "://") else { return false }
        let scheme = text[..<schemeEnd.lowerBound].lowercased()
        return SpallocURL.Scheme(rawValue: scheme) != nil || extra.contains(scheme)
    }
}

extension String {
    func trimmingBlanks() -> String {
        guard let first = self.firstIndex(where: { !$0.isWhitespace }), let last = self.lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }

    func firstRange(of text: String) -> Range<String.Index>? {
        var start = self.startIndex
        while start < self.endIndex {
            if self[start...].hasPrefix(text) { return start..<self.index(start, offsetBy: text.count) }
            start = self.index(after: start)
        }
        return nil
    }
}
