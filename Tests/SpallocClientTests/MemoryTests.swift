//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SpallocAPI
import SpiNNakerMachine
import Testing

@testable import SpallocClient

@Suite(.timeLimit(.minutes(3))) struct MemoryTests {
    static let memory = "/spalloc/srv/spalloc/jobs/42/memory"

    /// A chip's memory behind the two calls.
    static func service(_ store: NIOLockedValueBox<[UInt8]>, base: UInt32 = 0x6000_0000) -> FakeService {
        FakeService(special: { request in
            guard request.path == Self.memory, let address = request.query["address"].flatMap({ UInt32($0) }) else {
                return nil
            }
            let offset = Int(address - base)
            switch request.method {
            case .GET:
                let size = Int(request.query["size"] ?? "") ?? 0
                return .bytes(status: 200, store.withLockedValue { Array($0[offset..<(offset + size)]) })
            default:
                store.withLockedValue { store in
                    store.replaceSubrange(offset..<(offset + request.body.readableBytes), with: request.body.readableBytesView)
                }
                return .reply(status: 202)
            }
        })
    }

    @Test func largeTransfersAreCutAndPutTogether() async throws {
        let store = NIOLockedValueBox([UInt8](repeating: 0, count: 10_000))
        var configuration = FakeService.patient
        configuration.memoryBlock = 4096
        try await Self.service(store).run(configuration: configuration) { client, peer in
            let job = client.job(42)
            let data = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            try await job.writeMemory(chip: ChipID(1, 2), address: 0x6000_0000, ByteBuffer(bytes: data))
            #expect(store.withLockedValue { $0 } == data)
            let writes = peer.requests.filter { $0.path == Self.memory }
            #expect(writes.map(\.body.readableBytes) == [4096, 4096, 1808])
            #expect(writes.allSatisfy { $0.headers.first(name: "content-type") == "application/octet-stream" })
            let read = try await job.readMemory(chip: ChipID(1, 2), address: 0x6000_0001, count: 9_998)
            #expect(Array(read.readableBytesView) == Array(data[1..<9_999]))
            #expect(peer.requests.last?.query == ["x": "1", "y": "2", "address": "\(0x6000_0001 + 8192)", "size": "1806"])
        }
    }

    @Test func nothingIsAskedForNothing() async throws {
        let service = FakeService()
        try await service.run { client, peer in
            let read = try await client.job(42).readMemory(chip: .origin, address: 0, count: 0)
            #expect(read.readableBytes == 0)
            try await client.job(42).writeMemory(chip: .origin, address: 0, ByteBuffer())
            #expect(peer.count("GET \(Self.memory)") == 0 && peer.count("POST \(Self.memory)") == 0)
        }
    }

    @Test func rangesBeyondAChipsAddressesAreRefused() async throws {
        let service = FakeService()
        try await service.run { client, _ in
            for (address, count) in [(UInt32.max, 2), (0, -1)] {
                let error = try await #require(throws: SpallocError.self) {
                    try await client.job(42).readMemory(chip: .origin, address: address, count: count)
                }
                #expect(error.code == .invalidRequest)
            }
        }
    }

    @Test func aShortAnswerIsAnErrorThatNamesChipAndAddress() async throws {
        let service = FakeService(special: { $0.path == Self.memory ? .bytes(status: 200, [1, 2]) : nil })
        try await service.run { client, _ in
            let error = try await #require(throws: SpallocError.self) {
                try await client.job(42).readMemory(chip: ChipID(3, 4), address: 0x1000, count: 4)
            }
            #expect("\(error)" == "job 42: 4 bytes of memory were asked of chip (3, 4) at 0x1000, 2 came")
        }
    }

    @Test func fastDataCarriesItsRoute() async throws {
        let service = FakeService(special: { request in
            switch request.path {
            case "/spalloc/srv/spalloc/jobs/42/fast-data-read": .bytes(status: 200, [7, 8])
            case "/spalloc/srv/spalloc/jobs/42/fast-data-write": .reply(status: 202)
            default: nil
            }
        })
        try await service.run { client, peer in
            let route = SpallocJob.FastDataRoute(
                gatherer: CoreID(0, 0, 2), ethernet: ChipID(0, 0), ethernetAddress: IPv4Address(10, 0, 0, 1), ipTag: 3)
            let bytes = try await client.job(42).readFast(monitor: CoreID(1, 2, 3), address: 16, count: 2, by: route)
            #expect(Array(bytes.readableBytesView) == [7, 8])
            let common = [
                "gather_x": "0", "gather_y": "0", "eth_x": "0", "eth_y": "0", "eth_address": "10.0.0.1", "iptag": "3",
            ]
            #expect(
                peer.requests.last?.query
                    == common.merging(["x": "1", "y": "2", "p": "3", "address": "16", "size": "2"]) { a, _ in a })
            try await client.job(42).writeFast(chip: ChipID(1, 2), address: 16, ByteBuffer(bytes: [9]), by: route)
            #expect(
                peer.requests.last?.query
                    == common.merging(["gather_p": "2", "x": "1", "y": "2", "address": "16"]) { a, _ in a })
            #expect(peer.requests.last?.body == ByteBuffer(bytes: [9]))
        }
    }

    @Test func powerIssuesAndTheirAnswers() async throws {
        let service = FakeService(special: { request in
            switch request.call {
            case "GET /spalloc/srv/spalloc/jobs/42/machine/power": .json(#"{"power":"OFF"}"#)
            case "POST /spalloc/srv/spalloc/jobs/42/machine/power": .reply(status: request.text.contains("OFF") ? 204 : 202)
            case "POST /spalloc/srv/spalloc/jobs/42/report-issue": .json(#"{"action":"report noted"}"#)
            default: nil
            }
        })
        try await service.run { client, peer in
            let job = client.job(42)
            let power = try await job.power()
            #expect(power == .off)
            try await job.setPower(.on)
            #expect(peer.requests.last?.text == #"{"power":"ON"}"#)
            let error = try await #require(throws: SpallocError.self) { try await job.setPower(.off) }
            #expect(error.code == .notReady)
            let action = try await job.reportIssue("dead", boards: [.init(machine: "M", chip: ChipPosition(x: 4, y: 8))])
            #expect(action == "report noted")
            #expect(peer.requests.last?.text == #"{"boards":[{"chip":[4,8],"machine":"M"}],"issue":"dead"}"#)
        }
    }
}
