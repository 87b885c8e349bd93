//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import SpallocClient
import SpallocDemo
import SpallocServer
import Testing

extension EndToEnd {
    /// `--state`: what a demo keeps from one start to the next, and what it must not share.
    @Suite struct StateDirectoryTests {
        @Test func theSecondStartFindsWhatTheFirstLeft() async throws {
            try await withTemporaryDirectory { directory in
                let options = DemoOptions.quick(stateDirectory: directory.path)
                let first = NIOLockedValueBox<DemoHouse.Access?>(nil)
                try await House.run(options) { house in
                    first.withLockedValue { $0 = house.access }
                    try await house.asClient { client in
                        try await client.withJob(.boards(1)) { job in
                            #expect(job.id == 1)
                            try await job.waitUntilReady { _ in }
                        }
                    }
                    try house.writeAccess()
                }
                let before = try #require(first.withLockedValue { $0 })
                let certificate = try Data(contentsOf: URL(filePath: before.caFile))
                try await House.run(options) { house in
                    #expect(house.access.boards == before.boards)
                    #expect(house.access.bmps == before.bmps)
                    #expect(house.access.caFile == before.caFile)
                    #expect(try Data(contentsOf: URL(filePath: house.access.caFile)) == certificate)
                    #expect(house.access.password != before.password)
                    try await house.asClient { client in
                        let jobs = try await client.jobs(includingDestroyed: true).reduce(into: []) { $0.append($1.id) }
                        #expect(jobs == [1])
                        // The database goes on counting.
                        try await client.withJob(.boards(1)) { #expect($0.id == 2) }
                    }
                    // The password of the first start is none any more.
                    let error = await #expect(throws: SpallocError.self) {
                        try await withSpallocClient(
                            url: house.access.url, credentials: .password(user: before.user, before.password),
                            configuration: house.clientConfiguration
                        ) { _ in }
                    }
                    #expect(error?.code == .loginRefused)
                }
            }
        }

        @Test func onlyTheOwnerMayReadTheSecrets() async throws {
            try await withTemporaryDirectory { parent in
                let directory = parent.appending(path: "state")
                try await House.run(.quick(stateDirectory: directory.path)) { house in
                    try house.writeAccess()
                    for (file, mode) in [("demo.json", 0o600), ("server.key", 0o600), (".", 0o700)] {
                        let path = directory.appending(path: file).path
                        let found = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                        #expect(found == mode, "\(file)")
                    }
                    let json = try Data(contentsOf: directory.appending(path: "demo.json"))
                    let access = try JSONDecoder().decode(DemoHouse.Access.self, from: json)
                    #expect(access.url == house.access.url && access.password == house.access.password)
                    #expect(access.pid == getpid() && access.boards.count == 3 && access.bmps.count == 1)
                    house.removeAccess()
                    #expect(!FileManager.default.fileExists(atPath: directory.appending(path: "demo.json").path))
                }
            }
        }

        @Test func anotherSizeIsRefused() async throws {
            try await withTemporaryDirectory { directory in
                try await House.run(.quick(stateDirectory: directory.path)) { _ in }
                let larger = DemoOptions.quick(width: 2, stateDirectory: directory.path)
                let error = await #expect(throws: DemoError.self) { try await House.run(larger) { _ in } }
                #expect(error?.description.contains("holds a machine of 1x1 triads, not 2x1") == true)
                #expect(error?.description.contains(directory.path) == true)
            }
        }

        @Test func withoutOneNothingIsKept() async throws {
            let kept = NIOLockedValueBox<URL?>(nil)
            try await House.run { house in
                kept.withLockedValue { $0 = house.directory }
                #expect(FileManager.default.fileExists(atPath: house.directory.path))
            }
            let directory = try #require(kept.withLockedValue { $0 })
            #expect(!FileManager.default.fileExists(atPath: directory.path))
        }

        @Test func aPortInUseIsSaidSoAndTwoHousesStandSideBySide() async throws {
            try await House.run { house in
                let port = try #require(URL(string: house.access.url)?.port)
                let error = await #expect(throws: SpallocServerError.self) {
                    try await House.run(.quick(port: port)) { _ in }
                }
                #expect(error?.description == "cannot listen on 127.0.0.1:\(port): the port is in use")
                try await House.run { other in
                    #expect(Set(other.access.boards).isDisjoint(with: house.access.boards))
                    #expect(other.access.url != house.access.url)
                }
            }
        }
    }
}
