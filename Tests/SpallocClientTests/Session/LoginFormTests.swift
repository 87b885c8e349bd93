//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOHTTP1
import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct LoginFormTests {
    @Test(arguments: [
        #"<input type="hidden" name="_csrf" value="a-1" />"#,
        #"<INPUT value='a-1' NAME="_csrf" type=hidden>"#,
        "<form><input name=user value=x><input\n  name = '_csrf'\n  value = \"a-1\"\n/></form>",
        #"<input name=_csrf value=a-1>"#,
        #"<input type="text" value="other" name="x"/><p>a < b</p><input disabled name="_csrf" value="a&#45;1"/>"#,
    ])
    func theTokenIsFoundHoweverItIsWritten(page: String) {
        #expect(LoginForm.csrfToken(in: page)?.text == "a-1")
    }

    @Test(arguments: [
        "", "<html>no form</html>", #"<input name="_csrf" value="">"#, "<input name=\"_csrf", "<inputs name=_csrf value=x>",
    ])
    func aPageWithoutOneHasNone(page: String) {
        #expect(LoginForm.csrfToken(in: page) == nil)
    }

    @Test func characterReferencesAreUndone() {
        #expect(
            LoginForm.csrfToken(in: #"<input name="_csrf" value="a&amp;b&#x3D;&lt;&unknown;&"/>"#)?.text == "a&b=<&unknown;&")
    }

    @Test func cookiesAreTakenReplacedAndDeleted() {
        var cookies = Cookies(["JSESSIONID": "A", "old": "1"])
        func take(_ headers: HTTPHeaders) -> Bool { cookies.take(from: headers) }
        #expect(!take(["Set-Cookie": "route=n1; Path=/"]))
        #expect(take(["Set-Cookie": "JSESSIONID=\"B\"; Path=/; HttpOnly", "set-cookie": "old=x; Max-Age=0"]))
        #expect(cookies.header == "JSESSIONID=B; route=n1")
        #expect(!take(["Set-Cookie": "JSESSIONID=a b"]))
        #expect(!take(["Set-Cookie": "nonsense"]))
        #expect(cookies.sessionID?.text == "B")
    }
}
