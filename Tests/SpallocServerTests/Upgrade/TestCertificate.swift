//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOSSL

/// A self-signed certificate for `localhost` and 127.0.0.1 that is good until 2126. Its key is public, here: it protects
/// nothing.
enum TestCertificate {
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgV0XZC8alOJIthz/v
        3FupIxsc0bQguuRtfciPLqzwJDehRANCAATrCV9iJ3M+ih5Ym2lulJZD2ILrL/4x
        EQ5q+/vdTdohfo2IQgZAUl+mI9EA3kToHmpgndMb2bZiFmE/TsDcacly
        -----END PRIVATE KEY-----
        """

    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBsjCCAVegAwIBAgIUdZaZAbytgfvcD3zJXZv+h0otMlUwCgYIKoZIzj0EAwIw
        HzEdMBsGA1UEAwwUc3dpZnQtc3Bpbm5ha2VyIHRlc3QwIBcNMjYxMTI1MDEyNzMz
        WhgPMjEyNjExMDEwMTI3MzNaMB8xHTAbBgNVBAMMFHN3aWZ0LXNwaW5uYWtlciB0
        ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6wlfYidzPooeWJtpbpSWQ9iC
        6y/+MREOavv73U3aIX6NiEIGQFJfpiPRAN5E6B5qYJ3TG9m2YhZhP07A3GnJcqNv
        MG0wHQYDVR0OBBYEFB+7RHaLpIGwtL2kpVRCi0KJVk2HMB8GA1UdIwQYMBaAFB+7
        RHaLpIGwtL2kpVRCi0KJVk2HMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAP
        BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC/AQCN0rwFGxxPJx48
        1lQKfPzT37HMJrsRryNTXqgwkwIhAKIYMuaUbb8aNmpVbhmrEkqKjfe14nfRsk2U
        uCt3EcXW
        -----END CERTIFICATE-----
        """

    /// Of somebody else, whose key nobody has.
    static let other = """
        -----BEGIN CERTIFICATE-----
        MIIBjzCCATWgAwIBAgIUJP/TuHRo1r4rlTqDL4pR2O6VoqowCgYIKoZIzj0EAwIw
        HDEaMBgGA1UEAwwRYW5vdGhlciBhdXRob3JpdHkwIBcNMjYxMTI1MTQwMzQ4WhgP
        MjEyNjExMDExNDAzNDhaMBwxGjAYBgNVBAMMEWFub3RoZXIgYXV0aG9yaXR5MFkw
        EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5ZcMo4tpDuAxCa45q8H80mvrW5eJTUi4
        cvdxD1DcevhMPJ2JPKpqSivZ3cNhTkVJuzIZ+uhwUV8aUMCdmZOPRaNTMFEwHQYD
        VR0OBBYEFAVjdAvoFAf5hYrplfB8nYD5bVuyMB8GA1UdIwQYMBaAFAVjdAvoFAf5
        hYrplfB8nYD5bVuyMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIh
        AOwoCQtY87xIqzNYAoeesvYzQ8VPlptnZM5dvdTZfklYAiBXGiTnIA3+ZMskNclz
        2yfTwyIFnVRmg/UclLYtX8+qRA==
        -----END CERTIFICATE-----
        """

    static func serverConfiguration() throws -> TLSConfiguration {
        let certificate = try NIOSSLCertificate(bytes: Array(TestCertificate.certificate.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(TestCertificate.key.utf8), format: .pem)
        return .makeServerConfiguration(certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
    }

    /// A client that trusts this certificate and no other.
    static func clientContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates([
            try NIOSSLCertificate(bytes: Array(TestCertificate.certificate.utf8), format: .pem)
        ])
        return try NIOSSLContext(configuration: configuration)
    }
}
