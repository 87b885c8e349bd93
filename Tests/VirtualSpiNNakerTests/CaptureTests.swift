//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing
import VirtualSpiNNaker

/// One line of a capture: what the executed SC&MP 4.0.0 answered.
private struct Capture {
    let label: String
    /// nil: it did not answer.
    let answer: (result: UInt16, payload: [UInt8], length: Int)?

    /// `LABEL   ('0x80', 'payload in hex, cut at 60 bytes', UDP length)`, or `LABEL   None`.
    init?(_ line: Substring) {
        guard let end = line.firstRange(of: "  ")?.lowerBound else { return nil }
        self.label = String(line[..<end])
        let rest = line[end...].drop { $0 == " " }
        if rest == "None" {
            self.answer = nil
            return
        }
        let parts = rest.split(separator: "'", omittingEmptySubsequences: false)
        guard parts.count == 5, rest.hasPrefix("('0x"), let result = UInt16(parts[1].dropFirst(2), radix: 16),
            let length = Int(parts[4].dropFirst(2).dropLast())
        else { return nil }
        let digits = Array(parts[3])
        self.answer = (
            result, stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) },
            length
        )
    }

    static func lines(of name: String) throws -> [Substring] {
        // The shared files themselves, beside the checkout as the golden vectors are.
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "../shared/vectors/scamp-captures/\(name)").standardizedFileURL
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    }
}

/// Everything in which the model differs from the captures, and why. Nothing else may.
private struct CaptureDifference {
    enum Part: Equatable {
        /// Bytes of a payload or a block.
        case bytes(Range<Int>)
        /// A field of a line that names its fields.
        case field(String)
        /// Silence where the capture has none, or the other way round.
        case answer
    }
    let file: String
    let line: String
    let part: Part
    let reason: String

    init(_ file: String, _ line: String, _ part: Part, _ reason: String) {
        self.file = file
        self.line = line
        self.part = part
        self.reason = reason
    }

    static let all: [CaptureDifference] = [
        .init("golden3.txt", "INFO", .bytes(32..<36), "the board's address: the capture's was 127.0.1.7"),
        .init("golden3.txt", "READ sv", .bytes(16..<32), "the clocks, and the Unix time that the host had patched in"),
        .init("golden3.txt", "IPTAG GET 8", .bytes(10..<12), "the port that the capturing host had"),
        .init(
            "golden3.txt", "READ f1000300", .bytes(0..<60),
            "router counters: the model has no packet traffic (virtual-machine.md §3 allows zeroes)"),
        .init(
            "golden3.txt", "NR flag", .answer,
            "the capturing script took no reply with flags 0x27; the model sends it, as the source says"),
        .init("golden3.txt", "info", .bytes(2..<6), "the board's address: the capture's was 127.0.1.7"),
        .init("golden5.txt", "sv 0 0", .field("clock_ms"), "it runs"),
        .init("golden5.txt", "sv 3 3", .field("clock_ms"), "it runs"),
        .init("golden5.txt", "sv 0 0", .field("unix"), "it runs"),
        .init("golden5.txt", "sv 3 3", .field("unix"), "it runs"),
        .init("golden5.txt", "sv 0 0", .field("ip"), "the board's own address"),
        .init("golden5.txt", "sv 3 3", .field("num_cpus"), "17 cores on the model's reference board, 18 on the capture's"),
        .init("golden5.txt", "vcpu0", .bytes(68..<72), "the load time is the host's Unix time"),
        .init("golden5.txt", "vcpu1", .bytes(68..<72), "the load time is the host's Unix time"),
    ]

    static func allows(_ part: Part, of line: String, in file: String) -> Bool {
        self.all.contains { $0.file == file && $0.line == line && $0.part == part }
    }
    static func allows(byte: Int, of line: String, in file: String) -> Bool {
        self.all.contains {
            guard $0.file == file, $0.line == line, case .bytes(let range) = $0.part else { return false }
            return range.contains(byte)
        }
    }
}

/// The sweep of `golden3.txt` again, against the model, in the same order.
@Suite("Against the executed firmware: SpiNN-3", .timeLimit(.minutes(3)))
struct SpiNN3CaptureTests {
    private static let file = "golden3.txt"

