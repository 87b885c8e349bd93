//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import SpallocClient

struct MachinesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "machines", abstract: "List the machines, or tell about one.",
        discussion: """
            EXAMPLES
              spalloc machines
              spalloc machines SpiNNaker1M --json
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The machine to tell about.") var name: String?

    func run() async throws {
        try await self.service.withClient { client in
            if let name {
                let machine = try await client.machine(name)
                self.output.show(.machine(machine, try await machine.detail()))
            } else {
                self.output.show(.machines(try await client.machines()))
            }
        }
    }
}
