//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpallocAPI
import SpiNNakerMachine

/// A machine of the service, as it was when it was listed.
public struct SpallocMachine: Sendable {
    public let brief: MachineBrief
    let session: SpallocSession

    public var name: String { self.brief.name }
    public var tags: [String] { self.brief.tags }
    /// In triads.
    public var width: Int { self.brief.width }
    /// In triads.
    public var height: Int { self.brief.height }
    public var deadBoards: [BoardCoords] { self.brief.deadBoards }
    public var deadLinks: [DeadLink] { self.brief.deadLinks }
    /// Boards of the whole machine, dead ones included.
    public var boardCount: Int { self.width * self.height * 3 }

    private var url: SpallocURL {
        self.session.serviceURL.following(self.brief.uri) ?? self.session.rootURL.appending("machines", self.name)
    }

    /// What is known of it now.
    public func detail() async throws(SpallocError) -> MachineDetail { try await self.session.json(self.url) }

    /// As it is after its next change, or after the service's wait limit (30 s) if nothing changes.
    public func nextChange() async throws(SpallocError) -> MachineDetail {
        try await self.session.json(
            self.url, query: [("wait", "true")], timeout: self.session.configuration.longPollTimeout)
    }

    /// A place on a machine.
    public enum Place: Hashable, Sendable, CustomStringConvertible {
        /// Of the whole machine.
        case chip(ChipPosition)
        case board(SpallocJobRequest.Board)

        public var description: String {
            switch self {
            case .chip(let chip): "chip \(chip)"
            case .board(let board): "\(board)"
            }
        }
    }

    /// Every name of a place, and the job that has it.
    /// - Throws: ``SpallocError/Code/notFound`` when the machine has no such place.
    public func whereIs(_ place: Place) async throws(SpallocError) -> WhereIs {
        let (lookup, query): (String, [(name: String, value: String)]) =
            switch place {
            case .chip(let chip): ("chip", [("x", "\(chip.x)"), ("y", "\(chip.y)")])
            case .board(.triad(let board)):
                ("logical-board", [("x", "\(board.x)"), ("y", "\(board.y)"), ("z", "\(board.z)")])
            case .board(.physical(let board)):
                ("physical-board", [("cabinet", "\(board.cabinet)"), ("frame", "\(board.frame)"), ("board", "\(board.board)")])
            case .board(.address(let address)): ("board-ip", [("address", "\(address)")])
            }
        do throws(SpallocError) {
            return try await self.session.json(self.url.appending(lookup), query: query)
        } catch {
            guard error.code == .notFound else { throw error }
            throw SpallocError(
                .notFound, "machine \(self.name) has no \(place)", serverMessage: error.serverMessage, status: error.status,
                url: error.url)
        }
    }
}
