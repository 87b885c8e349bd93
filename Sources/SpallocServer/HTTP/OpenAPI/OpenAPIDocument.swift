//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import NIOCore
import SpallocAPI

/// The REST interface in the words of OpenAPI 3.1, for people, for generators of clients, and for schemathesis.
package enum OpenAPIDocument {
    /// Below the base path.
    static let path = "srv/openapi.json"

    /// - Parameter basePath: begins and ends with a slash.
    package static func json(basePath: String, operations: [APIOperation] = APIOperation.all) -> JSONValue {
        var paths: [String: [String: JSONValue]] = [:]
        for operation in operations {
            paths["/" + operation.path, default: [:]][operation.method.rawValue.lowercased()] = operation.json
        }
        let version = RootController.version
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Spalloc",
                "version": .string("\(version.majorVersion).\(version.minorVersion).\(version.revision)"),
                "description": .string(Self.text),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": .string(String(basePath.dropLast()))]],
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "schemas": .object(
                    Dictionary(APISchema.allCases.map { ($0.rawValue, .object($0.shape.json)) }) { first, _ in first }),
                "securitySchemes": Self.securitySchemes,
            ],
        ]
    }

    private static let text = """
        Machines of SpiNNaker boards, and jobs that have boards for a while. Errors are one line of plain text. A job that is not kept \
        alive for its keepalive interval is ended.
        """

    private static let securitySchemes: JSONValue = [
        "session": [
            "type": "apiKey", "in": "cookie", "name": .string(SpallocHTTP.sessionCookie),
            "description": .string(
                "From \(SpallocPath.performLogin), or from \(SpallocPath.serviceRoot) with a password. It goes before the password."
            ),
        ],
        "csrf": [
            "type": "apiKey", "in": "header", "name": .string(SpallocHTTP.csrfHeader),
            "description": .string("The session's token, from \(SpallocPath.serviceRoot)."),
        ],
        "basic": ["type": "http", "scheme": "basic"],
    ]
}

/// Serves the document, to everybody.
struct OpenAPIController: Sendable {
    let basePath: String

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        let document = OpenAPIDocument.json(basePath: self.basePath)
        router.get(RouterPath(OpenAPIDocument.path)) { _, _ in
            try Response.json(document, headers: [.accessControlAllowOrigin: "*"])
        }
    }
}
