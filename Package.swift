// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// One set of switches for every target of ours, so that a file means the same wherever it lies.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    // SE-0335: an existential says `any`.
    .enableUpcomingFeature("ExistentialAny"),
    // SE-0444: a member is visible only where its module is imported.
    .enableUpcomingFeature("MemberImportVisibility"),
    // SE-0461: an async function stays on its caller's executor; a hop costs more than an SCP request (docs/performance.md).
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // SE-0470: a conformance of an isolated type is isolated too.
    .enableUpcomingFeature("InferIsolatedConformances"),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
]
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

/// The layer law (docs/architecture.md): a target imports only from rows above its own.
/// 0 values and bytes · 1 decisions · 2 I/O · 3 transceiver, contracts, policy · 4 job client, service · 5 commands.
let package = Package(
    name: "swift-spinnaker",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "SpiNNakerMachine", targets: ["SpiNNakerMachine"]),
        .library(name: "SpiNNakerWire", targets: ["SpiNNakerWire"]),
        .library(name: "SpiNNaker", targets: ["SpiNNaker", "SpiNNakerLink"]),
        .library(name: "SpiNNakerDatabase", targets: ["SpiNNakerDatabase"]),
        .library(name: "SpallocAPI", targets: ["SpallocAPI"]),
        .library(name: "SpallocClient", targets: ["SpallocClient"]),
        .library(name: "SpallocServer", targets: ["SpallocServer"]),
        .library(name: "VirtualSpiNNaker", targets: ["VirtualSpiNNaker", "VirtualSpiNNakerHost"]),
        .library(name: "SpiNNakerTesting", targets: ["SpiNNakerTesting"]),
        .executable(name: "spalloc", targets: ["spalloc"]),
        .executable(name: "spallocd", targets: ["spallocd"]),
        .executable(name: "spinnaker-sim", targets: ["spinnaker-sim"]),
        .executable(name: "spinnaker-bench", targets: ["spinnaker-bench"]),
        .executable(name: "spinnaker-fuzz", targets: ["spinnaker-fuzz"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // What every command needs and none of the rows below knows: signals, what is printed, errors in files people write.
        .target(
            name: "CommandSupport",
            dependencies: [.product(name: "NIOConcurrencyHelpers", package: "swift-nio")],
            swiftSettings: strict),

        // Row 0: values and bytes.
        .target(name: "SpiNNakerMachine", swiftSettings: strict),
        .target(
            name: "SpiNNakerWire",
            dependencies: ["SpiNNakerMachine", nioCore],
            swiftSettings: strict),

        // Row 1: decisions. No sockets, no clock.
        .target(
            name: "SpiNNakerEngine",
            dependencies: [
                "SpiNNakerWire", "SpiNNakerMachine", nioCore,
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict),
        .target(
            name: "VirtualSpiNNaker",
            dependencies: [
                "SpiNNakerWire", "SpiNNakerMachine", nioCore,
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict),

        // Row 2: I/O.
        .target(
            name: "SpiNNakerLink",
            dependencies: [
                "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", logging,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio,
            swiftSettings: strict),
        .target(
            name: "VirtualSpiNNakerHost",
            dependencies: ["VirtualSpiNNaker", "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", logging] + nio,
            swiftSettings: strict),

        // Row 3: the transceiver, the service's contract, the allocator's policy.
        .target(
            name: "SpiNNaker",
            dependencies: [
                "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", logging,
            ] + nio,
            swiftSettings: strict),
        .target(name: "SpallocAPI", dependencies: ["SpiNNakerMachine"], swiftSettings: strict),
        .target(name: "SpallocAllocator", dependencies: ["SpiNNakerMachine"], swiftSettings: strict),

        // Row 4: the job client and the service.
        // The database by which a toolchain tells visualisers what runs where; apart, as it brings SQLite with it.
        .target(
            name: "SpiNNakerDatabase",
            dependencies: ["SpiNNakerMachine", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .target(
            name: "SpallocClient",
            dependencies: [
                "SpallocAPI", "SpiNNaker", "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ] + nio,
            swiftSettings: strict),
        .target(
            name: "SpallocServer",
            dependencies: [
                "SpallocAllocator", "SpallocAPI", "SpiNNaker", "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire",
                "SpiNNakerMachine", "CommandSupport", logging,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Mustache", package: "swift-mustache"),
            ] + nio,
            // In the program itself: an operator installs one file.
            resources: [.embedInCode("Pages/Resources")],
            swiftSettings: strict),
        .target(
            name: "SpiNNakerTesting",
            dependencies: [
                "SpiNNaker", "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", "VirtualSpiNNaker",
            ] + nio,
            swiftSettings: strict),

        // Row 5: commands, and the house put together.
        .target(
            name: "SpallocDemo",
            dependencies: [
                "SpallocServer", "SpallocClient", "SpallocAPI", "SpiNNaker", "SpiNNakerLink", "SpiNNakerEngine",
                "SpiNNakerWire", "SpiNNakerMachine", "VirtualSpiNNaker", "VirtualSpiNNakerHost", logging,
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ] + nio,
            swiftSettings: strict),
        .target(
            name: "SpallocCommands",
            dependencies: [
                "SpallocDemo", "SpallocServer", "SpallocClient", "SpallocAPI", "SpiNNaker", "SpiNNakerLink",
                "SpiNNakerWire", "SpiNNakerMachine", "CommandSupport", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ] + nio,
            swiftSettings: strict),
        .executableTarget(name: "spalloc", dependencies: ["SpallocCommands"], swiftSettings: strict),
        .executableTarget(name: "spallocd", dependencies: ["SpallocCommands"], swiftSettings: strict),
        // Only for interop/compare_transceivers.py.
        .executableTarget(
            name: "spinnaker-interop",
            dependencies: [
                "SpiNNaker", "SpiNNakerTesting", "SpiNNakerWire",
            ],
            swiftSettings: strict),
        .target(
            name: "SpiNNakerSimCommands",
            dependencies: [
                "VirtualSpiNNakerHost", "VirtualSpiNNaker", "SpiNNakerWire", "SpiNNakerMachine", "CommandSupport", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            swiftSettings: strict),
        .executableTarget(name: "spinnaker-sim", dependencies: ["SpiNNakerSimCommands"], swiftSettings: strict),
        // Only for benchmarks: what two plain C programs do with datagrams of the same sizes.
        .target(name: "CBarePair"),
        // Only for benchmarks: counts the calls of malloc and its kin.
        .target(name: "CAllocationCounter"),
        .executableTarget(
            name: "spinnaker-bench",
            dependencies: [
                "CAllocationCounter", "CBarePair", "SpallocDemo", "SpallocServer", "SpallocAllocator", "SpallocAPI",
                "SpallocClient", "SpiNNaker", "SpiNNakerLink",
                "SpiNNakerEngine", "SpiNNakerWire",
                "SpiNNakerMachine", "VirtualSpiNNaker", "VirtualSpiNNakerHost", logging,
            ] + nio,
            swiftSettings: strict),

        // Every decoder with its random messages: for `make fuzz` and for the tests.
        .target(
            name: "WireFuzz", dependencies: ["SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", nioCore],
            path: "Tests/WireFuzz", swiftSettings: strict),
        .executableTarget(name: "spinnaker-fuzz", dependencies: ["WireFuzz", nioCore], swiftSettings: strict),

        // Tests mirror the targets; EndToEndTests open sockets on loopback.
        .testTarget(name: "SpiNNakerMachineTests", dependencies: ["SpiNNakerMachine"], swiftSettings: strict),
        .testTarget(
            name: "SpiNNakerWireTests",
            dependencies: ["WireFuzz", "SpiNNakerWire", "SpiNNakerMachine", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "SpiNNakerEngineTests",
            dependencies: [
                "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", "VirtualSpiNNaker", "SpiNNakerTesting", nioCore,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "VirtualSpiNNakerTests",
            dependencies: ["VirtualSpiNNaker", "VirtualSpiNNakerHost", "SpiNNakerWire", "SpiNNakerMachine", "SpiNNakerTesting"]
                + nio,
            swiftSettings: strict),
        .testTarget(
            name: "SpiNNakerSimTests",
            dependencies: [
                "SpiNNakerSimCommands", "CommandSupport", "VirtualSpiNNaker", "VirtualSpiNNakerHost", "SpiNNakerWire",
                "SpiNNakerMachine", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "SpiNNakerLinkTests",
            dependencies: [
                "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", "SpiNNakerTesting", logging,
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "SpiNNakerTests",
            dependencies: [
                "SpiNNaker", "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", "VirtualSpiNNaker",
                "VirtualSpiNNakerHost", "SpiNNakerTesting", logging,
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "SpiNNakerDatabaseTests",
            dependencies: [
                "SpiNNakerDatabase", "SpiNNakerMachine", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SpallocAllocatorTests", dependencies: ["SpallocAllocator", "SpiNNakerMachine"], swiftSettings: strict),
        .testTarget(
            name: "SpallocServerTests",
            dependencies: [
                "SpallocServer", "SpallocCommands", "CommandSupport", "SpiNNaker", "SpallocAllocator", "SpallocAPI",
                "SpiNNakerTesting",
                "SpiNNakerLink", "SpiNNakerEngine", "SpiNNakerWire",
                "SpiNNakerMachine", "VirtualSpiNNaker", "VirtualSpiNNakerHost", logging,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "SpallocClientTests",
            dependencies: [
                "SpallocClient", "SpallocCommands", "CommandSupport", "SpallocAPI", "SpiNNaker", "SpiNNakerDatabase",
                "SpiNNakerLink",
                "SpiNNakerEngine", "SpiNNakerWire", "SpiNNakerMachine", "VirtualSpiNNaker", "SpiNNakerTesting", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "SpallocDemo", "SpallocCommands", "SpallocServer", "SpallocClient", "SpallocAPI", "SpiNNaker", "SpiNNakerLink",
                "SpiNNakerEngine", "SpiNNakerTesting", "SpiNNakerWire", "SpiNNakerMachine", "VirtualSpiNNaker",
                "VirtualSpiNNakerHost",
                logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ] + nio,
            swiftSettings: strict),
    ]
)
