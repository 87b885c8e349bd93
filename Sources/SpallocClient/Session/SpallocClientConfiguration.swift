//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOSSL

/// How a client talks to its service. The defaults suit the public service and a local one.
public struct SpallocClientConfiguration: Sendable {
    /// Whose certificates the service may show.
    public struct Trust: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case system
            case file(String)
        }
        let kind: Kind
        /// The CAs of the operating system.
        public static let system = Trust(kind: .system)
        /// Only the CAs in this PEM file.
        public static func certificateAuthorities(file: String) -> Trust { Trust(kind: .file(file)) }
    }

    public var trust: Trust
    /// From a request's first byte to its answer's last. The Python client's is 10 s too.
    public var requestTimeout: Duration = .seconds(10)
    /// Creating a job may charge an account elsewhere first.
    public var createTimeout: Duration = .seconds(30)
    /// The service answers a waiting call after 30 s at the latest; then it is asked again.
    public var longPollTimeout: Duration = .seconds(45)
    /// How long a job lives without word from us; the service takes 30...300 s.
    public var keepaliveInterval: Duration = .seconds(120)
    /// How often, and how long, a request that may be repeated is tried again when the network or the service fails it.
    public var retries: Backoff = Backoff()
    /// Bytes of memory in one HTTP request; longer transfers are cut.
    public var memoryBlock: Int = 256 * 1024
    /// A transfer's deadline is ``requestTimeout`` plus its size over this many bytes/s. SCP through one board is 20 times faster.
    public var slowestTransfer: Int = 100_000
    /// Each job held takes a connection for its long-poll and now and then one for its keepalive.
    public var maximumConnections: Int = 256

    public init(trust: Trust = .system) {
        self.trust = trust
    }

    /// Waits that double, from `first` up to `longest`, at most `attempts` of them.
    public struct Backoff: Sendable {
        public var first: Duration
        public var longest: Duration
        public var attempts: Int
        public init(first: Duration = .milliseconds(250), longest: Duration = .seconds(8), attempts: Int = 6) {
            self.first = first
            self.longest = longest
            self.attempts = attempts
        }

        /// The wait before repetition number `attempt` (from 0). `jitter` in 0...1 takes up to a quarter off, so that a
        /// thousand clients do not come back together.
        public func delay(_ attempt: Int, jitter: Double) -> Duration {
            var delay = self.first
            for _ in 0..<max(0, min(attempt, 32)) where delay < self.longest { delay = delay * 2 }
            return min(delay, self.longest) * (1 - 0.25 * min(max(jitter, 0), 1))
        }
    }

    /// The TLS settings, for HTTPS and for the websocket alike.
    package func tlsConfiguration() throws(SpallocError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if case .file(let path) = self.trust.kind {
            do {
                let certificates = try NIOSSLCertificate.fromPEMFile(path)
                guard !certificates.isEmpty else {
                    throw SpallocError(.invalidConfiguration, "the CA file \(path) holds no certificate")
                }
                tls.trustRoots = .certificates(certificates)
            } catch let error as SpallocError {
                throw error
            } catch {
                throw SpallocError(
                    .invalidConfiguration, "the CA file \(path) is not there or not readable as PEM", underlying: error)
            }
        }
        return tls
    }
}
