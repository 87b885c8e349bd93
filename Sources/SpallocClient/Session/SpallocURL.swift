//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A place on a Spalloc service: scheme, host, port, path, query. Never a user or a password.
///
/// The service's own references (`jobs-ref`, `Location`, `proxy-ref`) are followed by path only, see ``following(_:)``.
public struct SpallocURL: Hashable, Sendable, CustomStringConvertible {
    public enum Scheme: String, Sendable {
        case http
        case https
    }

    public let scheme: Scheme
    /// In lower case; an IPv6 address without its brackets.
    public let host: String
    /// nil: the scheme's own.
    public let port: Int?
    /// Percent-encoded, begins with `/`.
    public private(set) var path: String
    /// Percent-encoded, without the `?`.
    public private(set) var query: String?

    init(scheme: Scheme, host: String, port: Int?, path: String, query: String? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.query = query
    }

    /// What a request needs.
    public var string: String {
        guard let query, !query.isEmpty else { return self.description }
        return "\(self.description)?\(query)"
    }

    /// Without the query, which can be long.
    public var description: String { "\(self.origin)\(self.path)" }

    /// `https://host:port`.
    public var origin: String {
        let host = self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]" : self.host
        return "\(self.scheme.rawValue)://\(host)\(self.port.map { ":\($0)" } ?? "")"
    }

    /// The port that is dialled.
    public var effectivePort: Int { self.port ?? (self.scheme == .https ? 443 : 80) }

    /// Whether what is sent there stays on this machine, so that plain http gives no secret away.
    public var isLoopback: Bool {
        if self.host == "localhost" || self.host == "::1" { return true }
        let octets = self.host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil }
    }
}

extension SpallocURL {
    /// With `/` at the end of its path, so that components can be added.
    var asFolder: SpallocURL {
        var url = self
        url.query = nil
        if !url.path.hasSuffix("/") { url.path += "/" }
        return url
    }

    /// A resource below this one: `components` are encoded, joined by single slashes.
    func appending(_ components: String...) -> SpallocURL {
        var url = self.asFolder
        url.path += components.map(SpallocURL.encode).joined(separator: "/")
        return url
    }

    /// Adds a path as it is: one of ours, with nothing in it to encode.
    mutating func addPath(_ path: String) {
        self = self.asFolder
        self.path += path
    }

    func withQuery(_ items: [(name: String, value: String)]) -> SpallocURL {
        var url = self
        url.query =
            items.isEmpty
            ? nil : items.map { "\(SpallocURL.encode($0.name))=\(SpallocURL.encode($0.value))" }.joined(separator: "&")
        return url
    }

    /// Where a reference given by the service leads.
    ///
    /// Only its path and query count; scheme, host and port stay the ones the user configured. A service behind a reverse
    /// proxy often knows itself by another scheme or host (`http://internal:8080/…`, always `wss:`), and a reference must
    /// never make us send the session's secrets elsewhere. nil: not a reference.
    public func following(_ reference: String) -> SpallocURL? {
        guard !reference.isEmpty, reference.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var rest = reference[...]
        if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
        var query: String?
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        if let range = SpallocURL.authorityRange(in: rest) {
            rest = rest[range.upperBound...]
            if rest.isEmpty { rest = "/" }
        }
        var url = self
        url.query = query
        if rest.hasPrefix("/") {
            url.path = String(rest)
        } else if !rest.isEmpty {
            // Relative: replaces what follows the last slash of our own path.
            let folder = self.path.lastIndex(of: "/").map { self.path[...$0] } ?? "/"
            url.path = String(folder) + String(rest)
        }
        return url
    }

    /// The range of `scheme://authority` at the beginning.
    private static func authorityRange(in text: Substring) -> Range<Substring.Index>? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
            text[..<colon].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+" || $0 == "-" || $0 == ".") })
        else { return nil }
        let authority = text.index(colon, offsetBy: 3)
        let end = text[authority...].firstIndex(of: "/") ?? text.endIndex
        return text.startIndex..<end
    }

    /// Everything but the unreserved characters of RFC 3986 becomes `%XX`; right for a path component and in a form alike.
    static func encode(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = Array("0123456789ABCDEF".unicodeScalars)
                result.unicodeScalars.append("%")
                result.unicodeScalars.append(digits[Int(byte >> 4)])
                result.unicodeScalars.append(digits[Int(byte & 15)])
            }
        }
        return result
    }

    /// Undoes `%XX`; nil when that is malformed.
    static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var digits = text.utf8.makeIterator()
        while let byte = digits.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = digits.next().flatMap(hexDigit), let low = digits.next().flatMap(hexDigit) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
