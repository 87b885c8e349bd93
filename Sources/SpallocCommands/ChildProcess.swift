//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Dispatch
import NIOConcurrencyHelpers
import SpallocClient

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A command in our own process group, so that it has the terminal, and hears Ctrl-C from it, as if the shell had started it.
struct ChildProcess: Sendable {
    let arguments: [String]
    let environment: [String: String]
    /// After the task's cancellation: how long it may take to end by itself, and then by SIGTERM.
    var grace: Duration = .seconds(5)

    /// Runs it to its end; never leaves it behind.
    /// - Returns: its exit code; 128 plus the signal if one ended it.
    func run() async throws -> Int32 {
        let process = try self.spawn()
        return await withTaskGroup(of: Int32?.self) { group in
            group.addTask { await Self.wait(for: process) }
            group.addTask {
                // Sleeps for ever unless cancelled, by us at its end or by whoever wants it to end.
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
                return nil
            }
            var code: Int32?
            while code == nil, let outcome = await group.next() {
                if let outcome {
                    code = outcome
                } else {
                    await Self.end(process, grace: self.grace)
                }
            }
            group.cancelAll()
            return code ?? 1
        }
    }

    /// In a task that the cancellation does not reach, since it is what the cancellation asks for.
    private static func end(_ process: pid_t, grace: Duration) async {
        await Task {
            for signal in [SIGTERM, SIGKILL] {
                let end = ContinuousClock.now + grace
                while ContinuousClock.now < end {
                    // Not there any more, or waiting to be reaped.
                    if kill(process, 0) != 0 || Self.hasEnded(process) { return }
                    try? await Task.sleep(for: .milliseconds(20))
                }
                _ = kill(process, signal)
            }
        }.value
    }

    private static func hasEnded(_ process: pid_t) -> Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_signo == SIGCHLD
    }

    private static func wait(for process: pid_t) async -> Int32 {
        await withCheckedContinuation { continuation in
            // A thread of its own for as long as the command runs: waitpid blocks, and there is no other way on Linux.
            DispatchQueue.global().async {
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                let signal = status & 0x7F
                continuation.resume(returning: signal == 0 ? status >> 8 & 0xFF : 128 + signal)
            }
        }
    }

    private func spawn() throws -> pid_t {
        guard let name = self.arguments.first else { throw SpallocError(.invalidRequest, "there is no command to run") }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // We ignore these to hear of them by Dispatch; the command shall not inherit that.
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGPIPE, SIGQUIT] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        // Threads of Dispatch block signals, and a child has the mask of the thread that made it.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var argv: [UnsafeMutablePointer<CChar>?] = self.arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = self.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var process: pid_t = 0
        let error = posix_spawnp(&process, name, nil, &attributes, &argv, &envp)
        guard error == 0 else {
            throw SpallocError(.invalidRequest, "the command \(name) cannot be run: \(String(cString: strerror(error)))")
        }
        return process
    }
}
