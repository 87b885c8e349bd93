//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import ArgumentParser
import CommandSupport
import Foundation
import SpallocServer

/// `spallocd machine …`
struct DaemonMachine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "machine", abstract: "The machines that are shared.", subcommands: [Import.self])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add the machines of a definition file.",
            discussion: """
                The file is in the reference's JSON format. All its machines are added, or none. A machine that is there already \
                must be the same: so the command may be run again. A running service takes new machines up at SIGHUP.
                """)
        @OptionGroup var file: DaemonConfiguration
        @Argument(help: ArgumentHelp("The machine definitions, JSON.", valueName: "file"))
        var definitions: String

        func run() async throws {
            let configuration = try self.file.load()
            let machines = try MachineDefinitionFile.load(self.definitions)
            let imported = try await Administration.with(configuration, creating: true) { administration in
                try await administration.importMachines(machines)
            }
            for machine in imported {
                switch machine {
                case .added(let name, let boards): CommandContext.current.out("machine \(name) was added: \(boards) boards")
                case .unchanged(let name): CommandContext.current.out("machine \(name) is there already")
                }
            }
        }
    }
}

/// `spallocd backup FILE`
struct DaemonBackup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the database to a new file; also while the service runs.",
        discussion: """
            The copy is the database as it was at one moment, checked, readable only by its owner. To go back to it: stop the \
            service, move the database and its -wal and -shm files away, put the copy in its place, start.
            """)

    @OptionGroup var file: DaemonConfiguration
    @Argument(help: ArgumentHelp("The copy; it must not exist.", valueName: "file"))
    var copy: String

    func run() async throws {
        let configuration = try self.file.load()
        let bytes = try await Administration.with(configuration) { try $0.backUp(to: self.copy) }
        CommandContext.current.out("\(self.copy): \(bytes) bytes")
    }
}
