//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOSSL

/// Certificates of a CA whose key was thrown away, good (all but one) from 2020 to 2120. The one key that is here is public: it
/// protects nothing.
enum TestCertificates {
    /// What a service shows.
    enum Shown: Sendable {
        /// For localhost and 127.0.0.1.
        case good
        case ofAnotherHost
        /// In 2021.
        case expired

        var pem: String {
            switch self {
            case .good: TestCertificates.good
            case .ofAnotherHost: TestCertificates.elsewhere
            case .expired: TestCertificates.expired
            }
        }
    }

    static func serverContext(_ shown: Shown) throws -> NIOSSLContext {
        let certificate = try NIOSSLCertificate(bytes: Array(shown.pem.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(self.key.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
        )
    }

    /// The path of a file with a CA, for the length of `body`.
    static func withFile<Result>(_ pem: String, _ body: (String) async throws -> Result) async throws -> Result {
        let file = FileManager.default.temporaryDirectory.appending(path: "spalloc-ca-\(UUID().uuidString).pem")
        try pem.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await body(file.path)
    }

    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBWjCCAQGgAwIBAgIUWEYwE8P5gz5Pw2ydgp+qze64W+gwCgYIKoZIzj0EAwIw
        IjEgMB4GA1UEAwwXc3dpZnQtc3Bpbm5ha2VyIHRlc3QgQ0EwIBcNMjAwMTAxMDAw
        MDAwWhgPMjEyMDAxMDEwMDAwMDBaMCIxIDAeBgNVBAMMF3N3aWZ0LXNwaW5uYWtl
        ciB0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEw17AOHgfO51ykOZp
        bOATz31D1492KUT9FzExCrdchbbfDBYg+qCvh2hNmITnZQm1QVkeJ9tV6NJl4/y5
        O7LXi6MTMBEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAMFKS3
        C/i9iI9lfLP8G5oVEkrE6t5xiF/Px647ACenzwIgZ7OvZaMJdAtwI9aGZuvX6TXm
        ehMz4vh2ZJA9p03Ebbo=
        -----END CERTIFICATE-----
        """

    static let otherAuthority = """
        -----BEGIN CERTIFICATE-----
        MIIBQTCB56ADAgECAhQfI5xw+11C2/5kWXQ5GLNnP9oqlDAKBggqhkjOPQQDAjAV
        MRMwEQYDVQQDDAphbm90aGVyIENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAx
        MDAwMDAwWjAVMRMwEQYDVQQDDAphbm90aGVyIENBMFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAEncEIAaMHhsC4t45TEZtNSPwabn7825yKwm6Pmv3TiN253NYFB0AZ
        nL3J+ym9q7CUyv2UROPd5pxRMdXIOWeqDqMTMBEwDwYDVR0TAQH/BAUwAwEB/zAK
        BggqhkjOPQQDAgNJADBGAiEAwDBllvMiAAuQskyIk28kgWYXw18T5wfFnJ8NVuQs
        aoACIQCLwnYNyHZw6n4oqjSTO1FxZA4wn3Zh9VC9hD2p/qZedQ==
        -----END CERTIFICATE-----
        """

    private static let good = """
        -----BEGIN CERTIFICATE-----
        MIIBUjCB+aADAgECAhQ9ECOrBvPjU4SUvsgxfRcEQ9hyITAKBggqhkjOPQQDAjAi
        MSAwHgYDVQQDDBdzd2lmdC1zcGlubmFrZXIgdGVzdCBDQTAgFw0yMDAxMDEwMDAw
        MDBaGA8yMTIwMDEwMTAwMDAwMFowDzENMAsGA1UEAwwEZ29vZDBZMBMGByqGSM49
        AgEGCCqGSM49AwEHA0IABOplpAfTviPNIE3MaWKHJeK7rcIFdDGBG2vW54wsHni1
        Te5RR1DG1igNGZfJOSw+oFom8tUzqv83uBvP/RLAkrKjHjAcMBoGA1UdEQQTMBGC
        CWxvY2FsaG9zdIcEfwAAATAKBggqhkjOPQQDAgNIADBFAiEA7WR4q3+OhVTHL1BX
        rvKkFQaU/1XkMnjQjAgAZKzxxDwCIHH/VYtcjz6yo+3CI0RQuH5b3S0tSD9NT0qK
        Fr/zgPYo
        -----END CERTIFICATE-----
        """

    private static let elsewhere = """
        -----BEGIN CERTIFICATE-----
        MIIBVTCB/KADAgECAhQhLUX+erhlTZFEcgTndFVVLDXREjAKBggqhkjOPQQDAjAi
        MSAwHgYDVQQDDBdzd2lmdC1zcGlubmFrZXIgdGVzdCBDQTAgFw0yMDAxMDEwMDAw
        MDBaGA8yMTIwMDEwMTAwMDAwMFowEDEOMAwGA1UEAwwFd3JvbmcwWTATBgcqhkjO
        PQIBBggqhkjOPQMBBwNCAATqZaQH074jzSBNzGlihyXiu63CBXQxgRtr1ueMLB54
        tU3uUUdQxtYoDRmXyTksPqBaJvLVM6r/N7gbz/0SwJKyoyAwHjAcBgNVHREEFTAT
        ghFlbHNld2hlcmUuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiAGBiZFbML0Lhij
        l2xGZp5plG49r6A6HQXHG1xY5YZH/gIhAJAzN71f5kGn1F9mQHkQR2lHxXXYtssm
        QAhUwDJVoMZU
        -----END CERTIFICATE-----
        """

    private static let expired = """
        -----BEGIN CERTIFICATE-----
        MIIBTzCB9qADAgECAhReOfS91Y+jGJQa+rMhaY1IFU0PMTAKBggqhkjOPQQDAjAi
        MSAwHgYDVQQDDBdzd2lmdC1zcGlubmFrZXIgdGVzdCBDQTAeFw0yMDAxMDEwMDAw
        MDBaFw0yMTAxMDEwMDAwMDBaMA4xDDAKBgNVBAMMA29sZDBZMBMGByqGSM49AgEG
        CCqGSM49AwEHA0IABOplpAfTviPNIE3MaWKHJeK7rcIFdDGBG2vW54wsHni1Te5R
        R1DG1igNGZfJOSw+oFom8tUzqv83uBvP/RLAkrKjHjAcMBoGA1UdEQQTMBGCCWxv
        Y2FsaG9zdIcEfwAAATAKBggqhkjOPQQDAgNIADBFAiA+XnYCL/C5GZiOH7l3ULHO
        arIQGkmkHD/p2FkmD+oK7gIhAKQwz9tEaMuoRoKywDWxa27MUtQIcJPD2q5OXvyw
        Ciwi
        -----END CERTIFICATE-----
        """

    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7Oje/lmZMQtmpoUu
        DT4HISvD/vkowkNQrLopFYIesLihRANCAATqZaQH074jzSBNzGlihyXiu63CBXQx
        gRtr1ueMLB54tU3uUUdQxtYoDRmXyTksPqBaJvLVM6r/N7gbz/0SwJKy
        -----END PRIVATE KEY-----
        """
}
