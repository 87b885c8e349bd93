//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerWire

/// What a visualiser makes of notifications, some of which are lost or come twice.
///
/// The toolchain sends DATABASE, waits for the acknowledgement, then sends START and STOP; and all of it again for the next
/// part of the run, from another port. A DATABASE is new if anything about it is, or if a run came between.
package struct VisualiserMachine<Source: Hashable & Sendable>: Sendable {
    package enum Action: Hashable, Sendable {
        /// Send the acknowledgement: it was read before.
        case acknowledge(Source)
        /// Tell of the database; ``databaseRead(_:)`` when it has been read.
        case database(Notice)
        case started
        case stopped
    }

    package struct Notice: Hashable, Sendable {
        package let path: String?
        package let source: Source
        package let number: Int
    }

    package enum Phase: Hashable, Sendable { case idle, reading, ready, running, stopped }

    package private(set) var phase = Phase.idle
    private var current: Notice?
    private var isRead = false
    private var count = 0

    package init() {}

    /// nil: nothing is to be done.
    package mutating func received(_ message: NotificationMessage, from source: Source) -> Action? {
        switch message {
        case .database(let path):
            if let current, current.path == path, current.source == source, self.phase != .stopped {
                // Again, because our answer was lost or is still to come.
                return self.isRead ? .acknowledge(source) : nil
            }
            self.count += 1
            let notice = Notice(path: path, source: source, number: self.count)
            self.current = notice
            self.isRead = false
            self.phase = .reading
            return .database(notice)
        case .startResume:
            guard self.phase != .running else { return nil }
            // Without a database too: a visualiser that came late.
            self.phase = .running
            return .started
        case .stopPause:
            guard self.phase != .idle, self.phase != .stopped else { return nil }
            self.phase = .stopped
            return .stopped
        }
    }

    /// The database of a notice has been read: where the acknowledgement goes; nil: the notice is out of date.
    package mutating func databaseRead(_ number: Int) -> Source? {
        guard let current, current.number == number else { return nil }
        self.isRead = true
        if self.phase == .reading { self.phase = .ready }
        return current.source
    }
}
