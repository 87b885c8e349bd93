//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension SpallocError {
    static func cancelled(_ call: HTTPCall) -> SpallocError {
        SpallocError(.cancelled, "cancelled: \(call.method) \(call.url)", url: call.url, underlying: CancellationError())
    }

    /// What a failed exchange means to a person: each cause its own code and words.
    static func transport(_ error: any Error, call: HTTPCall, timeout: Duration, cancelled: Bool) -> SpallocError {
        if let error = error as? SpallocError { return error }
        if cancelled || error is CancellationError { return .cancelled(call) }
        let peer = "\(call.url.origin)"
        func make(_ code: Code, _ message: String) -> SpallocError {
            SpallocError(code, message, url: call.url, underlying: error)
        }
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .deadlineExceeded, .readTimeout, .writeTimeout, .getConnectionFromPoolTimeout:
                return make(.timeout, "\(peer) did not answer within \(timeout)")
            case .connectTimeout:
                return make(.timeout, "\(peer) cannot be reached: no answer to the connection attempt")
            case .tlsHandshakeTimeout:
                return make(.timeout, "\(peer) did not finish the TLS handshake in time")
            case .remoteConnectionClosed, .cancelled, .requestStreamCancelled, .uncleanShutdown:
                return make(.connectionClosed, "\(peer) closed the connection before its answer was complete")
            case .alreadyShutdown:
                return make(.closed, "the client is closed")
            case .invalidURL, .emptyHost, .emptyScheme:
                return make(.invalidURL, "\(call.url) is not a usable URL")
            default:
                return make(.unexpectedResponse, "\(peer): \(error)")
            }
        case let error as NIOConnectionError:
            if let inner = error.connectionErrors.first?.error {
                return .transport(inner, call: call, timeout: timeout, cancelled: false)
            }
            return make(.hostNotFound, "the host \(call.url.host) is unknown (no address found)")
        case let error as IOError:
            switch error.errnoCode {
            case ECONNREFUSED:
                return make(.connectionRefused, "nothing answers at \(peer): the service is not running there")
            case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL:
                return make(.unreachable, "\(peer) cannot be reached: no route to the host")
            case ETIMEDOUT:
                return make(.timeout, "\(peer) cannot be reached: no answer to the connection attempt")
            default:
                return make(.connectionClosed, "the connection to \(peer) broke: \(error)")
            }
        case let error as ChannelError:
            if case .connectTimeout = error {
                return make(.timeout, "\(peer) cannot be reached: no answer to the connection attempt")
            }
            return make(.connectionClosed, "the connection to \(peer) broke")
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            return make(.hostNotFound, "the host \(call.url.host) is unknown (no address found)")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return .tls(error, peer: peer, url: call.url)
        case HTTPParserError.invalidEOFState:
            return make(.connectionClosed, "\(peer) closed the connection before its answer was complete")
        case is ResponseAccumulator.ResponseTooBigError:
            return make(.unexpectedResponse, "\(peer) sent more than a Spalloc service would")
        default:
            return make(.unexpectedResponse, "\(peer) sent what is not HTTP, or broke off: \(error)")
        }
    }

    /// The causes BoringSSL knows only by the names in its error text.
    static func tls(_ error: any Error, peer: String, url: SpallocURL) -> SpallocError {
        let text = "\(error)"
        func make(_ code: Code, _ message: String) -> SpallocError {
            SpallocError(code, message, url: url, underlying: error)
        }
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("unableToValidateCertificate") {
            return make(
                .untrustedServer,
                "the certificate of \(peer) is not signed by a CA we trust, or has expired; give its CA (--ca-file)")
        }
        if error is NIOSSLExtraError || text.contains("failedToValidateHostname") {
            return make(.untrustedServer, "the certificate of \(peer) is for another host")
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return make(.tlsFailed, "\(peer) does not speak TLS; is it a plain http:// service?")
        }
        return make(.tlsFailed, "no TLS connection with \(peer): \(oneLine(text) ?? text)")
    }

    /// A status that is not success.
    static func status(_ reply: SpallocReply, call: HTTPCall) -> SpallocError {
        let code: Code
        let message: String
        switch reply.status {
        case 401:
            (code, message) = (.notLoggedIn, "the service does not accept our login")
        case 403:
            (code, message) = (.forbidden, "the service does not allow \(call.method) \(call.url.path) to this user")
        case 404, 410:
            (code, message) = (.notFound, "\(call.url.path) is not there, or not this user's")
        case 300..<400:
            (code, message) = (.unexpectedResponse, "the service answered \(call.method) \(call.url.path) with a redirect")
        case 400..<500:
            (code, message) = (.requestRefused, "the service refused \(call.method) \(call.url.path) (status \(reply.status))")
        case 500...:
            (code, message) = (.serverError, "the service failed on \(call.method) \(call.url.path) (status \(reply.status))")
        default:
            (code, message) = (.unexpectedResponse, "unexpected status \(reply.status) for \(call.method) \(call.url.path)")
        }
        return SpallocError(code, message, serverMessage: reply.words, status: reply.status, url: call.url)
    }
}
