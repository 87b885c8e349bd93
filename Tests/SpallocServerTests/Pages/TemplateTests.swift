//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import SpallocServer

@Suite struct TemplateTests {
    @Test func everyTemplateCanBeReadAndIsEscaped() throws {
        _ = try PageTemplates()
        for (name, source) in PageTemplates.sources {
            let text = String(decoding: source, as: UTF8.self)
            // Three braces, or an ampersand, would print a value as it is.
            #expect(!text.contains("{{{") && !text.contains("{{&"), "\(name)")
            #expect(!text.contains("<script>") && !text.contains("<style"), "\(name)")
        }
        for page in PageTemplates.Page.allCases { #expect(PageTemplates.sources[page.rawValue] != nil) }
    }

    @Test func everyPostFormHasItsToken() {
        for (name, source) in PageTemplates.sources {
            let forms = String(decoding: source, as: UTF8.self).split(separator: "<form ").dropFirst()
            for form in forms where form.contains("method=\"post\"") {
                let body = form.split(separator: "</form>")[0]
                #expect(body.contains("name=\"_csrf\" value=\"{{csrf}}\""), "\(name): \(form.prefix(60))")
            }
        }
    }

    /// Each field that is not hidden has a label.
    @Test func everyFieldHasALabel() {
        for (name, source) in PageTemplates.sources {
            let text = String(decoding: source, as: UTF8.self)
            for match in text.matches(of: /<(?:input|select|textarea) (?!type="hidden")(.*?)>/) {
                guard let id = match.1.firstMatch(of: /id="(.*?)"/) else {
                    Issue.record("\(name): a field without id: \(match.0)")
                    continue
                }
                #expect(text.contains("<label for=\"\(id.1)\""), "\(name): \(id.1)")
            }
        }
    }

    /// On a phone a table is a list, and each value says what it is: as the column's head does.
    @Test func everyValueOfATableHasItsColumnsName() {
        var values = 0
        for (name, source) in PageTemplates.sources {
            for table in String(decoding: source, as: UTF8.self).split(separator: "<table>").dropFirst() {
                guard let head = table.firstMatch(of: /<thead>(.*?)<\/thead>/), let body = table.firstRange(of: "<tbody>")
                else {
                    Issue.record("\(name): a table without head or body")
                    continue
                }
                let columns = head.1.matches(of: /<th scope="col"[^>]*>(.*?)<\/th>/).map { String($0.1) }
                let cells = table[body.upperBound...].split(separator: "</tbody>")[0]
                    .matches(of: /<(td|th)( [^>]*)?>/)
                #expect(cells.count == columns.count, "\(name)")
                for (cell, column) in zip(cells, columns) where !column.isEmpty {
                    #expect(cell.2?.contains("data-label=\"\(column)\"") == true, "\(name): \(column)")
                    values += 1
                }
            }
        }
        #expect(values > 50)
    }

    /// The engine's own escaping goes by character: a quote with an accent would end an attribute.
    @Test(arguments: [
        ("<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"), ("plain é 漢", "plain é 漢"), ("", ""),
        ("\"\u{301}<\u{338}", "&quot;\u{301}&lt;\u{338}"), ("'\u{200D}", "&#39;\u{200D}"),
    ])
    func escapingGoesByScalar(text: String, escaped: String) throws {
        // As strings these could be equal by canonical equivalence.
        #expect(Array(HTMLEscaping().escapeText(text).unicodeScalars) == Array(escaped.unicodeScalars))
        // In a page, in what it is framed by, and in what it includes.
        var sources = PageTemplates.sources
        sources["layout"] = Array("{{value}}|{{$body}}{{/body}}".utf8)
        sources["error"] = Array("{{<layout}}{{$body}}{{value}}|{{#list}}{{>part}}{{/list}}{{/body}}{{/layout}}".utf8)
        sources["part"] = Array("{{.}}".utf8)
        let page = try PageTemplates(sources: sources).render(.error, ["value": text, "list": [text]] as [String: Any])
        let wanted = [escaped, escaped, escaped].joined(separator: "|")
        #expect(Array(page.unicodeScalars) == Array(wanted.unicodeScalars))
    }

    @Test func aBrokenTemplateIsAnError() {
        var sources = PageTemplates.sources
        sources["job"] = Array("{{#open}} never closed".utf8)
        #expect(throws: SpallocServerError.self) { try PageTemplates(sources: sources) }
        #expect {
            _ = try PageTemplates(sources: sources)
        } throws: {
            ($0 as? SpallocServerError)?.code == .pages && "\($0)".contains("job")
        }
        sources = PageTemplates.sources
        sources["error"] = nil
        #expect(throws: SpallocServerError.self) { try PageTemplates(sources: sources) }
    }

    @Test func theVersionIsOfTheResources() throws {
        let version = try PageTemplates().version
        #expect(version == (try PageTemplates().version) && version.allSatisfy(\.isHexDigit) && version.count >= 4)
    }
}
