//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Looks at one socket until there is something to read: see ``ReplyWatch``.
struct SocketWatch {
    /// nil: there is none, as in a test. Asked for once, since that costs as much as to look. Looking at it after its channel has closed, when
    /// the number may be another file's, ends the watch too soon or too late and does no harm.
    private let socket: CInt?

    /// On the channel's event loop.
    init(_ channel: any Channel) {
        self.socket = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { $0 }
    }

    /// On a single processor the peer could not answer while we look.
    static let hasProcessorToSpare = SocketWatch.usableProcessors > 1

    private static var usableProcessors: Int {
        // Linux tells which this process may run on (`taskset`, a container's cpuset), of which Foundation knows nothing.
        let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        return status.flatMap { SocketWatch.allowedProcessors(status: $0) } ?? ProcessInfo.processInfo.activeProcessorCount
    }

    /// How many bits are set in the mask `Cpus_allowed` of a `/proc/PID/status`, which is hexadecimal in groups of 32 bits: `3`,
    /// `ff,00000001`. nil: there is none.
    static func allowedProcessors(status: String) -> Int? {
        let name = "Cpus_allowed:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        let count = line.dropFirst(name.count).reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }
        return count > 0 ? count : nil
    }

    /// Returns as soon as the socket can be read, or has failed, or `time` is over. On the channel's event loop, which does nothing
    /// else meanwhile.
    func wait(atMost time: TimeAmount) {
        guard let socket = self.socket else { return }
        let end = NIODeadline.now() + time
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        repeat {
            // Interrupted by a signal: the event loop sees to the rest.
            if poll(&entry, 1, 0) != 0 { return }
        } while NIODeadline.now() < end
    }
}
