//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Reads the hidden `_csrf` field out of a login page.
///
/// The stock clients want one exact sequence of bytes; here the attributes come in any order, quoted in any way HTML has.
enum LoginForm {
    /// nil: the page has no such field.
    static func csrfToken(in page: String) -> Secret? {
        var rest = page[...]
        while let open = rest.firstIndex(of: "<") {
            rest = rest[rest.index(after: open)...]
            guard rest.prefix(5).lowercased() == "input" else { continue }
            rest = rest.dropFirst(5)
            guard let next = rest.first, next.isWhitespace || next == "/" else { continue }
            let attributes = LoginForm.attributes(from: &rest)
            if attributes["name"] == "_csrf", let value = attributes["value"], !value.isEmpty { return Secret(value) }
        }
        return nil
    }

    /// Attributes up to the tag's `>`; names in lower case; of two alike the first counts, as in a browser.
    private static func attributes(from rest: inout Substring) -> [String: String] {
        var attributes: [String: String] = [:]
        while let character = rest.first {
            if character == ">" {
                rest = rest.dropFirst()
                break
            }
            if character.isWhitespace || character == "/" || character == "=" {
                rest = rest.dropFirst()
                continue
            }
            let name = rest.prefix { !$0.isWhitespace && $0 != "=" && $0 != ">" && $0 != "/" }
            rest = rest.dropFirst(name.count)
            rest = rest.drop { $0.isWhitespace }
            var value: Substring = ""
            if rest.first == "=" {
                rest = rest.dropFirst().drop { $0.isWhitespace }
                if let quote = rest.first, quote == "\"" || quote == "'" {
                    rest = rest.dropFirst()
                    value = rest.prefix { $0 != quote }
                    rest = rest.dropFirst(value.count).dropFirst()
                } else {
                    value = rest.prefix { !$0.isWhitespace && $0 != ">" }
                    rest = rest.dropFirst(value.count)
                }
            }
            if attributes[name.lowercased()] == nil { attributes[name.lowercased()] = LoginForm.unescape(value) }
        }
        return attributes
    }

    /// The character references that can occur in base64 or UUID text that was escaped with care.
    private static func unescape(_ text: Substring) -> String {
        guard text.contains("&") else { return String(text) }
        var result = ""
        var rest = text
        while let mark = rest.firstIndex(of: "&") {
            result += rest[..<mark]
            rest = rest[mark...]
            guard let end = rest.prefix(10).firstIndex(of: ";"), let character = LoginForm.character(rest[..<end].dropFirst())
            else {
                result.append("&")
                rest = rest.dropFirst()
                continue
            }
            result.append(character)
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func character(_ name: Substring) -> Character? {
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.hasPrefix("#") else { return nil }
            let digits = name.dropFirst()
            let code = digits.first == "x" || digits.first == "X" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return code.flatMap { Unicode.Scalar($0) }.map { Character($0) }
        }
    }
}
