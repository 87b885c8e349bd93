//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// The IP tags of one chip: how messages leave it for the Ethernet, and how UDP comes in by reverse tags.
///
/// Tags 0...7 are fixed, 8...15 a pool from which each request that wants a reply borrows one. Timeouts are instants here:
/// an entry whose time is over counts as unused from then on.
package struct TagTable {
    package static let count = 16
    package static let fixed = 8
    package static let firstTransient = 8
    /// The MAC that every host has here: there is no Ethernet to ask.
    static let hostMAC: UInt64 = 0x0200_0000_0001

    package struct Tag: Hashable, Sendable {
        package var flags: IPTagEntry.Flags = []
        package var host = HostAddress(ip: .any, port: 0)
        /// nil: does not time out.
        package var expiry: NIODeadline?
        package var messages: UInt32 = 0
        package var receivePort: UInt16 = 0
        package var destinationChip = ChipID.origin
        package var destination = SDPAddress(byte: 0)

        package init() {}

        func isInUse(at now: NIODeadline) -> Bool {
            guard self.flags.contains(.valid) else { return false }
            guard let expiry = self.expiry else { return true }
            return now < expiry
        }
    }

    private var tags: [Tag] = []
    /// The code of the timeout of transient tags: 10 ms · 2^(code - 1), 0 for none.
    package var transientTimeout: UInt8 = 9

    package init() {}

    /// The 16 entries are made when the first is needed: most chips never are.
    private mutating func prepare() {
        if self.tags.isEmpty { self.tags = Array(repeating: Tag(), count: TagTable.count) }
    }

    static func duration(ofCode code: UInt8) -> TimeAmount? {
        code == 0 ? nil : .milliseconds(10 << Int64(min(code, 15) - 1))
    }

    /// For a request that wants a reply: the first free tag of the pool.
    /// - Returns: nil when all are in use; the request is then dropped.
    package mutating func takeTransient(for host: HostAddress, now: NIODeadline) -> UInt8? {
        self.prepare()
        for index in TagTable.firstTransient..<TagTable.count where !self.tags[index].isInUse(at: now) {
            var flags: IPTagEntry.Flags = [.valid, .transient]
            flags.rawValue |= UInt16(self.transientTimeout)
            self.tags[index].flags = flags
            self.tags[index].host = host
            self.tags[index].expiry = TagTable.duration(ofCode: self.transientTimeout).map { now + $0 }
            self.tags[index].messages = 0
            self.tags[index].receivePort = 0
            self.tags[index].destinationChip = .origin
            self.tags[index].destination = SDPAddress(byte: 0)
            return UInt8(index)
        }
        return nil
    }

    package func isInUse(_ tag: UInt8, at now: NIODeadline) -> Bool {
        Int(tag) < self.tags.count && self.tags[Int(tag)].isInUse(at: now)
    }

    package func tag(_ tag: UInt8, at now: NIODeadline) -> Tag? {
        self.isInUse(tag, at: now) ? self.tags[Int(tag)] : nil
    }

    package var transientsInUse: Int { self.tags.dropFirst(TagTable.firstTransient).count { $0.flags.contains(.valid) } }

    /// A message leaves by this tag: counts it, and frees a transient one.
    /// - Returns: nil when the tag is not in use; the message then vanishes.
    @inline(__always)
    mutating func use(_ tag: UInt8, at now: NIODeadline) -> Tag? {
        let index = Int(tag)
        guard index < self.tags.count, self.tags[index].isInUse(at: now) else { return nil }
        self.tags[index].messages &+= 1
        let used = self.tags[index]
        if used.flags.contains(.transient) { self.tags[index].flags = [] }
        return used
    }

    /// The first unused tag of the pool, for NEW.
    mutating func firstUnused(at now: NIODeadline) -> UInt8? {
        self.prepare()
        return (TagTable.firstTransient..<TagTable.count).first { !self.tags[$0].isInUse(at: now) }.map { UInt8($0) }
    }

    /// Keeps a tag for a reply that is known to come later than its timeout.
    mutating func hold(_ tag: UInt8, until instant: NIODeadline) {
        guard Int(tag) < self.tags.count, let expiry = self.tags[Int(tag)].expiry, expiry <= instant else { return }
        self.tags[Int(tag)].expiry = instant + .milliseconds(10)
    }

    mutating func set(_ tag: UInt8, to entry: Tag) {
        self.prepare()
        self.tags[Int(tag) & 15] = entry
    }

    mutating func clear(_ tag: UInt8) {
        guard Int(tag) < self.tags.count else { return }
        self.tags[Int(tag)].flags = []
    }

    /// UDP has come in on a reverse tag's port: from now on the tag leads back to its sender.
    /// - Returns: the first fixed tag that listens there.
    mutating func receive(port: UInt16, from host: HostAddress, now: NIODeadline) -> (tag: UInt8, entry: Tag)? {
        for index in self.tags.indices.prefix(TagTable.fixed)
        where self.tags[index].isInUse(at: now) && self.tags[index].flags.contains(.reverse)
            && self.tags[index].receivePort == port
        {
            self.tags[index].host = host
            self.tags[index].messages &+= 1
            return (UInt8(index), self.tags[index])
        }
        return nil
    }

    /// Ports on which reverse tags listen.
    package var reversePorts: Set<UInt16> {
        var ports: Set<UInt16> = []
        for tag in self.tags.prefix(TagTable.fixed) where tag.flags.isSuperset(of: [.valid, .reverse]) {
            ports.insert(tag.receivePort)
        }
        return ports
    }

    /// An entry as GET shows it; one that has timed out is empty.
    func entry(_ index: Int, at now: NIODeadline) -> IPTagEntry {
        guard index < self.tags.count else { return IPTagEntry() }
        let tag = self.tags[index]
        let isLive = tag.isInUse(at: now)
        // Ticks of 10 ms, a started one counted.
        let left = isLive ? tag.expiry.map { max(0, ($0 - now).nanoseconds + 9_999_999) / 10_000_000 } ?? 0 : 0
        let isReverse = tag.flags.contains(.reverse)
        return IPTagEntry(
            address: tag.host.ip, mac: tag.host.ip == .any ? 0 : TagTable.hostMAC, port: tag.host.port,
            timeout: UInt16(clamping: left), flags: isLive ? tag.flags : [], count: tag.messages,
            receivePort: isReverse ? tag.receivePort : 0, destinationChip: isReverse ? tag.destinationChip : .origin,
            destination: isReverse ? tag.destination : SDPAddress(byte: 0))
    }
}
