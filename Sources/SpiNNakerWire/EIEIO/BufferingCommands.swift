//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Command 6: a core asks for more of the events that the host keeps for one of its regions.
///
/// | Offset in the message | Type | Field |
/// |---|---|---|
/// | 2 | u8 y, u8 x | chip |
/// | 4 | u8 | core << 3 |
/// | 5 | u8 | – |
/// | 6 | u8 | region, 0...15 |
/// | 7 | u8 | sequence |
/// | 8 | u32 | space, bytes |
public struct RequestBuffers: Hashable, Sendable {
    public var core: CoreID
    public var region: UInt8
    public var sequence: UInt8
    public var space: UInt32

    /// `core` 0...31 and `region` 0...15: higher bits of either are dropped.
    public init(core: CoreID, region: UInt8, sequence: UInt8, space: UInt32) {
        self.core = CoreID(chip: core.chip, p: core.p & 31)
        self.region = region & 15
        self.sequence = sequence
        self.space = space
    }

    init(body: inout ByteBuffer) throws(WireError) {
        let what = "EIEIO request for buffers"
        let chip = ChipID(p2pAddress: try body.take(of: what))
        let core: UInt8 = try body.take(of: what)
        try body.skip(1, of: what)
        let region: UInt8 = try body.take(of: what)
        let sequence: UInt8 = try body.take(of: what)
        self.init(core: CoreID(chip: chip, p: core >> 3), region: region, sequence: sequence, space: try body.take(of: what))
    }

    func write(body: inout ByteBuffer) {
        body.put(self.core.chip.p2pAddress)
        body.put(self.core.p << 3)
        body.put(UInt8(0))
        body.put(self.region & 15)
        body.put(self.sequence)
        body.put(self.space)
    }
}

/// Command 7: events for a region of a core, in the order of the sequence.
///
/// | Offset in the message | Type | Field |
/// |---|---|---|
/// | 2 | u8 | region |
/// | 3 | u8 | sequence |
/// | 4 | … | an EIEIO data message |
public struct SequencedData: Hashable, Sendable {
    public var region: UInt8
    public var sequence: UInt8
    /// The bytes of the message, as they came.
    public var data: ByteBuffer

    public init(region: UInt8, sequence: UInt8, data: ByteBuffer) {
        self.region = region
        self.sequence = sequence
        self.data = data
    }

    public init(region: UInt8, sequence: UInt8, message: EIEIODataMessage) {
        var data = ByteBuffer()
        message.write(into: &data)
        self.init(region: region, sequence: sequence, data: data)
    }

    public var message: EIEIODataMessage {
        get throws(WireError) { try EIEIODataMessage(datagram: self.data) }
    }

    init(body: inout ByteBuffer) throws(WireError) {
        self.region = try body.take(of: "EIEIO sequenced data")
        self.sequence = try body.take(of: "EIEIO sequenced data")
        self.data = body
    }

    func write(body: inout ByteBuffer) {
        body.put(self.region)
        body.put(self.sequence)
        body.writeImmutableBuffer(self.data)
    }
}

/// Command 8: a core has recorded data that the host should read.
///
/// | Offset in the message | Type | Field |
/// |---|---|---|
/// | 2 | u8 y, u8 x | chip |
/// | 4 | u8 | core << 3 \| number of requests |
/// | 5 | u8 | sequence |
/// | 6 | 10 bytes | first request: u8 channel, u8 region, u32 start address, u32 size |
/// | 16 | 12 bytes each | the others: two bytes of padding, then the same |
public struct RequestReadData: Hashable, Sendable {
    public static let maximumRequests = 7

    public struct Request: Hashable, Sendable {
        public var channel: UInt8
        public var region: UInt8
        public var address: UInt32
        public var size: UInt32
        public init(channel: UInt8, region: UInt8, address: UInt32, size: UInt32) {
            self.channel = channel
            self.region = region
            self.address = address
            self.size = size
        }
    }

