//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import SpallocClient
import SpiNNakerMachine

struct WhereIsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "where-is", abstract: "Find a board or a chip by any of its names.",
        discussion: """
            EXAMPLES
              spalloc where-is --job 12 --chip 8,4          of a job: which board is that, really
              spalloc where-is --machine M --board 0,0,1    of a machine: and whose is it
              spalloc where-is --machine M --physical 0,1,5
              spalloc where-is --machine M --ip 10.0.0.9
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .long, help: "The machine the place is on.") var machine: String?
    @Option(name: .long, help: "The job whose chip is meant.") var job: Int?
    @Option(name: .long, help: ArgumentHelp("The chip, of the whole machine or relative to the job.", valueName: "x,y"))
    var chip: NumberList?
    @OptionGroup var board: BoardOptions

    func validate() throws {
        guard (self.machine == nil) != (self.job == nil) else {
            throw ValidationError("say where: either --machine or --job")
        }
        guard (self.chip == nil) != (try self.board.place() == nil) else {
            throw ValidationError("say what: --chip, or one of --board, --physical and --ip")
        }
        guard self.chip?.numbers.count ?? 2 == 2 else { throw ValidationError("--chip takes two numbers: x,y") }
        guard self.job == nil || self.chip != nil else { throw ValidationError("of a job, only a --chip can be found") }
    }

    func run() async throws {
        let chip = self.chip.map { ChipPosition(x: $0.numbers[0], y: $0.numbers[1]) }
        let board = try self.board.place()
        try await self.service.withClient { client in
            if let job, let chip {
                guard let place = try await client.job(job).whereIs(chip) else {
                    throw SpallocError(.notReady, "it has no boards yet", job: job)
                }
                self.output.show(.whereIs(place))
            } else if let machine, let place = chip.map({ .chip($0) }) ?? board.map({ SpallocMachine.Place.board($0) }) {
                self.output.show(.whereIs(try await client.machine(machine).whereIs(place)))
            }
        }
    }
}
