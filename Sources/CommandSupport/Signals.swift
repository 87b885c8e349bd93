//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Dispatch
import NIOConcurrencyHelpers

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A signal ended the work: an exit code rather than a message.
package struct StoppedBySignal: Error, CustomStringConvertible {
    package let number: Int32
    package var description: String { "stopped by signal \(self.number)" }
    /// As shells have it: 130 for SIGINT (Ctrl-C), 143 for SIGTERM.
    package var exitCode: Int32 { 128 + self.number }
}

/// Runs `body`; SIGINT and SIGTERM cancel it, and once it has cleaned up, ``StoppedBySignal`` is thrown. A second signal
/// meanwhile ends the process at once, for whoever does not want to wait for the cleaning up.
package func withSignals<Value: Sendable>(
    _ signals: [Int32] = [SIGINT, SIGTERM], _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    // Whoever waits for none must not take those of others.
    guard !signals.isEmpty else { return try await body() }
    let (stream, continuation) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingNewest(4))
    let seen = NIOLockedValueBox(0)
    let queue = DispatchQueue(label: "signals")
    // A handler that writes to a pipe: a signal that comes before anybody listens waits there. (Dispatch's own signal sources
    // lose those that come while they are being set up.)
    let pipe = try SignalPipe()
    let source = DispatchSource.makeReadSource(fileDescriptor: pipe.readEnd, queue: queue)
    source.setEventHandler {
        while let number = pipe.next() {
            let count = seen.withLockedValue { count in
                count += 1
                return count
            }
            if count > 1 { _exit(128 + number) }
            continuation.yield(number)
        }
    }
    source.setCancelHandler { pipe.close() }
    source.resume()
    let previous = signals.map { number in (number, signal(number, signalArrived)) }
    defer {
        for (number, handler) in previous { signal(number, handler) }
        continuation.finish()
        source.cancel()
    }
    return try await withTaskGroup(of: SignalOutcome<Value>.self) { group in
        group.addTask {
            do { return .finished(.success(try await body())) } catch { return .finished(.failure(error)) }
        }
        group.addTask {
            for await number in stream { return .stopped(number) }
            return .quiet
        }
        var stopped: Int32?
        while let outcome = await group.next() {
            switch outcome {
            case .stopped(let number):
                stopped = number
                group.cancelAll()
            case .quiet:
                continue
            case .finished(let result):
                group.cancelAll()
                if let stopped { return Result<Value, any Error>.failure(StoppedBySignal(number: stopped)) }
                return result
            }
        }
        return Result<Value, any Error>.failure(CancellationError())
    }.get()
}

private enum SignalOutcome<Value: Sendable>: Sendable {
    case finished(Result<Value, any Error>)
    case stopped(Int32)
    case quiet
}

/// Where the handler writes; the pipe of the innermost scope.
///
/// Unchecked: a signal handler may touch nothing but a plain variable. It is one word, set before the handler is installed.
private nonisolated(unsafe) var signalPipeEnd: Int32 = -1

/// The handler: nothing but what POSIX allows in one.
private func signalArrived(_ number: Int32) {
    var byte = UInt8(truncatingIfNeeded: number)
    let before = errno
    _ = write(signalPipeEnd, &byte, 1)
    errno = before
}

/// A pipe of signal numbers that never blocks.
private struct SignalPipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32
    private let outer: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SignalsUnavailable(reason: String(cString: strerror(errno))) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            // Not for the commands that we run.
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (self.readEnd, self.writeEnd) = (ends[0], ends[1])
        self.outer = signalPipeEnd
        signalPipeEnd = ends[1]
    }

    func next() -> Int32? {
        var byte: UInt8 = 0
        return read(self.readEnd, &byte, 1) == 1 ? Int32(byte) : nil
    }

    func close() {
        if signalPipeEnd == self.writeEnd { signalPipeEnd = self.outer }
        _ = closeDescriptor(self.readEnd)
        _ = closeDescriptor(self.writeEnd)
    }
}

/// The system's close, which the method of the same name would hide.
private func closeDescriptor(_ end: Int32) -> Int32 { close(end) }

/// There is no file descriptor left to hear signals with.
struct SignalsUnavailable: Error, CustomStringConvertible {
    let reason: String
    var description: String { "signals can not be heard: \(self.reason)" }
}
