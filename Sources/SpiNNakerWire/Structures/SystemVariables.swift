//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// The fields of SC&MP's system variables, `sv`: 256 bytes at ``MemoryMap/systemVariables``. Source: `sark.h` `sv_t`.
///
/// Each field knows its place, so that whoever holds the memory itself can use it: `SV.iobufSize.offset`,
/// `SV.iobufSize.address`. The first 128 bytes are what a host sends at boot; ``Field/boot`` is SpiNNMan's value.
/// The table of fields is in `docs/wire.md`.
public enum SV {
    public static let address = MemoryMap.systemVariables
    public static let size = 256
    /// What the boot image overwrites.
    public static let bootSize = 128

    /// One field: a little-endian integer.
    public struct Field<Value: FixedWidthInteger & Sendable>: Sendable {
        /// Its name in SC&MP's sources.
        public let name: String
        public let offset: Int
        public let boot: Value

        init(_ name: String, _ offset: Int, boot: Value = 0) {
            self.name = name
            self.offset = offset
            self.boot = boot
        }

        public var size: Int { MemoryLayout<Value>.size }
        public var address: UInt32 { SV.address + UInt32(truncatingIfNeeded: self.offset) }
    }

    /// One field of bytes.
    public struct Bytes: Sendable {
        public let name: String
        public let offset: Int
        public let size: Int

        init(_ name: String, _ offset: Int, _ size: Int) {
            self.name = name
            self.offset = offset
            self.size = size
        }

        public var address: UInt32 { SV.address + UInt32(truncatingIfNeeded: self.offset) }
    }

