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
