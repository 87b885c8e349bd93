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
    let (stream, continuation) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingNewest(4))
    let seen = NIOLockedValueBox(0)
    let queue = DispatchQueue(label: "signals")
    let sources = signals.map { number in
        // Dispatch hears of a signal only if the process does not die of it.
        let previous = signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler {
            let count = seen.withLockedValue { count in
                count += 1
                return count
            }
            if count > 1 { _exit(128 + number) }
            continuation.yield(number)
        }
        source.setCancelHandler { signal(number, previous) }
        source.resume()
        return source
    }
    defer {
        continuation.finish()
        for source in sources { source.cancel() }
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
