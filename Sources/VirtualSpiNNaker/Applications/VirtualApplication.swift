//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// A program that virtual boards have built in. Its ``image`` is loaded and started by the same commands as a real binary,
/// and does its work without being executed. (On hardware it would crash at once.)
public enum VirtualApplication: Hashable, Sendable {
    /// SDP: port 1 sends a message back with its addresses swapped, port 2 out by tag 1, port 7 exits.
    case sdpEcho
    /// EIEIO datagrams of 32-bit keys out by `tag`: `perPacket` keys each `interval`, `packets` times (0: for ever). Keys count
    /// up from `firstKey`, or go round the words of the SDRAM block with tag 200 + core, where the application has one.
    case spikeSource(tag: UInt8, intervalMicroseconds: UInt32, perPacket: UInt8, packets: UInt32, firstKey: UInt32)
    /// Counts EIEIO datagrams that reach it: packets in user2, keys in user3, and a line in IOBUF at EXIT.
    case spikeSink
    /// SYNC0 and SYNC1 by turns, so often, then exits. user2 counts the barriers passed.
    case barrierTest(barriers: UInt32)
    /// A run-time error with this code and a register dump.
    case runTimeError(code: UInt8)
    /// Stops answering messages and pings.
    case hang
    /// Allocates `size` bytes of SDRAM with `tag` and fills them with a word; leaves them to STOP.
    case memoryWriter(size: UInt32, tag: UInt8, word: UInt32)
    /// Finishes at once, with a word in user0.
    case succeed(result: UInt32)

    /// The first bytes of every image of ours.
    static let magic: [UInt8] = Array("VSPINAPP".utf8)

    var name: String {
        switch self {
        case .sdpEcho: "sdp-echo"
        case .spikeSource: "spike-source"
        case .spikeSink: "spike-sink"
        case .barrierTest: "barrier-test"
        case .runTimeError: "rte-test"
        case .hang: "hang-test"
        case .memoryWriter: "memory-writer"
        case .succeed: "succeed"
        }
    }

    private var words: [UInt32] {
        switch self {
        case .sdpEcho, .spikeSink, .hang: []
        case .spikeSource(let tag, let interval, let perPacket, let packets, let firstKey):
            [UInt32(tag), interval, UInt32(perPacket), packets, firstKey]
        case .barrierTest(let barriers): [barriers]
        case .runTimeError(let code): [UInt32(code)]
        case .memoryWriter(let size, let tag, let word): [size, UInt32(tag), word]
        case .succeed(let result): [result]
        }
    }

    /// What to load: a multiple of 4 bytes.
    ///
    /// | Offset | Size | Field |
    /// |---|---|---|
    /// | 0 | 8 | `VSPINAPP` |
    /// | 8 | 16 | name, NUL padded |
    /// | 24 | n × u32 | arguments |
    public var image: [UInt8] {
        var image = VirtualApplication.magic
        let name = Array(self.name.utf8)
        image += name + Array(repeating: 0, count: 16 - name.count)
        for word in self.words { for shift in [0, 8, 16, 24] { image.append(UInt8(truncatingIfNeeded: word >> shift)) } }
        return image
    }

    /// - Parameter words: what follows the name, at least five.
    init?(name: String, words: [UInt32]) {
        guard words.count >= 5 else { return nil }
        switch name {
        case "sdp-echo": self = .sdpEcho
        case "spike-source":
            self = .spikeSource(
                tag: UInt8(truncatingIfNeeded: words[0]), intervalMicroseconds: words[1],
                perPacket: UInt8(truncatingIfNeeded: words[2]), packets: words[3], firstKey: words[4])
        case "spike-sink": self = .spikeSink
        case "barrier-test": self = .barrierTest(barriers: words[0])
        case "rte-test": self = .runTimeError(code: UInt8(truncatingIfNeeded: words[0]))
        case "hang-test": self = .hang
        case "memory-writer":
            self = .memoryWriter(size: words[0], tag: UInt8(truncatingIfNeeded: words[1]), word: words[2])
        case "succeed": self = .succeed(result: words[0])
        default: return nil
        }
    }
}

/// What the image at an address is.
enum ApplicationImage {
    case builtIn(VirtualApplication)
    /// A binary that would have to be executed: a script stands in for it.
    case opaque(name: String)

    /// The header of the idle stub, as SC&MP stages it after a stop.
    static let stub: [UInt8] = VirtualApplication.magic + Array("sark".utf8) + Array(repeating: 0, count: 12)

    private static let searched = 256 << 10

    /// - Returns: nil for the idle stub, which also is what lies there before anything is loaded.
    static func recognise(at address: UInt32, in memory: ChipMemory, now: NIODeadline) -> ApplicationImage? {
        var header = ByteBuffer()
        guard memory.read(address, count: 128, core: nil, now: now, into: &header) else { return nil }
        let bytes = Array(header.readableBytesView)
        guard bytes.contains(where: { $0 != 0 }) else { return nil }
        guard Array(bytes[..<8]) == VirtualApplication.magic else {
            return .opaque(name: ApplicationImage.name(at: address, header: header, in: memory, now: now))
        }
        let name = String(decoding: bytes[8..<24].prefix { $0 != 0 }, as: UTF8.self)
        let words = (0..<5).map { header.getInteger(at: 24 + 4 * $0, endianness: .little, as: UInt32.self) ?? 0 }
        return VirtualApplication(name: name, words: words).map { .builtIn($0) }
    }

    /// The name that a binary was built with; else the first text in it for which the description has a timeline; else `app`.
    private static func name(
        at address: UInt32, header: ByteBuffer, in memory: ChipMemory, now: NIODeadline
    ) -> String {
        var image = ByteBuffer()
        if let size = APLXImage.size(header: header) {
            // No further: behind it lies what is left of a longer one.
            guard memory.read(address, count: size, core: nil, now: now, into: &image) else { return "app" }
            if let name = APLXImage.buildName(in: image) { return name }
        } else {
            var at = address
            while image.readableBytes < ApplicationImage.searched,
                memory.read(at, count: SparseMemory.pageSize, core: nil, now: now, into: &image)
            {
                // An image ends where nothing has been written.
                guard memory.sdram.isTouched(Int(at & 0x07FF_FFFF)) else { break }
                at &+= UInt32(SparseMemory.pageSize)
            }
        }
        let bytes = image.readableBytesView
        let found = memory.applicationNames.compactMap { name in
            bytes.firstRange(of: Array(name.utf8)).map { (at: $0.lowerBound, name: name) }
        }
        return found.min { $0.at < $1.at }?.name ?? "app"
    }

    func makeProgram(_ description: VirtualMachineDescription) -> any CoreProgram {
        switch self {
        case .opaque(let name):
            return OpaqueProgram(name: name, timeline: description.timelines[name] ?? description.timeline)
        case .builtIn(let application):
            switch application {
            case .sdpEcho: return SDPEcho()
            case .spikeSource(let tag, let interval, let perPacket, let packets, let firstKey):
                return SpikeSource(
                    tag: tag, interval: .microseconds(Int64(max(1, interval))), perPacket: Int(perPacket), packets: packets,
                    firstKey: firstKey)
            case .spikeSink: return SpikeSink()
            case .barrierTest(let barriers): return BarrierTest(barriers: barriers)
            case .runTimeError(let code): return RunTimeErrorTest(code: code)
            case .hang: return HangTest()
            case .memoryWriter(let size, let tag, let word): return MemoryWriter(size: size, tag: tag, word: word)
            case .succeed(let result): return Succeed(result: result)
            }
        }
    }
}