    @Test func everyAnswerOfTheSweepIsTheFirmwares() throws {
        let machine = try InMemoryMachine(.spinn3)
        var differences: [String] = []
        var compared = 0
        let requests = SweepRequests(machine: machine)
        var occurrences: [String: Int] = [:]
        for line in try Capture.lines(of: Self.file) where !line.hasPrefix(" ") {
            let capture = try #require(Capture(line), "\(line)")
            let occurrence = occurrences[capture.label, default: 0]
            occurrences[capture.label] = occurrence + 1
            let reply = try requests.reply(capture.label, occurrence: occurrence)
            compared += 1
            if CaptureDifference.allows(.answer, of: capture.label, in: Self.file) {
                #expect((reply == nil) != (capture.answer == nil), "\(capture.label) does not differ any more")
                continue
            }
            guard let answer = capture.answer, let reply else {
                if capture.answer != nil || reply != nil { differences.append("\(capture.label): silence of one of the two") }
                continue
            }
            if reply.result.rawValue != answer.result { differences.append("\(capture.label): \(reply.result)") }
            if reply.payload.readableBytes + 14 != answer.length {
                differences.append("\(capture.label): \(reply.payload.readableBytes + 14) bytes, not \(answer.length)")
            }
            for (index, byte) in reply.payload.readableBytesView.enumerated()
            where index < answer.payload.count && byte != answer.payload[index]
                && !CaptureDifference.allows(byte: index, of: capture.label, in: Self.file)
            {
                differences.append("\(capture.label): byte \(index) is \(byte), not \(answer.payload[index])")
            }
        }
        #expect(compared == 82)
        #expect(differences == [])
    }

    /// The four indented lines: INFO of each chip as (flags, SDRAM, system RAM) [states] [nearest Ethernet chip,
    /// address, parent link].
    @Test func linksAndParentsOfAllChips() throws {
        let machine = try InMemoryMachine(.spinn3)
        let lines = try Capture.lines(of: Self.file).filter { $0.hasPrefix("  info ") }
        #expect(lines.count == 4)
        for (line, chip) in zip(lines, [ChipID(0, 0), ChipID(0, 1), ChipID(1, 0), ChipID(1, 1)]) {
            let label = chip == .origin ? "info" : "info \(chip.x) \(chip.y)"
            #expect(line.hasPrefix("  \(label) ("))
            // All numbers behind the name and the result.
            let from = try #require(line.firstIndex(of: chip == .origin ? "(" : "["))
            let numbers = line[from...].split { !$0.isHexDigit && $0 != "x" }.compactMap { text in
                text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
            }
            #expect(numbers.count == 3 + 18 + 8)
            let reply = try #require(machine.raw(.info, 0x5F, to: .monitor(of: chip)))
            var payload = reply.payload
            let words = (0..<3).compactMap { _ in
                payload.readInteger(endianness: .little, as: UInt32.self)
            }
            #expect(words == Array(numbers[0..<3]), "\(chip)")
            let bytes = Array(payload.readableBytesView)
            #expect(bytes.prefix(18).map(UInt32.init) == Array(numbers[3..<21]), "\(chip)")
            for (index, expected) in numbers[21...].enumerated()
            where !CaptureDifference.allows(byte: index, of: label, in: Self.file) {
                #expect(UInt32(bytes[18 + index]) == expected, "\(chip): \(index)")
            }
        }
    }
}

/// What the capturing script sent, by the label of its line.
private struct SweepRequests {
    let machine: InMemoryMachine
    private static let sv: UInt32 = 0xF500_7F00
    private static let sdram: UInt32 = 0x6100_0000

    private func raw(
        _ command: SCPCommand, _ a: UInt32 = 0, _ b: UInt32 = 0, _ c: UInt32 = 0, data: [UInt8] = [],
        to core: CoreID = CoreID(0, 0, 0), port: UInt8 = 0, flags: SDPFlags = .replyExpected, patience: TimeAmount = .zero
    ) -> SCPReply? {
        machine.reply(
            to: SCPPacket(
                header: SDPHeader(
                    flags: flags, destination: SDPAddress(port: port, cpu: core.p), destinationChip: core.chip),
                command: command, sequence: 77, arguments: SCPArguments(a, b, c), data: ByteBuffer(bytes: data)),
            patience: patience)
    }

