//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_VER (0): who are you? No arguments.
public struct GetVersion: SCPRequest {
    public typealias Response = VersionInfo
    public static var command: SCPCommand { .version }
    @inlinable
    public init() {}
    @inlinable
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {}
    @inlinable
    public var arguments: SCPArguments { SCPArguments() }
}

/// The reply of CMD_VER, of SC&MP, SARK and BC&MP alike.
///
/// | Offset | Type | SC&MP, SARK | BC&MP |
/// |---|---|---|---|
/// | 0 | u8 | virtual core | board |
/// | 1 | u8 | physical core | CAN id |
/// | 2 | u8 | y | frame |
/// | 3 | u8 | x | code block |
/// | 4 | u16 | data bytes per packet (256) | |
/// | 6 | u16 | 0xFFFF: the version is in the text; else 100 · major + minor | |
/// | 8 | u32 | build date, Unix seconds | |
/// | 12 | text | `name/hardware` NUL `major.minor.patch` NUL | |
///
/// x = y = 255 means that the machine is still finding its shape: ask again.
public struct VersionInfo: SCPResponse {
    public var virtualCore: UInt8
    public var physicalCore: UInt8
    /// The raw bytes at 2 and 3: y and x of a chip; frame and code block of a BMP.
    public var chip: ChipID
    public var bufferSize: UInt16
    public var buildDate: UInt32
    public var name: String
    public var hardware: String
    /// As text, for instance `4.0.0`, or of an old firmware `1.33`.
    public var versionText: String
    public var version: SoftwareVersion
    /// Whether the version came as a number (100 · major + minor), as firmware before SC&MP 3 sent it.
    public var isOldStyle: Bool

    public init(
        virtualCore: UInt8, physicalCore: UInt8, chip: ChipID, bufferSize: UInt16 = 256, buildDate: UInt32, name: String,
        hardware: String, version: SoftwareVersion, versionText: String? = nil, isOldStyle: Bool = false
    ) {
        self.virtualCore = virtualCore
        self.physicalCore = physicalCore
        self.chip = chip
        self.bufferSize = bufferSize
        self.buildDate = buildDate
        self.name = name
        self.hardware = hardware
        self.version = version
        self.versionText = versionText ?? version.description
        self.isOldStyle = isOldStyle
    }

    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.virtualCore = try payload.take(of: "version reply")
        self.physicalCore = try payload.take(of: "version reply")
        let chip: UInt16 = try payload.take(of: "version reply")
        self.chip = ChipID(p2pAddress: chip)
        self.bufferSize = try payload.take(of: "version reply")
        let number: UInt16 = try payload.take(of: "version reply")
        self.buildDate = try payload.take(of: "version reply")
        // Texts end in NUL; the last one's NUL may be missing.
        let texts = payload.readableBytesView.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard let first = texts.first, let title = String(validating: first, as: UTF8.self) else {
            throw .badText(message: "version reply", field: "name")
        }
        let parts = title.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .badText(message: "version reply", field: "name/hardware") }
        self.name = String(parts[0])
        self.hardware = String(parts[1])
        if number == 0xFFFF {
            guard texts.count > 1, let text = String(validating: texts[1], as: UTF8.self),
                let version = SoftwareVersion(prefixOf: text)
            else { throw .badText(message: "version reply", field: "version") }
            self.isOldStyle = false
            self.versionText = text
            self.version = version
        } else {
            self.isOldStyle = true
            self.version = SoftwareVersion(major: Int(number / 100), minor: Int(number % 100), patch: 0)
            self.versionText = "\(number / 100).\(number % 100)"
        }
    }

    /// 100 · major + minor, never 0xFFFF: that says that the version is in the text.
    private var oldNumber: UInt16 {
        UInt16(min(max(0, min(self.version.major, 655)) * 100 + max(0, min(self.version.minor, 99)), 0xFFFE))
    }

    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.virtualCore)
        buffer.put(self.physicalCore)
        buffer.put(self.chip.p2pAddress)
        buffer.put(self.bufferSize)
        buffer.put(self.isOldStyle ? self.oldNumber : 0xFFFF)
        buffer.put(self.buildDate)
        buffer.writeString("\(self.name)/\(self.hardware)")
        buffer.put(UInt8(0))
        if !self.isOldStyle {
            buffer.writeString(self.versionText)
            buffer.put(UInt8(0))
        }
    }
}

/// Three numbers: `4.0.0`.
public struct SoftwareVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var major: Int
    public var minor: Int
    public var patch: Int

    public init(major: Int, minor: Int, patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// From the start of a text; what follows the third number does not matter (`4.0.0-dev`).
    public init?(prefixOf text: some StringProtocol) {
        var numbers: [Int] = []
        var rest = Substring(text)
        while numbers.count < 3 {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int(digits) else { return nil }
            numbers.append(number)
            rest = rest.dropFirst(digits.count)
            if numbers.count < 3 {
                guard rest.first == "." else { return nil }
                rest = rest.dropFirst()
            }
        }
        self.init(major: numbers[0], minor: numbers[1], patch: numbers[2])
    }

    public static func < (a: SoftwareVersion, b: SoftwareVersion) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }

    public var description: String { "\(self.major).\(self.minor).\(self.patch)" }
}