    public let core: CoreID
    public let sequence: UInt8
    public let requests: [Request]

    /// - Throws: ``WireError/invalid(message:field:value:)`` for more than 7 requests, or a core above 31.
    public init(core: CoreID, sequence: UInt8, requests: [Request]) throws(WireError) {
        guard requests.count <= RequestReadData.maximumRequests else {
            throw .invalid(message: "EIEIO request to read", field: "number of requests", value: UInt64(requests.count))
        }
        guard core.p < 32 else { throw .invalid(message: "EIEIO request to read", field: "core", value: UInt64(core.p)) }
        self.core = core
        self.sequence = sequence
        self.requests = requests
    }

    init(body: inout ByteBuffer) throws(WireError) {
        let what = "EIEIO request to read"
        let chip = ChipID(p2pAddress: try body.take(of: what))
        let packed: UInt8 = try body.take(of: what)
        self.core = CoreID(chip: chip, p: packed >> 3)
        self.sequence = try body.take(of: what)
        var requests: [Request] = []
        for index in 0..<Int(packed & 7) {
            if index > 0 { try body.skip(2, of: what) }
            let channel: UInt8 = try body.take(of: what)
            let region: UInt8 = try body.take(of: what)
            let address: UInt32 = try body.take(of: what)
            requests.append(Request(channel: channel, region: region, address: address, size: try body.take(of: what)))
        }
        self.requests = requests
    }

    func write(body: inout ByteBuffer) {
        body.put(self.core.chip.p2pAddress)
        body.put(self.core.p << 3 | UInt8(truncatingIfNeeded: self.requests.count))
        body.put(self.sequence)
        for (index, request) in self.requests.enumerated() {
            if index > 0 { body.put(UInt16(0)) }
            body.put(request.channel)
            body.put(request.region)
            body.put(request.address)
            body.put(request.size)
        }
    }
}

/// Command 9: the host has read what a core asked it to.
///
/// | Offset in the message | Type | Field |
/// |---|---|---|
/// | 2 | u8 | number of regions (the low 3 bits count) |
/// | 3 | u8 | sequence of the request |
/// | 4 | 8 bytes each | two bytes of padding, u8 channel, u8 region, u32 bytes read |
public struct DataRead: Hashable, Sendable {
    public static let maximumRegions = 7

    public struct Region: Hashable, Sendable {
        public var channel: UInt8
        public var region: UInt8
        public var size: UInt32
        public init(channel: UInt8, region: UInt8, size: UInt32) {
            self.channel = channel
            self.region = region
            self.size = size
        }
    }

    public let sequence: UInt8
    public let regions: [Region]

    /// - Throws: ``WireError/invalid(message:field:value:)`` for more than 7 regions.
    public init(sequence: UInt8, regions: [Region]) throws(WireError) {
        guard regions.count <= DataRead.maximumRegions else {
            throw .invalid(message: "EIEIO data read", field: "number of regions", value: UInt64(regions.count))
        }
        self.sequence = sequence
        self.regions = regions
    }

    init(body: inout ByteBuffer) throws(WireError) {
        let what = "EIEIO data read"
        let count: UInt8 = try body.take(of: what)
        self.sequence = try body.take(of: what)
        var regions: [Region] = []
        for _ in 0..<Int(count & 7) {
            try body.skip(2, of: what)
            let channel: UInt8 = try body.take(of: what)
            let region: UInt8 = try body.take(of: what)
            regions.append(Region(channel: channel, region: region, size: try body.take(of: what)))
        }
        self.regions = regions
    }

    func write(body: inout ByteBuffer) {
        body.put(UInt8(truncatingIfNeeded: self.regions.count))
        body.put(self.sequence)
        for region in self.regions {
            body.put(UInt16(0))
            body.put(region.channel)
            body.put(region.region)
            body.put(region.size)
        }
    }
}
