//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate authority and a server certificate that exist for one demo: on loopback, for `localhost` and 127.0.0.1.
///
/// Stock clients insist on HTTPS, so a laptop needs a certificate before it can try anything. The authority's key never
/// leaves memory: nobody can sign a second certificate with it. What is kept is what a client must trust (`ca.pem`) and
/// what the server shows (`server.pem`, `server.key`).
struct DevelopmentCertificates {
    let authority: URL
    let certificate: URL
    let key: URL

    /// How long they are good for. A demo that has run out makes new ones at its next start.
    private static let lifetime: TimeInterval = 30 * 24 * 3600

    /// Those in `directory`, or new ones when there are none or when they are about to run out.
    static func load(orMakeIn directory: URL, now: Date = Date()) throws -> DevelopmentCertificates {
        let files = DevelopmentCertificates(
            authority: directory.appending(path: "ca.pem"),
            certificate: directory.appending(path: "server.pem"),
            key: directory.appending(path: "server.key"))
        if files.areGood(at: now) { return files }
        try files.make(at: now)
        return files
    }

    private func areGood(at now: Date) -> Bool {
        guard let authority = try? Certificate(pemEncoded: String(contentsOf: self.authority, encoding: .utf8)),
            let server = try? Certificate(pemEncoded: String(contentsOf: self.certificate, encoding: .utf8)),
            let key = try? P256.Signing.PrivateKey(pemRepresentation: String(contentsOf: self.key, encoding: .utf8))
        else { return false }
        return authority.publicKey.isValidSignature(server.signature, for: server)
            && server.publicKey == Certificate.PublicKey(key.publicKey)
            && now.addingTimeInterval(24 * 3600) < server.notValidAfter
            && now.addingTimeInterval(24 * 3600) < authority.notValidAfter
    }

    private func make(at now: Date) throws {
        let authorityKey = P256.Signing.PrivateKey()
        let serverKey = P256.Signing.PrivateKey()
        // An hour back: a client whose clock is behind must not refuse a certificate of the future.
        let from = now.addingTimeInterval(-3600)
        let to = now.addingTimeInterval(DevelopmentCertificates.lifetime)
        let authorityName = try DistinguishedName {
            CommonName("swift-spinnaker development CA")
        }
        let authorityID = SubjectKeyIdentifier(hash: Certificate.PublicKey(authorityKey.publicKey))
        let authority = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(authorityKey.publicKey),
            notValidBefore: from, notValidAfter: to, issuer: authorityName, subject: authorityName,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                authorityID
            },
            issuerPrivateKey: .init(authorityKey))
        let server = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(serverKey.publicKey),
            notValidBefore: from, notValidAfter: to, issuer: authorityName,
            subject: try DistinguishedName { CommonName("localhost") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames([
                    .dnsName("localhost"),
                    .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                ])
                SubjectKeyIdentifier(hash: Certificate.PublicKey(serverKey.publicKey))
                AuthorityKeyIdentifier(keyIdentifier: authorityID.keyIdentifier)
            },
            issuerPrivateKey: .init(authorityKey))
        try self.write(serverKey.pemRepresentation, to: self.key, secret: true)
        try self.write(server.serializeAsPEM().pemString, to: self.certificate, secret: false)
        try self.write(authority.serializeAsPEM().pemString, to: self.authority, secret: false)
    }

    private func write(_ text: String, to file: URL, secret: Bool) throws {
        // The mode is set as the file comes into being: a key is never readable by others, not even for a moment.
        try? FileManager.default.removeItem(at: file)
        let made = FileManager.default.createFile(
            atPath: file.path, contents: Data((text + "\n").utf8), attributes: [.posixPermissions: secret ? 0o600 : 0o644])
        guard made else { throw DemoError("can not write \(file.path)") }
    }
}
