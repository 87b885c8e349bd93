//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Mustache

/// How values become text of a page: scalar by scalar. A quote that a combining mark follows is one character with it, but to a
/// browser it is a quote, which ends an attribute. (The engine's own escaping goes by character and lets it through.)
struct HTMLEscaping: MustacheContentType {
    private static let name = "SPALLOC_PAGE"
    /// What a template begins with to have its values escaped so.
    static let pragma = "{{% CONTENT_TYPE:\(name)}}"

    /// Before the first template with the pragma is read.
    static func register() { MustacheContentTypes.register(HTMLEscaping(), named: self.name) }

    func escapeText(_ text: String) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped.append(contentsOf: "&amp;".unicodeScalars)
            case "<": escaped.append(contentsOf: "&lt;".unicodeScalars)
            case ">": escaped.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": escaped.append(contentsOf: "&quot;".unicodeScalars)
            case "'": escaped.append(contentsOf: "&#39;".unicodeScalars)
            default: escaped.append(scalar)
            }
        }
        return String(escaped)
    }
}
