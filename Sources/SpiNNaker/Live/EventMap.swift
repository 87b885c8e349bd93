//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerWire

/// What live output means: which population an event is of, and which of its atoms.
public enum LiveEvent: Hashable, Sendable {
    /// All events of a message that have this time and this label, in their order.
    case timed(label: String, time: UInt32, atoms: [Int], keys: [UInt32])
    case single(label: String, atom: Int, key: UInt32, payload: UInt32?)
}

/// Keys, and what they stand for. The simulation's database has them, by label.
public struct EventMap: Sendable {
    public struct Source: Hashable, Sendable {
        public var label: String
        public var atom: Int
    }

    private var sources: [UInt32: Source] = [:]
    /// Keys that were asked for and are not known; told once each.
    private var strangers: Set<UInt32> = []
    /// Of more unknown keys than this, the rest are told every time rather than kept.
    private static let maximumStrangers = 65536

    public init() {}

    /// Adds what a label's keys stand for.
    public mutating func add(_ label: String, atoms: [UInt32: Int]) {
        for (key, atom) in atoms { self.sources[key] = Source(label: label, atom: atom) }
    }

    public subscript(key: UInt32) -> Source? { self.sources[key] }

    /// The events of a message whose keys are known; and the keys that are not, each only the first time it comes.
    ///
    /// - Note: a message that was cut short has the events that are there.
    public mutating func events(in message: EIEIODataMessage) -> (events: [LiveEvent], unknown: [UInt32]) {
        struct Group: Hashable {
            var time: UInt32
            var label: String
        }
        var events: [LiveEvent] = []
        var unknown: [UInt32] = []
        var groups: [Group: Int] = [:]
        for element in message.presentElements {
            guard let source = self.sources[element.key] else {
                if !self.strangers.contains(element.key) {
                    if self.strangers.count < EventMap.maximumStrangers { self.strangers.insert(element.key) }
                    unknown.append(element.key)
                }
                continue
            }
            guard element.isTimestamp, let time = element.payload else {
                events.append(
                    .single(label: source.label, atom: source.atom, key: element.key, payload: element.payload))
                continue
            }
            let group = Group(time: time, label: source.label)
            guard let index = groups[group], case .timed(_, _, var atoms, var keys) = events[index] else {
                groups[group] = events.count
                events.append(.timed(label: source.label, time: time, atoms: [source.atom], keys: [element.key]))
                continue
            }
            // Taken out first, so that the arrays are not copied for each event.
            events[index] = .timed(label: "", time: 0, atoms: [], keys: [])
            atoms.append(source.atom)
            keys.append(element.key)
            events[index] = .timed(label: source.label, time: time, atoms: atoms, keys: keys)
        }
        return (events, unknown)
    }
}
