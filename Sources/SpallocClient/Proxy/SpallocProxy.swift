//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A job's proxy: connections to its boards for those whose UDP does not reach them. See ``SpallocJob/withProxy(_:)``.
///
/// All connections end with it; each may be closed before.
public final class SpallocProxy: Sendable {
    public let job: SpallocJob
    package let connection: ProxyConnection

    init(job: SpallocJob, connection: ProxyConnection) {
        self.job = job
        self.connection = connection
    }

    /// A bare link to a UDP port of a board, to build on.
    /// - Parameter chip: the board's Ethernet chip, relative to the job's root.
    public func link(to chip: ChipID, port: Int = SCP.port) async throws(SpallocError) -> any DatagramLink {
        try await self.open(chip, port)
    }

    /// SCP requests to a board, several at a time, each sent again until it is answered.
    /// - Parameter window: so many at a time; a board has room for 8.
    public func connect(to chip: ChipID, window: Int = 8) async throws(SpallocError) -> SpallocBoardConnection {
        let link = try await self.open(chip, SCP.port)
        let connection = SCPConnection(link: link, configuration: .init(window: window))
        connection.start()
        return SpallocBoardConnection(job: self.job.id, chip: chip, connection: connection)
    }

    /// Datagrams to and from one UDP port of a board: SDP, EIEIO, or what an application makes of them.
    public func connectDatagrams(to chip: ChipID, port: Int = SCP.port) async throws(SpallocError) -> SpallocDatagramConnection
    {
        let link = try await self.open(chip, port)
        return try await SpallocDatagramConnection.attach(link: link, job: self.job.id, chip: chip, port: port)
    }

    /// To the boot ROM of the job's root board.
    public func connectForBooting() async throws(SpallocError) -> SpallocDatagramConnection {
        try await self.connectDatagrams(to: .origin, port: BootMessage.port)
    }

    /// Hears what any board of the job sends to it: the output of IP tags that are set to it, see ``SpallocListener/setTag(_:of:strip:)``.
    public func listen() async throws(SpallocError) -> SpallocListener {
        let hosts = try await self.job.connections()
        let listener: ProxiedListener
        do {
            listener = try await self.connection.openUnconnected()
        } catch {
            throw SpallocError.proxy(error, job: self.job.id)
        }
        return try await SpallocListener.attach(listener: listener, job: self.job.id, hosts: hosts)
    }

    private func open(_ chip: ChipID, _ port: Int) async throws(SpallocError) -> ProxiedLink {
        guard (1...65535).contains(port) else {
            throw SpallocError(.invalidRequest, "\(port) is no UDP port", job: self.job.id)
        }
        do {
            return try await self.connection.open(chip: chip, port: port)
        } catch {
            throw SpallocError.proxy(error, job: self.job.id)
        }
    }

    package func close() async {
        // That it had ended before is no error.
        try? await self.connection.close()
    }
}

/// SCP with one board of a job.
public struct SpallocBoardConnection: Sendable {
    let job: Int
    public let chip: ChipID
    package let connection: SCPConnection

    /// Sends a request and waits for its reply.
    /// - Throws: `SCPError`, which names the link, the core, the command and the attempts.
    public func send<Request: SCPRequest>(_ request: Request, to core: CoreID) async throws -> Request.Response {
        try await self.connection.send(request, to: core)
    }

    /// To the monitor core of the board's own chip.
    public func send<Request: SCPRequest>(_ request: Request) async throws -> Request.Response {
        try await self.send(request, to: .monitor(of: self.chip))
    }

    public func close() { self.connection.close() }
}
