//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import NIOCore
import NIOPosix
import SpiNNakerLink
import SpiNNakerMachine

/// SCP with the boards of jobs, for memory and routers over HTTP. A connection is made at first use, and ends with the job or when
/// the job loses its boards.
package actor BoardConnections {
    private struct Key: Hashable {
        var job: Int
        var board: Int64
    }

    private var connections: [Key: SCPConnection] = [:]
    /// Of the fast protocols.
    package nonisolated let fast = FastDataLines()

    package init() {}

    package func connection(job: Int, board: JobService.Boards.Board) async throws -> SCPConnection {
        let key = Key(job: job, board: board.id)
        if let known = self.connections[key] { return known }
        guard let address = IPv4Address(board.address) else {
            throw APIError(.internalServerError, "board \(board.coordinates) has no address")
        }
        let link = try await UDPLink.connect(to: address, port: 17893, on: MultiThreadedEventLoopGroup.singleton.next())
        let connection = SCPConnection(link: link, configuration: .init(watchesForReplies: false))
        // Another request may have been quicker.
        if let known = self.connections[key] {
            connection.close()
            return known
        }
        connection.start()
        self.connections[key] = connection
        return connection
    }

    package func close(job: Int) async {
        await self.fast.close(job: job)
        for key in self.connections.keys where key.job == job { self.connections.removeValue(forKey: key)?.close() }
    }

    package func closeAll() async {
        await self.fast.closeAll()
        for connection in self.connections.values { connection.close() }
        self.connections = [:]
    }
}