    /// Own address, `x << 8 | y`.
    public static let p2pAddress = Field<UInt16>("p2p_addr", 0x00)
    /// Size of the machine, `width << 8 | height`.
    public static let p2pDimensions = Field<UInt16>("p2p_dims", 0x02)
    /// Chip through which console text leaves.
    public static let debugAddress = Field<UInt16>("dbg_addr", 0x04)
    public static let isP2PUp = Field<UInt8>("p2p_up", 0x06)
    public static let lastID = Field<UInt8>("last_id", 0x07)
    /// Nearest Ethernet chip.
    public static let ethernetAddress = Field<UInt16>("eth_addr", 0x08)
    public static let hardwareVersion = Field<UInt8>("hw_ver", 0x0A)
    public static let isEthernetUp = Field<UInt8>("eth_up", 0x0B)
    public static let p2pbRepeats = Field<UInt8>("p2pb_repeats", 0x0C, boot: 4)
    public static let p2pSequenceLog = Field<UInt8>("p2p_sql", 0x0D, boot: 4)
    public static let clockDivisors = Field<UInt8>("clk_div", 0x0E, boot: 0x33)
    public static let timePhaseScale = Field<UInt8>("tp_scale", 0x0F)
    /// Milliseconds since boot.
    public static let clock = Field<UInt64>("clock_ms", 0x10)
    public static let millisecond = Field<UInt16>("time_ms", 0x18)
    public static let localTimePhasePeriod = Field<UInt16>("ltpc_period", 0x1A)
    public static let unixTime = Field<UInt32>("unix_time", 0x1C)
    public static let timePhaseTimer = Field<UInt32>("tp_timer", 0x20)
    /// MHz
    public static let cpuClock = Field<UInt16>("cpu_clk", 0x24, boot: 200)
    /// MHz
    public static let memoryClock = Field<UInt16>("mem_clk", 0x26, boot: 130)
    public static let forward = Field<UInt8>("forward", 0x28, boot: 0x3F)
    public static let retry = Field<UInt8>("retry", 0x29)
    /// Microseconds that a link read waits.
    public static let peekTime = Field<UInt8>("peek_time", 0x2A, boot: 200)
    /// Half period of the LED, 10 ms; 1: it shows the load.
    public static let ledPeriod = Field<UInt8>("led_period", 0x2B, boot: 1)
    public static let netinitWait = Field<UInt8>("netinit_bc_wait", 0x2C, boot: 50)
    /// 0xFF: network initialisation is over.
    public static let netinitPhase = Field<UInt8>("netinit_phase", 0x2D)
    public static let rootAddress = Field<UInt16>("p2p_root", 0x2E)
    /// LEDs: low nibble their number, then a nibble per LED with its GPIO bit. SpiNN-5: 1; SpiNN-3: 0x502.
    public static let led0 = Field<UInt32>("led0", 0x30, boot: 1)
    public static let led1 = Field<UInt32>("led1", 0x34)
    /// Clock drift, 17 fraction bits.
    public static let clockDrift = Field<Int32>("clock_drift", 0x38)
    public static let random = Field<UInt32>("random", 0x3C)
    public static let isRootChip = Field<UInt8>("root_chip", 0x40)
    public static let messageBuffers = Field<UInt8>("num_buf", 0x41, boot: 7)
    /// Microseconds between the packets of a boot.
    public static let bootDelay = Field<UInt8>("boot_delay", 0x42, boot: 20)
    /// Misses before a core's state becomes watchdog; 0: never (SC&MP's own default is 3).
    public static let softWatchdog = Field<UInt8>("soft_wdog", 0x43)
    public static let syncAlignment = Field<UInt32>("sync_alignment", 0x44)
    /// Before boot: words of system RAM kept out of the heap. Then: address of the ``HeapRoot``.
    public static let systemRAMHeap = Field<UInt32>("sysram_heap", 0x48, boot: 1024)
    /// Before boot: words of SDRAM kept out of the heap. Then: address of the ``HeapRoot``.
    public static let sdramHeap = Field<UInt32>("sdram_heap", 0x4C)
    /// Bytes of text per ``IOBUFBlock``.
    public static let iobufSize = Field<UInt32>("iobuf_size", 0x50, boot: 16384)
    /// Before boot: bytes of system SDRAM. Then: address of the system buffers.
    public static let sdramBuffers = Field<UInt32>("sdram_bufs", 0x54, boot: 8_388_608)
    /// Words per system buffer.
    public static let systemBufferSize = Field<UInt32>("sysbuf_size", 0x58, boot: 32768)
    public static let bootSignature = Field<UInt32>("boot_sig", 0x5C)
    public static let memoryPointer = Field<UInt32>("mem_ptr", 0x60)
    public static let lock = Field<UInt8>("lock", 0x64)
    /// Bit n: link n is in use.
    public static let enabledLinks = Field<UInt8>("link_en", 0x65, boot: 0x3F)
    public static let lastBoardInfoID = Field<UInt8>("last_biff_id", 0x66)
    public static let boardTestFlags = Field<UInt8>("bt_flags", 0x67)
    public static let messageFreeList = Field<UInt32>("shm_root.free", 0x68)
    public static let messageCount = Field<UInt16>("shm_root.count", 0x6C)
    public static let messageMaximum = Field<UInt16>("shm_root.max", 0x6E)
    public static let scratch0 = Field<UInt32>("utmp0", 0x70)
    public static let scratch1 = Field<UInt32>("utmp1", 0x74)
    public static let scratch2 = Field<UInt32>("utmp2", 0x78)
    public static let scratch3 = Field<UInt32>("utmp3", 0x7C)
    public static let statusMap = Bytes("status_map", 0x80, 20)
    /// By physical core: its virtual number, 0xFF none.
    public static let physicalToVirtual = Bytes("p2v_map", 0x94, 20)
    /// By virtual core: its physical number, 0xFF none.
    public static let virtualToPhysical = Bytes("v2p_map", 0xA8, 20)
    public static let workingCores = Field<UInt8>("num_cpus", 0xBC)
    /// What the boot ROM found.
    public static let romCores = Field<UInt8>("rom_cpus", 0xBD)
    /// Position on the board, `x << 8 | y`.
    public static let boardAddress = Field<UInt16>("board_addr", 0xBE)
    public static let sdramBase = Field<UInt32>("sdram_base", 0xC0)
    public static let systemRAMBase = Field<UInt32>("sysram_base", 0xC4)
    public static let systemSDRAM = Field<UInt32>("sdram_sys", 0xC8)
    public static let vcpuBase = Field<UInt32>("vcpu_base", 0xCC)
    public static let systemHeap = Field<UInt32>("sys_heap", 0xD0)
    /// Address of the ``RouterCopyEntry`` table.
    public static let routerCopy = Field<UInt32>("rtr_copy", 0xD4)
    public static let hopTable = Field<UInt32>("hop_table", 0xD8)
    /// Address of 65536 pointers, by `application << 8 | tag`.
    public static let tagTable = Field<UInt32>("alloc_tag", 0xDC)
    public static let routerFreeList = Field<UInt16>("rtr_free", 0xE0)
    public static let activeP2PAddresses = Field<UInt16>("p2p_active", 0xE2)
    /// Address of the ``ApplicationTableEntry`` table.
    public static let applicationTable = Field<UInt32>("app_data", 0xE4)
    public static let messageBase = Field<UInt32>("shm_buf", 0xE8)
    public static let mailboxFlags = Field<UInt32>("mbox_flags", 0xEC)
    /// As the little-endian word whose low byte is the first octet.
    public static let ipAddress = Field<UInt32>("ip_addr", 0xF0)
    /// The fixed route, in virtual cores.
    public static let fixedRoute = Field<UInt32>("fr_copy", 0xF4)
    /// Address of the ``Blacklist``, or 0.
    public static let boardInfo = Field<UInt32>("board_info", 0xF8)
    /// Four bytes, the most significant 0: 0x00040000 is 4.0.0.
    public static let softwareVersion = Field<UInt32>("sw_ver", 0xFC)
}

