//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A tag that is set: where SDP messages that leave a board by it go, or which core UDP that arrives goes to.
public struct BoardTag: Hashable, Sendable {
    /// The board's Ethernet chip.
    public var board: ChipID
    public var number: UInt8
    public var entry: IPTagEntry

    public var isReverse: Bool { self.entry.flags.contains(.reverse) }
    /// Taken by SC&MP itself for a reply under way.
    public var isTransient: Bool { self.entry.flags.contains(.transient) }
}

extension Transceiver {
    /// Sends what leaves a board by a tag to a host.
    ///
    /// - Parameters:
    ///   - tag: 0...7
    ///   - board: the board's Ethernet chip; nil: every connected board.
    ///   - address: nil: the host that this comes from, as the board sees it.
    ///   - strip: leave out the SDP header (and two bytes before it).
    ///   - useSender: take address *and port* from where this request came.
    public func setIPTag(
        _ tag: UInt8, board: ChipID? = nil, address: IPv4Address?, port: UInt16, strip: Bool, useSender: Bool = false
    ) async throws(TransceiverError) {
        try await self.onBoards(board) { board throws(TransceiverError) in
            _ = try await self.send(
                SetIPTag(tag: tag, address: address, port: port, strip: strip, useSender: useSender), to: .monitor(of: board))
        }
    }

    /// Gives UDP that arrives at a port of a board to a core, as SDP.
    ///
    /// - Parameters:
    ///   - port: not 17893 or 54321, which are SC&MP's and the boot ROM's.
    ///   - sdpPort: 1...7
    public func setReverseIPTag(
        _ tag: UInt8, board: ChipID? = nil, port: UInt16, core: CoreID, sdpPort: UInt8
    ) async throws(TransceiverError) {
        guard Int(port) != SCP.port, Int(port) != BootMessage.port else {
            throw TransceiverError(.invalidArgument, "UDP port \(port) belongs to the board itself")
        }
        try await self.onBoards(board) { board throws(TransceiverError) in
            _ = try await self.send(
                SetReverseIPTag(tag: tag, port: port, core: core, sdpPort: sdpPort), to: .monitor(of: board))
        }
    }

    /// Sends what leaves a board by a tag to a listener of this process, wherever the board sees it: the board takes the
    /// address and the port from where the request comes, which is the listener's own socket. So it works through NAT too.
    ///
    /// The board must be reached by UDP, not through a proxy.
    ///
    /// - Throws: ``TransceiverError/Code/noConnection`` when the board's address is not known or it does not answer.
    public func pointIPTag(
        _ tag: UInt8, of board: ChipID, at listener: UDPListener, strip: Bool = true
    ) async throws(TransceiverError) {
        let address = self.withState { state in state.boards.first { $0.chip == board }?.address }
        guard let address = address ?? self.machine?[board]?.address else {
            throw TransceiverError(.noConnection, "the address of the board at \(board) is not known", chip: board)
        }
        var datagram = ByteBufferAllocator().buffer(capacity: SCP.maximumRequestDatagram)
        var packet = SCPPacket.reprogramTag(tag, of: board, strip: strip)
        packet.sequence = listener.takeSequence()
        packet.writeDatagram(into: &datagram)
        let sequence = packet.sequence
        let answer: ByteBuffer?
        do {
            answer = try await listener.exchange(datagram, with: address, port: SCP.port) { bytes in
                // An event may have the length of a reply, and even its first bytes: the number tells them apart.
                guard (14...18).contains(bytes.readableBytes), let reply = try? SCPReply(datagram: bytes) else {
                    return false
                }
                return !reply.header.flags.contains(.replyWanted) && reply.sequence == sequence
                    && (reply.result.rawValue & 0xFFF0) == SCPResult.ok.rawValue
            }
        } catch {
            throw TransceiverError(.noConnection, "board \(address): \(error)", chip: board)
        }
        guard let answer, let reply = try? SCPReply(datagram: answer) else {
            throw TransceiverError(.noConnection, "board \(address) does not answer the listener", chip: board)
        }
        // An OK without the tag in it is a refusal too.
        guard reply.result == .ok, (try? reply.decode(for: SetIPTag.self)) != nil else {
            throw TransceiverError(.invalidArgument, "board \(address) refuses tag \(tag): \(reply.result)", chip: board)
        }
    }

    /// Clears a tag, of one board or of every connected one.
    public func clearIPTag(_ tag: UInt8, board: ChipID? = nil) async throws(TransceiverError) {
        try await self.onBoards(board) { board throws(TransceiverError) in
            _ = try await self.send(ClearIPTag(tag: tag), to: .monitor(of: board))
        }
    }

    /// The tags that are set, of one board or of every connected one. Those of replies under way are among them.
    public func tags(board: ChipID? = nil) async throws(TransceiverError) -> [BoardTag] {
        var tags: [BoardTag] = []
        for board in try self.boards(board) {
            let monitor = CoreID.monitor(of: board)
            let info = try await self.send(SetIPTagTimeout(code: nil), to: monitor)
            let count = min(UInt8(clamping: Int(info.poolSize) + Int(info.fixedSize)), 64)
            let replies = try await self.sendAll((0..<count).map { (GetIPTags(tag: $0), monitor) })
            for (number, reply) in replies.enumerated() {
                guard let entry = reply.entries.first, entry.flags.contains(.valid) else { continue }
                tags.append(BoardTag(board: board, number: UInt8(truncatingIfNeeded: number), entry: entry))
            }
        }
        return tags
    }

    /// The connected board that has an address; nil: none has.
    public func board(at address: IPv4Address) -> ChipID? {
        self.withState { state in state.boards.first { $0.address == address }?.chip }
    }

    private func boards(_ board: ChipID?) throws(TransceiverError) -> [ChipID] {
        let connected = self.connectedChips
        guard let board else { return connected }
        if let machine = self.machine {
            guard machine[board]?.isEthernet == true else {
                throw TransceiverError(.invalidArgument, "\(board) is not the Ethernet chip of a board", chip: board)
            }
        } else if !connected.contains(board) {
            throw TransceiverError(.invalidArgument, "there is no link to a board at \(board)", chip: board)
        }
        return [board]
    }

    private func onBoards(
        _ board: ChipID?, _ body: (ChipID) async throws(TransceiverError) -> Void
    ) async throws(TransceiverError) {
        for board in try self.boards(board) { try await body(board) }
    }
}
