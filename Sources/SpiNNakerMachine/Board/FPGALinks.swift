//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which FPGA of a SpiNN-5 board, and which of its two inter-board link banks, carries a side of the board.
///
/// | Side | N | NE | E | S | SW | W |
/// |---|---|---|---|---|---|---|
/// | FPGA, bank | 2, 0 | 2, 1 | 0, 0 | 0, 1 | 1, 0 | 1, 1 |
public struct FPGALinkBank: Hashable, Sendable {
    public let fpga: Int
    public let bank: Int

    public init(side: Link) {
        switch side {
        case .north: (self.fpga, self.bank) = (2, 0)
        case .northEast: (self.fpga, self.bank) = (2, 1)
        case .east: (self.fpga, self.bank) = (0, 0)
        case .south: (self.fpga, self.bank) = (0, 1)
        case .southWest: (self.fpga, self.bank) = (1, 0)
        case .west: (self.fpga, self.bank) = (1, 1)
        }
    }
}
