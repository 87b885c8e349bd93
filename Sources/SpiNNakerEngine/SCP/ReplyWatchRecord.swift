//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Whether watching for replies has paid of late.
///
/// It does not where the board needs the very thread or processor that watches: when host and virtual board share an event loop, or a
/// computer is busy. After a watch in vain, replies are let pass unwatched, twice as many each time.
@usableFromInline
struct ReplyWatchRecord {
    @usableFromInline static let shortestPause = 16
    @usableFromInline static let longestPause = 4096
    /// Between the socket's being readable and our hearing of it.
    @usableFromInline static let slack = TimeAmount.microseconds(10)

    /// The end of the watch under way.
    @usableFromInline var end: NIODeadline?
    /// Replies yet to be let pass.
    @usableFromInline var pause = 0
    @usableFromInline var nextPause = ReplyWatchRecord.shortestPause

    @inlinable init() {}

    @inlinable var isPaused: Bool { self.pause > 0 }

    @inlinable
    mutating func began(until end: NIODeadline) { self.end = end }

    /// A reply came.
    @inlinable
    mutating func heard(_ now: NIODeadline) {
        guard let end = self.end else {
            if self.pause > 0 { self.pause -= 1 }
            return
        }
        self.end = nil
        if now > end + ReplyWatchRecord.slack {
            self.pause = self.nextPause
            self.nextPause = min(ReplyWatchRecord.longestPause, self.nextPause * 2)
        } else {
            self.nextPause = max(ReplyWatchRecord.shortestPause, self.nextPause / 2)
        }
    }
}
