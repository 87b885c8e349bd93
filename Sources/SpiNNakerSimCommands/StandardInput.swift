//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore

/// Standard input by lines, whatever it is: a terminal, a pipe, a file. Ends at its end.
func standardInputLines() -> AsyncStream<String> {
    AsyncStream { continuation in
        let queue = DispatchQueue(label: "standard input")
        // A descriptor of its own: closing the channel closes it.
        let io = DispatchIO(type: .stream, fileDescriptor: dup(STDIN_FILENO), queue: queue) { _ in }
        io.setLimit(lowWater: 1)
        let reader = StandardInputReader(continuation: continuation)
        io.read(offset: 0, length: .max, queue: queue) { isDone, data, _ in
            reader.read(data, isDone: isDone)
        }
        continuation.onTermination = { _ in io.close(flags: .stop) }
    }
}

/// Unchecked: all calls come from one serial queue.
private final class StandardInputReader: @unchecked Sendable {
    private var lines = LineBuffer(longest: ControlSocket.longestLine)
    private let continuation: AsyncStream<String>.Continuation

    init(continuation: AsyncStream<String>.Continuation) { self.continuation = continuation }

    func read(_ data: DispatchData?, isDone: Bool) {
        if let data {
            guard self.lines.append(ByteBuffer(bytes: data)) else { return self.continuation.finish() }
            while let line = self.lines.next() { self.continuation.yield(line) }
        }
        guard isDone else { return }
        if let line = self.lines.rest() { self.continuation.yield(line) }
        self.continuation.finish()
    }
}
