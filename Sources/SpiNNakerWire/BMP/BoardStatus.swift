//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// Voltages, temperatures, fans and warnings of a board: the reply of ``GetBoardStatus``. Source: BC&MP 2.1.2
/// `board_stat_t`.
///
/// | Offset | Type | Field | Unit |
/// |---|---|---|---|
/// | 0 | 8 × u16 | converters: 1, 2, 3 are 1.2 V c, b, a; 4 is 1.8 V; 6 is 3.3 V; 7 is the 12 V supply | 2.5/4096, 3.75/4096 (6), 15/4096 V (7) |
/// | 16 | 4 × i16 | internal temperatures: top, bottom; −32768: no sensor | 1/256 °C |
/// | 24 | 4 × i16 | external temperatures; −32768: no sensor | 1/256 °C |
/// | 32 | 4 × i16 | fans; −1: no fan | revolutions per minute |
/// | 40 | u32 | warnings | |
/// | 44 | u32 | reasons to shut down | |
public struct BoardStatus: SCPResponse {
    public static let size = 48
    static let missingTemperature: Int16 = .min
    static let missingFan: Int16 = -1

    /// The raw fields: 8, 4, 4 and 4 of them; writing pads or cuts.
    public var converters: [UInt16]
    public var internalTemperatures: [Int16]
    public var externalTemperatures: [Int16]
    public var fans: [Int16]
    public var warnings: UInt32
    public var shutdown: UInt32

    public init(
        converters: [UInt16], internalTemperatures: [Int16], externalTemperatures: [Int16], fans: [Int16], warnings: UInt32 = 0,
        shutdown: UInt32 = 0
    ) {
        self.converters = converters
        self.internalTemperatures = internalTemperatures
        self.externalTemperatures = externalTemperatures
        self.fans = fans
        self.warnings = warnings
        self.shutdown = shutdown
    }

    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        try payload.require(BoardStatus.size, of: "board status")
        self.converters = try payload.takeArray(8, of: "board status")
        self.internalTemperatures = try payload.takeArray(4, of: "board status")
        self.externalTemperatures = try payload.takeArray(4, of: "board status")
        self.fans = try payload.takeArray(4, of: "board status")
        self.warnings = try payload.take(of: "board status")
        self.shutdown = try payload.take(of: "board status")
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.putArray(self.converters, count: 8)
        buffer.putArray(self.internalTemperatures, count: 4)
        buffer.putArray(self.externalTemperatures, count: 4)
        buffer.putArray(self.fans, count: 4)
        buffer.put(self.warnings)
        buffer.put(self.shutdown)
    }

    private func voltage(_ converter: Int, full: Double) -> Double {
        self.converters.indices.contains(converter) ? Double(self.converters[converter]) * full / 4096 : 0
    }
    private static func temperature(_ raw: [Int16], _ index: Int) -> Double? {
        raw.indices.contains(index) && raw[index] != missingTemperature ? Double(raw[index]) / 256 : nil
    }

    /// Volts.
    public var voltage1V2a: Double { self.voltage(3, full: 2.5) }
    public var voltage1V2b: Double { self.voltage(2, full: 2.5) }
    public var voltage1V2c: Double { self.voltage(1, full: 2.5) }
    public var voltage1V8: Double { self.voltage(4, full: 2.5) }
    public var voltage3V3: Double { self.voltage(6, full: 3.75) }
    public var voltageSupply: Double { self.voltage(7, full: 15) }
    /// Whether the board's chips have power: a 1.2 V supply of theirs is more than half there.
    public var hasPower: Bool { max(self.voltage1V2a, self.voltage1V2b, self.voltage1V2c) > 0.6 }
    /// Degrees Celsius; nil: no sensor.
    public var temperatureTop: Double? { Self.temperature(self.internalTemperatures, 0) }
    public var temperatureBottom: Double? { Self.temperature(self.internalTemperatures, 1) }
    public func externalTemperature(_ sensor: Int) -> Double? { Self.temperature(self.externalTemperatures, sensor) }
    /// Revolutions per minute; nil: no fan.
    public func fanSpeed(_ fan: Int) -> Int? {
        self.fans.indices.contains(fan) && self.fans[fan] != Self.missingFan ? Int(self.fans[fan]) : nil
    }
}
