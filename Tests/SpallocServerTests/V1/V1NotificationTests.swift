//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HummingbirdTesting
import NIOConcurrencyHelpers
import NIOCore
import SpallocServer
import SpiNNakerWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct V1NotificationTests {
    /// The next notifications until one names the machine or job.
    private func expect(_ client: V1TestClient, job: Int, onlyIt: Bool = false) async throws {
        while true {
            let line = try await client.notification()
            guard case .jobsChanged(let jobs) = line else { continue }
            if onlyIt { #expect(jobs == [job]) }
            if jobs.contains(job) { return }
        }
    }

    private func expect(_ client: V1TestClient, machine: String) async throws {
        while true {
            if case .machinesChanged(let machines) = try await client.notification(), machines.contains(machine) { return }
        }
    }

    @Test func allJobsAreTold() async throws {
        try await withV1 { harness, http, client async throws in
            let watcher = try await harness.v1Client()
            #expect(try await watcher.call("notify_job") == nil)
            let job = try await client.create()
            try await self.expect(watcher, job: job)
            // Also jobs that came another way.
            let other = try await (try await Session.logIn(http, as: "alice")).create()
            try await self.expect(watcher, job: other)
            try await client.call("destroy_job", [.integer(job)])
            try await self.expect(watcher, job: job)
            try await watcher.close()
        }
    }

    @Test func onlyWhatIsWatchedIsTold() async throws {
        try await withV1(machines: [machineDefinition(), machineDefinition(name: "m2", tags: ["b"], network: 11)]) {
            harness, _, client async throws in
            let watcher = try await harness.v1Client()
            let first = try await client.create([], ["keepalive": nil])
            _ = try await client.wait(first, for: .ready)
            #expect(try await watcher.call("notify_job", [.integer(first)]) == nil)
            #expect(try await watcher.call("notify_machine", ["m2"]) == nil)
            let second = try await client.create()
            _ = try await client.wait(second, for: .ready)
            let elsewhere = try await client.create([], ["machine": "m2"])
            try await self.expect(watcher, machine: "m2")
            try await client.call("destroy_job", [.integer(first)])
            try await self.expect(watcher, job: first, onlyIt: true)
            // Not watched any more: what comes next is the reply, and nothing else.
            try await watcher.call("no_notify_job", [.integer(first)])
            try await watcher.call("no_notify_machine")
            for job in [second, elsewhere] { try await client.call("destroy_job", [.integer(job)]) }
            #expect(try await watcher.call("version") == "1.0.0")
            #expect(watcher.notified.withLockedValue { $0.filter { $0 != .machinesChanged(["m2"]) } } == [])
            try await watcher.close()
        }
    }

    /// A machine changes when its boards are given and when a job that had some is over: at once, not when they are off.
    @Test func machinesAreTold() async throws {
        try await withV1 { harness, _, client async throws in
            let job = try await client.create()
            _ = try await client.wait(job, for: .ready)
            harness.bmp.set { $0.gate = Nudge() }
            try await client.call("notify_machine", [], ["machine_name": "m1"])
            try await client.call("no_notify_job")
            try await client.call("destroy_job", [.integer(job)])
            try await self.expect(client, machine: "m1")
            _ = try await client.create()
            try await self.expect(client, machine: "m1")
            harness.bmp.state.withLockedValue { $0.gate }?.end()
        }
    }

    /// Who watches all hears of its own doings behind the reply.
    @Test func theReplyComesFirst() async throws {
        try await withV1 { _, _, client async throws in
            try await client.call("notify_job")
            for _ in 0..<20 {
                let before = client.notified.withLockedValue { $0.count }
                let job = try await client.create([3], ["keepalive": nil])
                let early = client.notified.withLockedValue { $0[before...] }
                #expect(!early.contains { if case .jobsChanged(let jobs) = $0 { jobs.contains(job) } else { false } })
                try await self.expect(client, job: job)
            }
        }
    }

    @Test func manyChangesAreFewLines() async throws {
        try await withV1(machines: [machineDefinition(4, 4)]) { harness, _, client async throws in
            let watcher = try await harness.v1Client(reads: false)
            try await watcher.send(#"{"command":"notify_job"}"# + "\n")
            try await eventually("the watcher to be heard") { harness.application.v1?.connectionCount == 2 }
            for _ in 0..<30 {
                let job = try await client.create()
                try await client.call("destroy_job", [.integer(job)])
            }
            // A reader that comes late finds each of its jobs named.
            try await watcher.channel.setOption(.autoRead, value: true).get()
            #expect(try await watcher.reply() == nil)
            var seen: Set<Int> = []
            while seen.count < 30 {
                guard case .jobsChanged(let jobs) = try await watcher.notification() else { continue }
                seen.formUnion(jobs)
            }
            try await watcher.close()
        }
    }
}