    /// A message whose SDP data is only four bytes.
    private func short(core: UInt8) -> SCPReply? {
        var bytes = ByteBuffer()
        SDPMessage(
            header: SDPHeader(destination: SDPAddress(port: 0, cpu: core), destinationChip: .origin),
            data: ByteBuffer(bytes: [0, 0, 5, 0])
        ).writeDatagram(into: &bytes)
        return machine.send(bytes).first.flatMap { try? SCPReply(datagram: $0.bytes) }
    }

    func reply(_ label: String, occurrence: Int) throws -> SCPReply? {
        switch label {
        case "VER 0,0,0": return raw(.version)
        case "VER 1,1,0": return raw(.version, to: CoreID(1, 1, 0))
        case "VER 0,0,1 sark": return raw(.version, to: CoreID(0, 0, 1))
        case "VER 0,0,17": return raw(.version, to: CoreID(0, 0, 17))
        case "VER 0,0,18": return raw(.version, to: CoreID(0, 0, 18))
        case "VER 5,5": return raw(.version, to: CoreID(5, 5, 0))
        case "port1 core0": return raw(.version, port: 1)
        case "cmd 99": return raw(SCPCommand(rawValue: 99))
        case "cmd 99 sark": return raw(SCPCommand(rawValue: 99), to: CoreID(0, 0, 1))
        case "short len": return short(core: 0)
        case "short len sark": return short(core: 1)
        case "INFO": return raw(.info, 0x5F)
        case "READ sv": return raw(.read, Self.sv, 256, 2)
        case "READ len 257": return raw(.read, Self.sv, 257)
        case "READ type3": return raw(.read, Self.sv, 4, 3)
        case "READ 7 words": return raw(.read, Self.sv, 7, 2)
        case "READ odd byte": return raw(.read, Self.sv + 1, 5, 0)
        case "IPTAG TTO": return raw(.ipTag, 4 << 16, 9)
        case "IPTAG GET 0 x8": return raw(.ipTag, 2 << 16, 8)
        case "IPTAG GET 9": return raw(.ipTag, 2 << 16, 9)
        case "IPTAG op5": return raw(.ipTag, 5 << 16)
        case "IPTAG tag16": return raw(.ipTag, 1 << 16 | 16)
        case "IPTAG SET 1 strip": return raw(.ipTag, 1 << 28 | 1 << 16 | 1, 50000, IPv4Address.loopback.wireWord)
        case "IPTAG NEW": return raw(.ipTag, 0, 50001, IPv4Address.loopback.wireWord)
        case "IPTAG GET 1": return raw(.ipTag, 2 << 16 | 1, 1)
        case "IPTAG GET 8": return raw(.ipTag, 2 << 16 | 8, 1)
        case "IPTAG CLR": return raw(.ipTag, 3 << 16 | 1)
        case "IPTAG SET rev 2": return raw(.ipTag, 1 << 29 | 1 << 16 | 0x21 << 8 | 2, 0x0101 << 16 | 12345)
        case "GET 2": return raw(.ipTag, 2 << 16 | 2, 1)
        case "ALLOC 100 tag 5", "ALLOC 100 tag 5 again": return raw(.allocate, 30 << 8, 100, 5)
        case "ALLOC retry": return raw(.allocate, 4 << 16 | 30 << 8, 100, 5)
        case "ALLOC 101 t6": return raw(.allocate, 30 << 8, 101, 6)
        case "ALLOC retry101": return raw(.allocate, 4 << 16 | 30 << 8, 101, 6)
        case "ALLOC retry104": return raw(.allocate, 4 << 16 | 30 << 8, 104, 6)
        case "TAGPTR": return raw(.allocate, 30 << 8 | 7, 5)
        case "SPACE": return raw(.allocate, 6)
        case "ALLOC huge": return raw(.allocate, 30 << 8, 0x8000_0000)
        case "ALLOC 0": return raw(.allocate, 30 << 8, 0)
        case "ALLOC op8": return raw(.allocate, 30 << 8 | 8)
        case "RTR alloc 10": return raw(.allocate, 30 << 8 | 3, 10)
        case "RTR alloc 1014": return raw(.allocate, 30 << 8 | 3, 1014)
        case "RTR alloc 1013": return raw(.allocate, 30 << 8 | 3, 1013)
        case "free rtr id": return raw(.allocate, 30 << 8 | 5, 1)
        case "free id": return raw(.allocate, 30 << 8 | 2)
        case "heap root": return raw(.read, 0x6024_0000, 64, 2)
        case "LINKREAD l0": return raw(.linkRead, Self.sv, 16, 0)
        case "LINKREAD l3 dead": return raw(.linkRead, Self.sv, 16, 3)
        case "LINKREAD l6": return raw(.linkRead, Self.sv, 16, 6)
        case "LINKREAD len 260": return raw(.linkRead, Self.sv, 260, 0)
        case "LINKWRITE": return raw(.linkWrite, Self.sdram, 4, 0, data: Array("abcd".utf8))
        case "READ back 1,0": return raw(.read, Self.sdram, 4, 2, to: CoreID(1, 0, 0))
        case "COUNT app0 idle": return raw(.count, 0, 15, patience: .milliseconds(20))
        case "COUNT 1,1": return raw(.count, 0, 15, to: CoreID(1, 1, 0), patience: .milliseconds(20))
        case "SIG 0": return raw(.signal, 0, 3 << 16 | 0xFF << 8 | 30, 0xFFFF)
        case "SIG 0 nonroot": return raw(.signal, 0, 3 << 16 | 0xFF << 8 | 30, to: CoreID(1, 1, 0))
        case "SIG 1": return raw(.signal, 1)
        case "SIG 3": return raw(.signal, 3)
        case "SYNC 0": return raw(.sync, 0)
        case "SYNC 1": return raw(.sync, 1)
        case "AR mask1": return raw(.applicationRun, 30 << 24 | 1)
        case "ACR link6": return raw(.applicationCopyRun, 6, 4, 30 << 24 | 2)
        case "ACR len5": return raw(.applicationCopyRun, 0, 5, 30 << 24 | 2)
        case "ACR mask1": return raw(.applicationCopyRun, 0, 4, 30 << 24 | 1)
        case "RTR op4": return raw(.router, 4)
        case "RTR clear bad": return raw(.router, 10 << 16 | 1, 1020)
        case "RTR fr get": return raw(.router, 3, 0x8000_0000)
        case "RTR fr set": return raw(.router, 3, 0x80)
        case "REMAP 19": return raw(.remap, 19)
        case "REMAP 0": return raw(.remap, 0)
        case "LED": return raw(.led, 1)
        case "FILL": return raw(.fill, Self.sdram + 0x1000, 0x1122_3344, 13)
        case "READ fill": return raw(.read, Self.sdram + 0x1000, 20, 2)
        case "NR flag": return raw(.version, to: CoreID(1, 1, 0), flags: .replyExpectedNoRouting)
        case "READ f1000300": return raw(.read, 0xF100_0300, 64, 2)
        case "P2P col0": return raw(.read, 0xE101_0000, 4, 2)
        case "P2P col1": return raw(.read, 0xE101_0080, 4, 2)
        case "vcpu1": return raw(.read, 0xE500_7080, 128, 2)
        case "vcpu0": return raw(.read, 0xE500_7000, 128, 2)
        case "rtr_copy ptr": return raw(.read, Self.sv + 0xD4, 4, 2)
        default:
            Issue.record("no request for \(label)")
            return nil
        }
    }
}

