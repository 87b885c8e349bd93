//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import SpallocAPI

/// One route of the REST interface as the document describes it. A test holds the table of these to the router's routes.
package struct APIOperation: Sendable {
    package struct Parameter: Sendable {
        enum Place: String, Sendable { case path, query, header }

        var name: String
        var place: Place
        var shape: JSONSchema
        var isRequired = false
        var text: String?
    }

    package struct Reply: Sendable {
        enum Content: Sendable {
            case nothing
            case json(APISchema)
            case text
            case bytes
            /// A document of somebody else's shape.
            case anyJSON
        }

        var status: Int
        var text: String
        var content: Content = .nothing
        /// Header fields, by name; those that are always there.
        var headers: [String: String] = [:]
        /// Header fields that may be missing.
        var optionalHeaders: [String: String] = [:]
    }

    package enum Body: Sendable {
        case json(APISchema)
        /// What it says does not matter.
        case anyText
        case bytes
    }

    package enum Access: Sendable {
        case everybody
        /// Who is logged in.
        case anyUser
        /// Who has at least this trust level.
        case from(TrustLevel)
    }

    package var method: HTTPRequest.Method
    /// Below the base path, with parameters in braces.
    package var path: String
    package var tag: String
    package var summary: String
    package var text: String?
    package var parameters: [Parameter]
    package var body: Body?
    package var replies: [Reply]
    package var access: Access
    /// false: it is answered before the router, as an upgrade.
    package var isRoute = true

    init(
        _ method: HTTPRequest.Method, _ path: String, _ tag: String, _ summary: String, text: String? = nil,
        _ parameters: [Parameter] = [], body: Body? = nil, access: Access, isRoute: Bool = true, _ replies: [Reply]
    ) {
        self.method = method
        self.path = path
        self.tag = tag
        self.summary = summary
        self.text = text
        self.parameters = parameters
        self.body = body
        self.replies = replies
        self.access = access
        self.isRoute = isRoute
    }

    private var changesSomething: Bool { ![.get, .head, .options].contains(self.method) }

    /// The table's replies, and those that follow from who may ask and from what is sent.
    private var allReplies: [Reply] {
        var all = self.replies
        func add(_ reply: Reply) {
            if !all.contains(where: { $0.status == reply.status }) { all.append(reply) }
        }
        if case .everybody = self.access {
        } else {
            add(.notLoggedIn)
            add(.tokensUnchecked)
        }
        if case .from = self.access { add(.forbidden) }
        if self.changesSomething { add(.forbidden) }
        if self.body != nil { add(.tooLong) }
        if case .json = self.body {
            add(.badRequest)
            add(.wrongType)
        }
        return all.sorted { $0.status < $1.status }
    }

    // MARK: - As JSON

    package var json: JSONValue {
        var value: [String: JSONValue] = [
            "operationId": .string(self.identifier), "tags": [.string(self.tag)], "summary": .string(self.summary),
            "security": self.security,
            "responses": .object(
                Dictionary(self.allReplies.map { ("\($0.status)", $0.json) }) { first, _ in first }),
        ]
        let text = [self.text, self.accessText].compactMap { $0 }.joined(separator: " ")
        if !text.isEmpty { value["description"] = .string(text) }
        if !self.parameters.isEmpty { value["parameters"] = .array(self.parameters.map(\.json)) }
        if let body = self.body { value["requestBody"] = body.json }
        return .object(value)
    }

    /// `getJobsIdMachinePower`: what generators of clients call it.
    private var identifier: String {
        let words = self.path.split { !$0.isLetter && !$0.isNumber }.filter { $0 != "srv" && $0 != "spalloc" }
        return self.method.rawValue.lowercased() + words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private var accessText: String? {
        guard case .from(let level) = self.access else { return nil }
        return "For trust level \(level.rawValue) and above."
    }

    /// The ways to be let in. A change needs the session's token, whatever way one came to the session, or an issuer's.
    private var security: JSONValue {
        if case .everybody = self.access { return [] }
        if self.changesSomething { return [["session": [], "csrf": []], ["bearer": []]] }
        return [["session": []], ["basic": []], ["bearer": []]]
    }
}

extension APIOperation.Parameter {
    static func query(_ name: String, _ shape: JSONSchema, required: Bool = false, _ text: String? = nil) -> Self {
        Self(name: name, place: .query, shape: shape, isRequired: required, text: text)
    }
    static func path(_ name: String, _ shape: JSONSchema) -> Self {
        Self(name: name, place: .path, shape: shape, isRequired: true)
    }
    static func header(_ name: String, _ shape: JSONSchema, _ text: String) -> Self {
        Self(name: name, place: .header, shape: shape, text: text)
    }
    /// `true` in any capitals, as the Python client's `wait=True`; all else is false.
    static func flag(_ name: String, _ text: String) -> Self {
        Self(
            name: name, place: .query, shape: JSONSchema.boolean.withDefault(false),
            text: text + " True in any capitals counts; anything else is false.")
    }

    fileprivate var json: JSONValue {
        var value: [String: JSONValue] = [
            "name": .string(self.name), "in": .string(self.place.rawValue), "required": .bool(self.isRequired),
            "schema": .object(self.shape.json),
        ]
        if let text = self.text { value["description"] = .string(text) }
        return .object(value)
    }
}

extension APIOperation.Reply {
    static func ok(_ schema: APISchema, _ text: String = "It is so", headers: [String: String] = [:]) -> Self {
        Self(status: 200, text: text, content: .json(schema), headers: headers)
    }
    static func done(_ status: Int, _ text: String) -> Self { Self(status: status, text: text) }
    static func text(_ status: Int, _ text: String) -> Self { Self(status: status, text: text, content: .text) }
    static let noBoards = Self(status: 204, text: "The job has no boards now")
    static let badRequest = Self.text(400, "What is wrong with the request")
    static let notLoggedIn = Self(
        status: 401, text: "Please log in", content: .text, headers: ["WWW-Authenticate": "How"])
    static let tokensUnchecked = Self.text(503, "A bearer token cannot be checked now: its issuer does not answer")
    static let forbidden = Self.text(403, "Not allowed to this user, or without the session's token")
    static let noJob = Self.text(404, "No such job, or another's")
    static let gone = Self.text(410, "The job is gone")
    static let tooLong = Self.text(413, "The body is too long")
    static let wrongType = Self.text(415, "The body is of another type")
    static let badGateway = Self.text(502, "The board or its BMP refuses")
    static let silent = Self.text(504, "The board says nothing")

    fileprivate var json: JSONValue {
        var value: [String: JSONValue] = ["description": .string(self.text)]
        switch self.content {
        case .nothing: break
        case .json(let schema): value["content"] = Self.content("application/json", JSONSchema.schema(schema).json)
        case .text: value["content"] = Self.content("text/plain", JSONSchema.string.json)
        case .bytes: value["content"] = Self.content("application/octet-stream", [:])
        case .anyJSON: value["content"] = Self.content("application/json", ["type": "object"])
        }
        let fields = self.headers.map { ($0.key, $0.value, true) } + self.optionalHeaders.map { ($0.key, $0.value, false) }
        if !fields.isEmpty {
            value["headers"] = .object(
                Dictionary(
                    fields.map { name, text, isRequired in
                        (
                            name,
                            [
                                "description": .string(text), "required": .bool(isRequired),
                                "schema": .object(JSONSchema.string.json),
                            ]
                        )
                    }
                ) { first, _ in first })
        }
        return .object(value)
    }

    fileprivate static func content(_ type: String, _ schema: [String: JSONValue]) -> JSONValue {
        .object([type: ["schema": .object(schema)]])
    }
}

extension APIOperation.Body {
    fileprivate var json: JSONValue {
        switch self {
        case .json(let schema):
            [
                "required": true,
                "content": APIOperation.Reply.content("application/json", JSONSchema.schema(schema).json),
            ]
        case .anyText: ["required": false, "content": APIOperation.Reply.content("text/plain", JSONSchema.string.json)]
        case .bytes: ["required": true, "content": APIOperation.Reply.content("application/octet-stream", [:])]
        }
    }
}
