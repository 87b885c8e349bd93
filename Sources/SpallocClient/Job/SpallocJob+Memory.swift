//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI
import SpiNNakerMachine

extension SpallocJob {
    /// Reads a chip's memory by HTTP: the service does the SCP, next to the boards. Requests are cut into
    /// ``SpallocClientConfiguration/memoryBlock`` bytes, each with a deadline that grows with its size.
    /// - Parameter chip: relative to the job's root.
    public func readMemory(chip: ChipID, address: UInt32, count: Int) async throws(SpallocError) -> ByteBuffer {
        try SpallocJob.check(address: address, count: count)
        var result = ByteBuffer()
        if count > self.session.configuration.memoryBlock { result.reserveCapacity(count) }
        for (address, count) in self.blocks(address: address, count: count) {
            let query = SpallocJob.query(chip: chip, address: address) + [(name: "size", value: "\(count)")]
            let url = self.url(SpallocJobPath.memory)
            let reply = try await self.inJob { () async throws(SpallocError) in
                try await self.session.get(url, query: query, timeout: self.timeout(forBytes: count))
            }
            guard reply.body.readableBytes == count else {
                throw SpallocError(
                    .unexpectedResponse,
                    "\(count) bytes of memory were asked of chip \(chip) at \(SpallocJob.hex(address)), "
                        + "\(reply.body.readableBytes) came",
                    status: reply.status, url: url, job: self.id)
            }
            result.writeImmutableBuffer(reply.body)
        }
        return result
    }

    /// Writes a chip's memory by HTTP, see ``readMemory(chip:address:count:)``.
    public func writeMemory(chip: ChipID, address: UInt32, _ data: ByteBuffer) async throws(SpallocError) {
        var data = data
        try SpallocJob.check(address: address, count: data.readableBytes)
        for (address, count) in self.blocks(address: address, count: data.readableBytes) {
            guard let block = data.readSlice(length: count) else { return }
            _ = try await self.inJob { () async throws(SpallocError) in
                try await self.session.post(
                    self.url(SpallocJobPath.memory), query: SpallocJob.query(chip: chip, address: address), body: block,
                    contentType: "application/octet-stream", timeout: self.timeout(forBytes: count))
            }
        }
    }

    /// Where the fast protocols' cores and tag are. Their software must be running: loading it is the toolchain's matter.
    public struct FastDataRoute: Hashable, Sendable {
        /// The core that gathers a board's packets: its chip, relative to the job's root, and its number, above 0.
        public var gatherer: CoreID
        /// The Ethernet chip of that board.
        public var ethernet: ChipID
        public var ethernetAddress: IPv4Address
        public var ipTag: Int

        public init(gatherer: CoreID, ethernet: ChipID, ethernetAddress: IPv4Address, ipTag: Int) {
            self.gatherer = gatherer
            self.ethernet = ethernet
            self.ethernetAddress = ethernetAddress
            self.ipTag = ipTag
        }

        var query: [(name: String, value: String)] {
            [
                ("gather_x", "\(self.gatherer.chip.x)"), ("gather_y", "\(self.gatherer.chip.y)"),
                ("eth_x", "\(self.ethernet.x)"), ("eth_y", "\(self.ethernet.y)"), ("eth_address", "\(self.ethernetAddress)"),
                ("iptag", "\(self.ipTag)"),
            ]
        }
    }

    /// Reads by the fast protocol: `monitor`'s core streams its chip's memory to the service.
    public func readFast(
        monitor: CoreID, address: UInt32, count: Int, by route: FastDataRoute
    ) async throws(SpallocError) -> ByteBuffer {
        try SpallocJob.check(address: address, count: count)
        let query =
            route.query + SpallocJob.query(chip: monitor.chip, address: address)
            + [(name: "p", value: "\(monitor.p)"), (name: "size", value: "\(count)")]
        let url = self.url(SpallocJobPath.fastDataRead)
        let reply = try await self.inJob { () async throws(SpallocError) in
            try await self.session.get(url, query: query, timeout: self.timeout(forBytes: count))
        }
        guard reply.body.readableBytes == count else {
            throw SpallocError(
                .unexpectedResponse, "\(count) bytes were asked of core \(monitor), \(reply.body.readableBytes) came",
                status: reply.status, url: url, job: self.id)
        }
        return reply.body
    }

    /// Writes by the fast protocol, through the gatherer.
    /// - Parameter chip: relative to the board's Ethernet chip, as that protocol has it.
    public func writeFast(
        chip: ChipID, address: UInt32, _ data: ByteBuffer, by route: FastDataRoute
    ) async throws(SpallocError) {
        try SpallocJob.check(address: address, count: data.readableBytes)
        let query =
            route.query + [(name: "gather_p", value: "\(route.gatherer.p)")]
            + SpallocJob.query(chip: chip, address: address)
        _ = try await self.inJob { () async throws(SpallocError) in
            try await self.session.post(
                self.url(SpallocJobPath.fastDataWrite), query: query, body: data, contentType: "application/octet-stream",
                timeout: self.timeout(forBytes: data.readableBytes))
        }
    }

    // MARK: - Blocks

    /// The parts of a range, in order.
    private func blocks(address: UInt32, count: Int) -> [(address: UInt32, count: Int)] {
        let block = Swift.max(4, self.session.configuration.memoryBlock)
        return stride(from: 0, to: count, by: block).map { offset in
            (address &+ UInt32(truncatingIfNeeded: offset), Swift.min(block, count - offset))
        }
    }

    private func timeout(forBytes count: Int) -> Duration {
        let configuration = self.session.configuration
        return configuration.requestTimeout + .seconds(Double(count) / Double(Swift.max(1, configuration.slowestTransfer)))
    }

    private static func query(chip: ChipID, address: UInt32) -> [(name: String, value: String)] {
        [("x", "\(chip.x)"), ("y", "\(chip.y)"), ("address", "\(address)")]
    }

    private static func check(address: UInt32, count: Int) throws(SpallocError) {
        guard count >= 0, UInt64(address) + UInt64(count) <= 1 << 32 else {
            throw SpallocError(
                .invalidRequest, "\(count) bytes from \(SpallocJob.hex(address)) are not in a chip's 4 GiB of addresses")
        }
    }

    private static func hex(_ address: UInt32) -> String { "0x" + String(address, radix: 16) }
}