/// `golden5.txt`: what 48 chips had in memory when they had come up.
@Suite("Against the executed firmware: SpiNN-5", .timeLimit(.minutes(3)))
struct SpiNN5CaptureTests {
    private let machine: InMemoryMachine
    private let lines: [Substring]

    init() throws {
        self.machine = try InMemoryMachine(.spinn5)
        self.lines = try Capture.lines(of: "golden5.txt")
    }

    private func line(_ start: String) throws -> Substring {
        try #require(self.lines.first { $0.hasPrefix(start) }, "no line \(start)")
    }

    /// Fields of `sv` by the names in the capture: offset and size.
    private static let fields: [String: (Int, Int)] = [
        "p2p_addr": (0, 2), "p2p_dims": (2, 2), "dbg_addr": (4, 2), "p2p_up": (6, 1), "last_id": (7, 1), "eth_addr": (8, 2),
        "hw_ver": (0x0A, 1), "eth_up": (0x0B, 1), "phase": (0x2D, 1), "root": (0x2E, 2), "drift": (0x38, 4),
        "random": (0x3C, 4), "root_chip": (0x40, 1), "boot_delay": (0x42, 1), "sync_align": (0x44, 4),
        "sysram_heap": (0x48, 4), "sdram_heap": (0x4C, 4), "sdram_bufs": (0x54, 4), "memptr": (0x60, 4), "lock": (0x64, 1),
        "link_en": (0x65, 1), "biff": (0x66, 1), "shm_free": (0x68, 4), "shm_cnt": (0x6C, 2), "shm_max": (0x6E, 2),
        "num_cpus": (0xBC, 1), "rom_cpus": (0xBD, 1), "board": (0xBE, 2), "sdram_base": (0xC0, 4),
        "sysram_base": (0xC4, 4), "sdram_sys": (0xC8, 4), "vcpu": (0xCC, 4), "sys_heap": (0xD0, 4), "rtr_copy": (0xD4, 4),
        "hop": (0xD8, 4), "alloc_tag": (0xDC, 4), "rtr_free": (0xE0, 2), "p2p_active": (0xE2, 2), "app_data": (0xE4, 4),
        "shm_buf": (0xE8, 4), "mbox": (0xEC, 4), "ip": (0xF0, 4), "fr": (0xF4, 4), "binfo": (0xF8, 4), "swver": (0xFC, 4),
    ]
    private static let file = "golden5.txt"

