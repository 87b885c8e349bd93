//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOConcurrencyHelpers
import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// Files, progress, and the other way to memory.
@Suite(.timeLimit(.minutes(3))) struct MemoryTransferTests {
    private func withBoard<Output>(
        service: (any MemoryService)? = nil, configuration: TransceiverConfiguration = .quick,
        _ body: (Transceiver) async throws -> Output
    ) async throws -> Output {
        let host = try await InMemoryHost.make(VirtualMachineDescription(.spinn3, bootTimeScale: 0, isPoweredAtStart: true))
        return try await withTransceiver(
            links: [.root: host.link(to: .board(0))], boot: host.link(to: .board(0), port: BootMessage.port),
            memoryService: service, configuration: configuration
        ) { transceiver in
            try await transceiver.ensureReady(image: .placeholder)
            return try await body(transceiver)
        }
    }

    private func withDirectory<Output>(_ body: (String) async throws -> Output) async throws -> Output {
        let path = FileManager.default.temporaryDirectory.appending(path: "spinnaker-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    @Test func filesGoOutAndComeBack() async throws {
        try await self.withDirectory { directory in
            // More than one piece of a megabyte, and an odd end.
            let data = Data((0..<(1 << 20) + 4_099).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 >> 9) })
            try data.write(to: URL(filePath: directory + "/out"))
            try await self.withBoard { transceiver in
                let chip = transceiver[ChipID(1, 1)]
                let seen = NIOLockedValueBox<[Int]>([])
                let (count, sum) = try await chip.write(
                    contentsOfFile: directory + "/out", at: MemoryMap.userSDRAM + 1
                ) { done in seen.withLockedValue { $0.append(done) } }
                #expect(count == data.count)
                var expected: UInt32 = 0
                for (index, byte) in data.enumerated() { expected &+= UInt32(byte) << UInt32(8 * (index % 4)) }
                #expect(sum == expected)
                let steps = seen.withLockedValue { $0 }
                #expect(steps == steps.sorted() && steps.last == data.count && steps.contains(1 << 20))

                try Data("old".utf8).write(to: URL(filePath: directory + "/in"))
                try await chip.read(at: MemoryMap.userSDRAM + 1, count: data.count, intoFile: directory + "/in")
                #expect(try Data(contentsOf: URL(filePath: directory + "/in")) == data)
                #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["in", "out"])
            }
        }
    }

    @Test func whatGoesWrongWithAFileIsSaid() async throws {
        try await self.withDirectory { directory in
            try Data("12345".utf8).write(to: URL(filePath: directory + "/five"))
            try await self.withBoard { transceiver in
                let chip = transceiver[ChipID(0, 0)]
                let attempts: [(TransceiverError.Code, () async throws(TransceiverError) -> Void)] = [
                    (
                        .fileFailed,
                        { () async throws(TransceiverError) in try await chip.write(contentsOfFile: directory + "/none", at: 0)
                        }
                    ),
                    (
                        .fileFailed,
                        { () async throws(TransceiverError) in
                            try await chip.read(at: MemoryMap.sdram, count: 4, intoFile: directory + "/no/x")
                        }
                    ),
                    (
                        .invalidArgument,
                        { () async throws(TransceiverError) in
                            try await chip.write(contentsOfFile: directory + "/five", at: .max - 3)
                        }
                    ),
                    (
                        .invalidArgument,
                        { () async throws(TransceiverError) in
                            try await chip.read(at: .max, count: 4, intoFile: directory + "/x")
                        }
                    ),
                ]
                for (code, attempt) in attempts {
                    do throws(TransceiverError) {
                        try await attempt()
                        Issue.record("no error")
                    } catch {
                        #expect(error.code == code, "\(error)")
                        if code == .fileFailed { #expect("\(error)".contains(directory)) }
                    }
                }
                // A read that fails leaves what is there.
                do {
                    try await transceiver[ChipID(9, 9)].read(at: MemoryMap.sdram, count: 4, intoFile: directory + "/five")
                    Issue.record("a chip that is not there was read")
                } catch let error as TransceiverError {
                    #expect(error.code == .requestFailed)
                }
                #expect(try Data(contentsOf: URL(filePath: directory + "/five")) == Data("12345".utf8))
                #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["five"])
            }
        }
    }

    @Test func progressAsValues() async throws {
        try await self.withBoard { transceiver in
            let progress = TransferProgress(total: 100_000)
            async let shown = {
                var steps: [TransferProgress.Step] = []
                for await step in progress { steps.append(step) }
                return steps
            }()
            try await progress.during { report in
                try await transceiver[ChipID(1, 0)].write(
                    ByteBuffer(repeating: 7, count: 100_000), at: MemoryMap.userSDRAM, progress: report)
            }
            let steps = await shown
            #expect(steps.last?.done == 100_000)
            #expect(steps.last?.fraction == 1)
            #expect(steps.map(\.done) == steps.map(\.done).sorted())
            #expect("\(steps[steps.count - 1])" == "100000 of 100000")

            // It ends with a failure too.
            let failing = TransferProgress(total: 4)
            await #expect(throws: TransceiverError.self) {
                try await failing.during { _ = try await transceiver[ChipID(9, 9)].read(at: 0, count: 4, progress: $0) }
            }
            for await step in failing { Issue.record("\(step)") }
        }
    }

    // MARK: - The service

    private final class Service: MemoryService {
        struct Broken: Error {}
        let calls = NIOLockedValueBox<[String]>([])
        let isBroken: Bool
        let shortfall: Int
        init(isBroken: Bool = false, shortfall: Int = 0) {
            self.isBroken = isBroken
            self.shortfall = shortfall
        }
        func read(chip: ChipID, address: UInt32, count: Int) async throws -> ByteBuffer {
            self.calls.withLockedValue { $0.append("read \(chip.x),\(chip.y) \(address) \(count)") }
            if self.isBroken { throw Broken() }
            return ByteBuffer(repeating: 9, count: count - self.shortfall)
        }
        func write(_ bytes: ByteBuffer, chip: ChipID, address: UInt32) async throws {
            self.calls.withLockedValue { $0.append("write \(chip.x),\(chip.y) \(address) \(bytes.readableBytes)") }
            if self.isBroken { throw Broken() }
        }
        func take() -> [String] {
            self.calls.withLockedValue { calls in
                defer { calls = [] }
                return calls
            }
        }
    }

    @Test func theWayIsChosenBySizeAndMayBeForced() async throws {
        let service = Service()
        try await self.withBoard(service: service) { transceiver in
            let chip = transceiver[ChipID(1, 0)]
            let threshold = transceiver.configuration.memoryServiceThreshold
            #expect(transceiver.memoryRoute(forBytes: threshold) == .service)
            #expect(transceiver.memoryRoute(forBytes: threshold - 1) == .links)
            #expect(transceiver.memoryRoute(forBytes: threshold, of: 3) == .links)
            let much = ByteBuffer(repeating: 3, count: threshold)
            try await chip.write(much, at: 0x6000_0000)
            #expect(service.take() == ["write 1,0 \(0x6000_0000) \(threshold)"])
            try await chip.write(much, at: 0x6000_0000, via: .links)
            #expect(try await chip.read(at: 0x6000_0000, count: threshold - 1) == much.getSlice(at: 0, length: threshold - 1))
            #expect(try await chip.read(at: 0x6000_0000, count: threshold, via: .links) == much)
            // Core 3 sees other memory than the service does.
            _ = try await transceiver[CoreID(1, 0, 3)].read(at: 0x6000_0000, count: threshold)
            #expect(service.take() == [])
            #expect(try await chip.read(at: 0x6000_0000, count: 5, via: .service) == ByteBuffer(repeating: 9, count: 5))
            #expect(service.take() == ["read 1,0 \(0x6000_0000) 5"])
            let done = NIOLockedValueBox<[Int]>([])
            let long = (2 << 20) + 1
            let bytes = try await chip.read(at: 0x6000_0000, count: long) { count in done.withLockedValue { $0.append(count) } }
            #expect(bytes.readableBytes == long)
            #expect(done.withLockedValue { $0 } == [1 << 20, 2 << 20, long])
            #expect(service.take().count == 3)
            done.withLockedValue { $0 = [] }
            try await chip.write(bytes, at: 0x6000_0000) { count in done.withLockedValue { $0.append(count) } }
            #expect(done.withLockedValue { $0 } == [1 << 20, 2 << 20, long])
            #expect(
                service.take() == [
                    "write 1,0 \(0x6000_0000) \(1 << 20)", "write 1,0 \(0x6010_0000) \(1 << 20)", "write 1,0 \(0x6020_0000) 1",
                ])
            await #expect(throws: TransceiverError.self) {
                try await transceiver[CoreID(1, 0, 3)].read(at: 0x6000_0000, count: 4, via: .service)
            }
            await #expect(throws: TransceiverError.self) { try await chip.read(at: .max, count: 40_000) }
        }
        var configuration = TransceiverConfiguration.quick
        configuration.memoryRoute = .links
        try await self.withBoard(service: service, configuration: configuration) { transceiver in
            #expect(transceiver.memoryRoute(forBytes: 1 << 20) == .links)
            _ = try await transceiver[ChipID(0, 0)].read(at: 0x6000_0000, count: 40_000)
            #expect(service.take() == [])
        }
    }

    @Test func aServiceThatFailsIsNamed() async throws {
        for service in [Service(isBroken: true), Service(shortfall: 1)] {
            try await self.withBoard(service: service) { transceiver in
                do throws(TransceiverError) {
                    _ = try await transceiver[ChipID(1, 1)].read(at: 0x6000_0000, count: 4, via: .service)
                    Issue.record("no error")
                } catch {
                    #expect(error.code == .serviceFailed)
                    #expect(error.chip == ChipID(1, 1))
                    #expect((error.underlying is Service.Broken) == service.isBroken)
                }
            }
        }
        try await self.withBoard { transceiver in
            #expect(transceiver.memoryRoute(forBytes: 1 << 20) == .links)
            do throws(TransceiverError) {
                _ = try await transceiver[ChipID(1, 1)].read(at: 0x6000_0000, count: 4, via: .service)
                Issue.record("a service that is not there was used")
            } catch {
                #expect(error.code == .invalidArgument)
            }
        }
    }
}
