//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerWire

/// What the service asks of the BMP of one frame.
package protocol BMPController: Sendable {
    /// Switches boards, all with one command. Returns when the BMP says it is done.
    func setPower(slots: [Int], on: Bool) async throws(BMPError)
    /// The FLAG register of one of a board's FPGAs: the low two bits are its number if it is configured.
    func readFPGAFlag(slot: Int, fpga: Int) async throws(BMPError) -> UInt32
    /// Stops, or lets go, one of an FPGA's two inter-board links.
    func setLinkStop(slot: Int, fpga: Int, bank: Int, stop: Bool) async throws(BMPError)
    /// Serial number, sensors and blacklist of a board, which may be off.
    func readHealth(slot: Int) async throws(BMPError) -> BoardHealth
    /// Replaces a board's blacklist, in both places where its BMP keeps it. It holds from the board's next reset.
    func writeBlacklist(_ list: Blacklist, slot: Int) async throws(BMPError)
    func close() async
}

/// Why a BMP did not do what it was asked.
package enum BMPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No answer, or the command did not get through. Another try may help.
    case unreachable(String)
    /// The BMP answered: no.
    case refused(String)
    /// The service is stopping.
    case cancelled

    /// For counting.
    var label: String {
        switch self {
        case .unreachable: "unreachable"
        case .refused: "refused"
        case .cancelled: "cancelled"
        }
    }

    package var description: String {
        switch self {
        case .unreachable(let detail): "the BMP does not answer: \(detail)"
        case .refused(let detail): "the BMP refuses: \(detail)"
        case .cancelled: "cancelled"
        }
    }
}

/// Makes the controller of a BMP. It does not talk to it yet.
package typealias BMPControllerFactory = @Sendable (MachineCatalogue.BMP) async throws -> any BMPController