    @Test(arguments: [ChipID(0, 0), ChipID(3, 3)])
    func systemVariables(chip: ChipID) throws {
        let label = "sv \(chip.x) \(chip.y)"
        let line = try self.line(label + " ")
        let sv = try self.machine.read(0xF500_7F00, count: 256, core: .monitor(of: chip))
        // 'name': '0xvalue'
        let quoted = line.split(separator: "'", omittingEmptySubsequences: false)
        var compared = 0
        for index in stride(from: 1, to: quoted.count - 2, by: 2) where quoted[index + 2].hasPrefix("0x") {
            let name = String(quoted[index])
            if CaptureDifference.allows(.field(name), of: label, in: Self.file) { continue }
            guard let (offset, size) = Self.fields[name], let expected = UInt32(quoted[index + 2].dropFirst(2), radix: 16)
            else {
                Issue.record("\(name) is compared with nothing")
                continue
            }
            let value = sv[offset..<(offset + size)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            #expect(value == expected, "\(name)")
            compared += 1
        }
        #expect(compared >= 40)
        let cores = chip == .origin ? 18 : 17
        #expect(Array(sv[0x94..<0x94 + cores]) == [1, 0] + (2..<UInt8(cores)))
        #expect(Array(sv[0xA8 + 18..<0xA8 + 20]) == [255, 255])
    }

    @Test(arguments: [ChipID(0, 0), ChipID(3, 3), ChipID(7, 7), ChipID(1, 0)])
    func p2pTables(chip: ChipID) throws {
        let line = try self.line("p2p (\(chip.x), \(chip.y)) ")
        let numbers = line.drop { $0 != "[" }.split { !$0.isNumber }.compactMap { UInt8($0) }
        #expect(numbers.count == 64)
        var differences: [String] = []
        for x in 0..<8 {
            let column = try self.machine.readWord(0xE101_0000 + 128 * UInt32(x), core: .monitor(of: chip))
            for y in 0..<8 where UInt8(column >> UInt32(3 * y) & 7) != numbers[x * 8 + y] {
                differences.append("(\(x), \(y)): \(column >> UInt32(3 * y) & 7), not \(numbers[x * 8 + y])")
            }
        }
        #expect(differences == [])
    }

    @Test(arguments: [UInt32(0x6784_0000), 0xE500_1100, 0x6024_0000])
    func heaps(root: UInt32) throws {
        let line = try self.line("heap 0x\(String(root, radix: 16))")
        let quoted = line.split(separator: "'").filter { $0.hasPrefix("0x") }.compactMap { UInt32($0.dropFirst(2), radix: 16) }
        // Four words of the root, then per block its payload's address and its second word.
        for index in 0..<4 { #expect(try self.machine.readWord(root + 4 * UInt32(index)) == quoted[index]) }
        var block = try self.machine.readWord(root + 4)
        var rest = quoted.dropFirst(4)
        while let payload = rest.popFirst(), let word = rest.popFirst() {
            #expect(block + 8 == payload)
            #expect(try self.machine.readWord(block + 4) == word)
            block = try self.machine.readWord(block)
        }
        #expect(try self.machine.readWord(block) == 0, "the chain ends where the capture's does")
    }

    @Test func hopTables() throws {
        func words(_ line: Substring) -> [UInt32] {
            line.split { $0 == "'" || $0 == " " }.filter { $0.hasPrefix("0x") }.compactMap {
                UInt32($0.dropFirst(2), radix: 16)
            }
        }
        let table = try self.machine.readWord(0xF500_7FD8)
        // The root's: of itself, of three chips that it has a way back to, and of one outside the machine.
        let root = words(try self.line("hop from root"))
        let there = [ChipID(0, 0), ChipID(0, 1), ChipID(1, 1), ChipID(7, 7), ChipID(0, 7)]
        #expect(root.count == there.count)
        for (chip, hops) in zip(there, root) {
            #expect(try self.machine.readWord(table + 4 * UInt32(chip.p2pAddress)) == hops, "\(chip)")
        }
        // (3, 3)'s: to the root, and to a chip that it knows no way to.
        let far = words(try self.line("hop from 3,3"))
        #expect(far.count == 2)
        for (chip, hops) in zip([ChipID(0, 0), ChipID(1, 1)], far) {
            let entry = table + 4 * UInt32(chip.p2pAddress)
            #expect(try self.machine.readWord(entry, core: CoreID(3, 3, 0)) == hops, "\(chip)")
        }
    }

    @Test func router() throws {
        // rtr ctrl 0101400000000000 dgen ffff0000 filt …
        let parts = try self.line("rtr ctrl").split(separator: " ")
        func bytes(_ text: Substring) -> [UInt8] {
            let digits = Array(text)
            return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
        }
        #expect(try self.machine.read(0xE100_0000, count: 8) == bytes(parts[2]))
        #expect(try self.machine.readWord(0xE100_002C) == UInt32(parts[4], radix: 16))
        #expect(try self.machine.read(0xE100_0200, count: 64) == bytes(parts[6]))

        // rtr_copy [(next, free, route, key, mask), …]
        let copy = try self.machine.readWord(0xF500_7FD4)
        let numbers = try self.line("rtr_copy [").split { !$0.isNumber }.compactMap { UInt32($0) }
        #expect(numbers.count == 20)
        for entry in 0..<4 {
            let words = try (0..<4).map { try self.machine.readWord(copy + UInt32(16 * entry + 4 * $0)) }
            #expect(
                [words[0] & 0xFFFF, words[0] >> 16, words[1], words[2], words[3]]
                    == Array(numbers[(5 * entry)..<(5 * entry + 5)]))
        }
        let end = try self.line("rtr_copy end").split(separator: " ")[2]
        #expect(try self.machine.read(copy + 16 * 1022, count: 48) == bytes(end))
    }

    @Test func vcpusAndApplicationTable() throws {
        let table = try self.machine.readWord(0xF500_7FE4)
        #expect(try self.machine.read(table, count: 16) == Array(repeating: 0, count: 16))
        let digits = { (line: Substring) -> [UInt8] in
            let text = Array(line.split(separator: " ")[1])
            return stride(from: 0, to: text.count, by: 2).compactMap { UInt8(String(text[$0...($0 + 1)]), radix: 16) }
        }
        for core in 0..<2 {
            let expected = digits(try self.line("vcpu\(core)"))
            let block = try self.machine.read(0xE500_7000 + 128 * UInt32(core), count: 128)
            for index in 0..<128 where !CaptureDifference.allows(byte: index, of: "vcpu\(core)", in: Self.file) {
                #expect(block[index] == expected[index], "\(core): \(index)")
            }
        }
    }

    @Test func messagesToIdleCores() throws {
        #expect(try self.line("idle core port1").hasSuffix(" None"))
        #expect(try self.line("idle core port0 again").hasSuffix(" 0x80"))
        let message = SCPPacket(
            header: SDPHeader(destination: SDPAddress(port: 1, cpu: 2), destinationChip: .origin), command: .version,
            sequence: 1, arguments: SCPArguments(), data: ByteBuffer())
        #expect(self.machine.reply(to: message) == nil)
        #expect(self.machine.reply(to: GetVersion(), core: CoreID(0, 0, 2))?.result == .ok)
    }
}
