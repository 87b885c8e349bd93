//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import SpallocClient
import SpiNNakerMachine

/// `X,Y,Z`, `C,F,B` and the like.
struct NumberList: ExpressibleByArgument {
    let numbers: [Int]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }
        guard numbers.count == parts.count, numbers.allSatisfy({ $0 >= 0 }) else { return nil }
        self.numbers = numbers
    }
}

/// One board, by one of its names.
struct BoardOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The board at these triad coordinates.", valueName: "x,y,z"))
    var board: NumberList?

    @Option(name: .long, help: ArgumentHelp("The board in this cabinet, frame and slot.", valueName: "c,f,b"))
    var physical: NumberList?

    @Option(name: .long, help: ArgumentHelp("The board with this address.", valueName: "a.b.c.d"))
    var ip: String?

    func validate() throws {
        let count = [self.board != nil, self.physical != nil, self.ip != nil].count { $0 }
        guard count <= 1 else { throw ValidationError("only one of --board, --physical and --ip names the board") }
        _ = try self.place()
    }

    func place() throws -> SpallocJobRequest.Board? {
        if let n = self.board?.numbers {
            guard n.count == 3 else { throw ValidationError("--board takes three numbers: x,y,z") }
            return .triad(BoardCoordinates(n[0], n[1], n[2]))
        }
        if let n = self.physical?.numbers {
            guard n.count == 3 else { throw ValidationError("--physical takes three numbers: cabinet,frame,board") }
            return .physical(PhysicalCoordinates(cabinet: n[0], frame: n[1], board: n[2]))
        }
        if let ip {
            guard let address = IPv4Address(ip) else { throw ValidationError("--ip takes an IPv4 address, not \(ip)") }
            return .address(address)
        }
        return nil
    }
}