/// The system variables of one chip: the 256 bytes, read and written by field.
public struct SystemVariables: Hashable, Sendable {
    /// Always 256 readable bytes.
    public private(set) var image: ByteBuffer

    public init() { self.image = ByteBuffer(repeating: 0, count: SV.size) }

    /// What SpiNNMan sends at boot, before it patches in time and board: every field's ``SV/Field/boot``.
    public static let bootDefaults: SystemVariables = {
        var variables = SystemVariables()
        func set<Value>(_ fields: SV.Field<Value>...) {
            for field in fields { variables[field] = field.boot }
        }
        set(SV.p2pbRepeats, SV.p2pSequenceLog, SV.clockDivisors, SV.forward, SV.retry, SV.peekTime, SV.ledPeriod)
        set(SV.netinitWait, SV.messageBuffers, SV.bootDelay, SV.softWatchdog, SV.enabledLinks)
        set(SV.cpuClock, SV.memoryClock)
        set(SV.led0, SV.led1, SV.systemRAMHeap, SV.sdramHeap, SV.iobufSize, SV.sdramBuffers, SV.systemBufferSize)
        return variables
    }()

    public init(from buffer: inout ByteBuffer) throws(WireError) {
        // A copy: the variables outlive the datagram they came in.
        self.image = ByteBuffer(buffer: try buffer.takeSlice(SV.size, of: "system variables"))
    }

    public func write(into buffer: inout ByteBuffer) { buffer.writeImmutableBuffer(self.image) }

    public subscript<Value>(field: SV.Field<Value>) -> Value {
        get {
            self.image.getInteger(at: self.image.readerIndex + field.offset, endianness: .little) ?? 0
        }
        set {
            self.image.setInteger(newValue, at: self.image.readerIndex + field.offset, endianness: .little)
        }
    }

    /// Writing pads with zeros or cuts to the field's size.
    public subscript(field: SV.Bytes) -> [UInt8] {
        get {
            self.image.getBytes(at: self.image.readerIndex + field.offset, length: field.size) ?? []
        }
        set {
            var bytes = ByteBuffer()
            bytes.putBytes(newValue, count: field.size)
            self.image.setBuffer(bytes, at: self.image.readerIndex + field.offset)
        }
    }

    public var chip: ChipID { ChipID(p2pAddress: self[SV.p2pAddress]) }
    public var dimensions: (width: UInt8, height: UInt8) {
        let size = ChipID(p2pAddress: self[SV.p2pDimensions])
        return (size.x, size.y)
    }
    public var nearestEthernet: ChipID { ChipID(p2pAddress: self[SV.ethernetAddress]) }
    public var address: IPv4Address { IPv4Address(wireWord: self[SV.ipAddress]) }
    /// Ticks per microsecond too many or too few.
    public var clockDrift: Double { Double(self[SV.clockDrift]) / 131_072 }
}
