//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOPosix

/// A program that is run for a notice: with something on its standard input, for so long and no longer.
struct NoticeCommand: Sendable {
    struct Failure: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    var arguments: [String]
    var deadline: Duration

    /// After it was asked to end.
    private static let grace = Duration.seconds(2)

    /// - Throws: ``Failure`` when it cannot be run, does not end in time, or says that it has failed.
    func run(input: Data) async throws {
        guard let program = self.arguments.first else { throw Failure(description: "no program is named") }
        // A gate is waited for once.
        let (ended, gone) = (WaitGate(), WaitGate())
        let process = try await NIOThreadPool.singleton.runIfActive {
            try self.start(program, input) {
                ended.open()
                gone.open()
            }
        }
        await ended.wait(within: self.deadline)
        guard process.isRunning else {
            guard process.reason == .exit, process.status == 0 else {
                throw Failure(
                    description: "\(program) has failed: \(process.reason == .exit ? "status" : "signal") \(process.status)")
            }
            return
        }
        process.signal(SIGTERM)
        await gone.wait(within: NoticeCommand.grace)
        process.signal(SIGKILL)
        throw Failure(description: "\(program) did not end within \(self.deadline.milliseconds / 1000) s")
    }

    /// From a file that has no name by the time the program runs: who reads nothing of it ends no pipe.
    private func start(_ program: String, _ input: Data, onEnd: @escaping @Sendable () -> Void) throws -> RunningCommand {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("spallocd-\(UUID().uuidString)")
        guard FileManager.default.createFile(atPath: file.path, contents: input, attributes: [.posixPermissions: 0o600]) else {
            throw Failure(description: "cannot write to \(file.deletingLastPathComponent().path)")
        }
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = Array(self.arguments.dropFirst())
        // What the service was told by its environment is not the program's business.
        process.environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"]
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.terminationHandler = { _ in onEnd() }
        do {
            try process.run()
        } catch {
            throw Failure(description: "cannot run \(program): \(error.localizedDescription)")
        }
        return RunningCommand(process)
    }
}

/// A command that runs, or has.
private final class RunningCommand: @unchecked Sendable {
    // Unchecked: Foundation guards a process' state by a lock of its own, but has not declared it sendable.
    private let process: Process

    init(_ process: Process) { self.process = process }

    var isRunning: Bool { self.process.isRunning }
    var status: Int32 { self.process.terminationStatus }
    var reason: Process.TerminationReason { self.process.terminationReason }
    /// To a process that has not been waited for, or to none.
    func signal(_ number: Int32) { if self.process.isRunning { kill(self.process.processIdentifier, number) } }
}
