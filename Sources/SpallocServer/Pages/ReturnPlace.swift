//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Hummingbird
import SpallocAPI

/// Where a login leads: a page of this service, and nothing else.
struct ReturnPlace: Hashable {
    /// Under `system/`.
    var path: String

    /// Nothing to look at after a login; one of them would end it.
    private static let noPages = ["perform_", "login", "events/", "resources/"]

    /// nil for what could lead anywhere else.
    init?(_ path: String) {
        let allowed = path.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"), UInt8(ascii: "/"), UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "="),
                UInt8(ascii: "&"):
                true
            default: false
            }
        }
        guard allowed, !path.isEmpty, path.utf8.count <= 512, !path.hasPrefix("/"), !path.contains("//"), !path.contains(".."),
            !ReturnPlace.noPages.contains(where: path.hasPrefix)
        else { return nil }
        self.path = path
    }

    /// The page that was asked for; nil for the first one, which a login leads to by itself.
    init?(of request: Request, base: String) {
        let prefix = base + SpallocPath.webRoot
        guard request.uri.string.hasPrefix(prefix) else { return nil }
        self.init(String(request.uri.string.dropFirst(prefix.count)))
    }
}
