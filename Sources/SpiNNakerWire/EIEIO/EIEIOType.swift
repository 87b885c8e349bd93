//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What each element of an EIEIO data message holds.
///
/// | Type | Key bytes | Payload bytes | Elements in a bare message |
/// |---|---|---|---|
/// | 0 ``key16`` | 2 | – | 127 |
/// | 1 ``keyPayload16`` | 2 | 2 | 63 |
/// | 2 ``key32`` | 4 | – | 63 |
/// | 3 ``keyPayload32`` | 4 | 4 | 31 |
public enum EIEIOType: UInt8, Hashable, Sendable, CaseIterable {
    case key16 = 0
    case keyPayload16 = 1
    case key32 = 2
    case keyPayload32 = 3

    @inlinable
    public init(hasPayload: Bool, is32Bit: Bool) {
        switch (hasPayload, is32Bit) {
        case (false, false): self = .key16
        case (true, false): self = .keyPayload16
        case (false, true): self = .key32
        case (true, true): self = .keyPayload32
        }
    }

    @inlinable
    public var hasPayload: Bool { self.rawValue & 1 != 0 }
    @inlinable
    public var is32Bit: Bool { self.rawValue & 2 != 0 }
    /// Bytes of a key, of a payload and of the payload base: 2 or 4.
    @inlinable
    public var wordSize: Int { self.is32Bit ? 4 : 2 }
    @inlinable
    public var elementSize: Int { self.hasPayload ? self.wordSize * 2 : self.wordSize }
    /// What fits in a key or a payload.
    @inlinable
    public var maximumWord: UInt32 { self.is32Bit ? .max : 0xFFFF }
}

/// Sixteen bits that every key of a message shares.
public enum EIEIOPrefix: Hashable, Sendable {
    /// OR-ed to the lower half of each key.
    case lower(UInt16)
    /// OR-ed to the upper half of each key.
    case upper(UInt16)

    /// The 32 bits that are OR-ed to a key.
    @inlinable
    public var mask: UInt32 {
        switch self {
        case .lower(let bits): UInt32(bits)
        case .upper(let bits): UInt32(bits) << 16
        }
    }
}

/// One event: a key, and perhaps a payload, with the prefix and the base of its message already in them.
public struct EIEIOElement: Hashable, Sendable, CustomStringConvertible {
    public var key: UInt32
    public var payload: UInt32?
    /// The payload is the time of the event. False without a payload.
    public var isTimestamp: Bool

    @inlinable
    public init(key: UInt32, payload: UInt32? = nil, isTimestamp: Bool = false) {
        self.key = key
        self.payload = payload
        self.isTimestamp = isTimestamp
    }

    public var description: String {
        guard let payload = self.payload else { return "key \(self.key)" }
        return "key \(self.key) \(self.isTimestamp ? "time" : "payload") \(payload)"
    }
}
