//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

extension CoreHandle {
    /// Sends a request to the simulation that runs on the core: ``SetRunTime``, ``PauseSimulation``,
    /// ``GetSimulationTime`` and the like. Only a binary that was built for it listens.
    ///
    /// - Returns: what the simulation replied; nil for a request that it does not answer.
    @discardableResult
    public func tell<Request: SimulationRequest>(
        _ request: Request
    ) async throws(TransceiverError) -> Request.Response? {
        guard request.wantsReply else {
            var datagram = ByteBufferAllocator().buffer(capacity: SCP.maximumRequestDatagram)
            SCPPacket(simulation: request, to: self.core, sequence: 0).writeDatagram(into: &datagram)
            await self.transceiver.sendOneWay(datagram, to: self.core.chip)
            return nil
        }
        let connection = self.transceiver.connection(to: self.core.chip)
        return try await self.transceiver.wrapping { () async throws(SCPError) in
            try await connection.send(request, to: self.core, port: SDPPort.runningCommand)
        }
    }

    /// Tells a running simulation to store its provenance and end. It does not answer.
    public func updateProvenanceAndExit() async {
        await self.transceiver.sendOneWay(SDPMessage(.updateProvenanceAndExit, to: self.core))
    }
}

extension Transceiver {
    /// Sends an SDP message by the most direct link, and waits for no answer. What a core sends of itself arrives at the
    /// host that a tag names: see ``UDPListener``.
    public func sendOneWay(_ message: SDPMessage) async {
        var datagram = ByteBufferAllocator().buffer(
            capacity: SDPHeader.udpPadding + SDPHeader.size + message.data.readableBytes)
        message.writeDatagram(into: &datagram)
        await self.sendOneWay(datagram, to: message.header.destinationChip)
    }

    func sendOneWay(_ datagram: ByteBuffer, to chip: ChipID) async {
        let connection = self.connection(to: chip)
        await withCheckedContinuation { continuation in
            connection.eventLoop.execute {
                connection.link.write(datagram)
                connection.link.flush()
                continuation.resume()
            }
        }
    }
}
