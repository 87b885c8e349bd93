//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine

/// What went wrong between us and a Spalloc service, or with a job.
///
/// `description` is one line for people: the cause, then the service's own words. It never holds a password, a token, a
/// cookie or a CSRF token.
public struct SpallocError: Error, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Name: String, Sendable {
            case invalidURL, insecureURL, invalidRequest, invalidConfiguration, credentialsMissing
            case loginRefused, notLoggedIn, tokenUnavailable
            case hostNotFound, connectionRefused, unreachable, connectionClosed, untrustedServer, tlsFailed, timeout
            case forbidden, notFound, requestRefused, boardUnavailable, serverError, unexpectedResponse
            case queueTimeout, jobDestroyed, notReady, closed, proxyFailed, cancelled
        }
        private let name: Name
        private init(_ name: Name) { self.name = name }
        public var description: String { self.name.rawValue }

        /// The text given as service URL is not one.
        public static let invalidURL = Code(.invalidURL)
        /// Secrets would cross a network in clear: plain http to another machine.
        public static let insecureURL = Code(.insecureURL)
        /// Refused here, before anything was sent.
        public static let invalidRequest = Code(.invalidRequest)
        /// The configuration cannot be used, for example an unreadable CA file.
        public static let invalidConfiguration = Code(.invalidConfiguration)
        /// No user, password or token was given.
        public static let credentialsMissing = Code(.credentialsMissing)
        /// The service refuses this user and password, or this token.
        public static let loginRefused = Code(.loginRefused)
        /// The session ended and cannot be renewed.
        public static let notLoggedIn = Code(.notLoggedIn)
        /// The token provider had none to give.
        public static let tokenUnavailable = Code(.tokenUnavailable)
        /// The name of the service's host is unknown.
        public static let hostNotFound = Code(.hostNotFound)
        /// The host is there, the service is not running.
        public static let connectionRefused = Code(.connectionRefused)
        /// No route to the host.
        public static let unreachable = Code(.unreachable)
        /// The connection ended before the answer did.
        public static let connectionClosed = Code(.connectionClosed)
        /// The service's certificate is not one we trust: unknown CA, wrong host, expired.
        public static let untrustedServer = Code(.untrustedServer)
        /// There is no TLS there, or not one we speak.
        public static let tlsFailed = Code(.tlsFailed)
        /// No answer before the deadline.
        public static let timeout = Code(.timeout)
        /// 403: logged in, not allowed.
        public static let forbidden = Code(.forbidden)
        /// 404, 410: no such machine, board or job, or not this user's.
        public static let notFound = Code(.notFound)
        /// 4xx: the service says why in ``SpallocError/serverMessage``.
        public static let requestRefused = Code(.requestRefused)
        /// The board that was asked for by name cannot be had. A test may skip on this.
        public static let boardUnavailable = Code(.boardUnavailable)
        /// 5xx.
        public static let serverError = Code(.serverError)
        /// An answer no Spalloc service gives.
        public static let unexpectedResponse = Code(.unexpectedResponse)
        /// The job did not leave the queue in time. A test may skip on this.
        public static let queueTimeout = Code(.queueTimeout)
        /// The job is over: destroyed, or expired for want of keepalives.
        public static let jobDestroyed = Code(.jobDestroyed)
        /// The job has no boards now.
        public static let notReady = Code(.notReady)
        /// The client was closed.
        public static let closed = Code(.closed)
        /// The websocket proxy could not be opened.
        public static let proxyFailed = Code(.proxyFailed)
        /// The task was cancelled.
        public static let cancelled = Code(.cancelled)
    }

    public var code: Code
    /// Ours, one line.
    public var message: String
    /// The service's words, one line; nil when it had none.
    public var serverMessage: String?
    /// The HTTP status, when there was an answer.
    public var status: Int?
    /// What was asked for, without its query.
    public var url: SpallocURL?
    public var job: Int?
    public var underlying: (any Error)?

    public init(
        _ code: Code, _ message: String, serverMessage: String? = nil, status: Int? = nil, url: SpallocURL? = nil,
        job: Int? = nil, underlying: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.serverMessage = serverMessage.flatMap(SpallocError.oneLine)
        self.status = status
        self.url = url
        self.job = job
        self.underlying = underlying
    }

    public var description: String {
        var text = self.job.map { "job \($0): \(self.message)" } ?? self.message
        if let serverMessage { text += ": \(serverMessage)" }
        return text
    }

    /// Whether the same request may well succeed a little later.
    public var isTransient: Bool {
        switch self.code {
        case .connectionRefused, .unreachable, .connectionClosed, .timeout, .hostNotFound: true
        case .serverError: self.status != 501
        case .requestRefused: self.status == 408 || self.status == 429
        default: false
        }
    }

    static func invalidURL(_ message: String) -> SpallocError { SpallocError(.invalidURL, message) }

    func inJob(_ job: Int) -> SpallocError {
        var error = self
        error.job = self.job ?? job
        return error
    }

    /// Control characters and line breaks become blanks, an essay is cut: a peer writes into our terminal here.
    static func oneLine(_ text: String) -> String? {
        var result = ""
        var blank = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace || scalar.properties.generalCategory == .control {
                blank = !result.isEmpty
                continue
            }
            if blank { result.append(" ") }
            blank = false
            result.unicodeScalars.append(scalar)
            if result.utf8.count >= 500 {
                result.append("…")
                break
            }
        }
        return result.isEmpty ? nil : result
    }
}
