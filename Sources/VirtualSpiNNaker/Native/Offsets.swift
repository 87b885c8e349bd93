//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Offsets of the system variables, which lie at the top of system RAM. Source: `sark.struct` of spinnaker_tools 4.0.0.
enum SVOffset {
    /// In system RAM (0xF5007F00).
    static let base = 0x7F00
    static let size = 256

    static let p2pAddress = 0x00
    static let p2pDimensions = 0x02
    static let debugAddress = 0x04
    static let isP2PUp = 0x06
    static let lastNNID = 0x07
    static let ethernetAddress = 0x08
    static let hardwareVersion = 0x0A
    static let isEthernetUp = 0x0B
    static let p2pRepeats = 0x0C
    static let p2pSequence = 0x0D
    static let clockDivisors = 0x0E
    static let clockMilliseconds = 0x10
    static let timeMilliseconds = 0x18
    static let unixTime = 0x1C
    static let cpuClock = 0x24
    static let memoryClock = 0x26
    static let forward = 0x28
    static let retry = 0x29
    static let peekTime = 0x2A
    static let ledPeriod = 0x2B
    static let netInitWait = 0x2C
    static let netInitPhase = 0x2D
    static let p2pRoot = 0x2E
    static let led0 = 0x30
    static let led1 = 0x34
    static let clockDrift = 0x38
    static let random = 0x3C
    static let isRoot = 0x40
    static let bufferCount = 0x41
    static let bootDelay = 0x42
    static let softWatchdog = 0x43
    static let syncAlignment = 0x44
    static let systemRAMHeap = 0x48
    static let sdramHeap = 0x4C
    static let iobufSize = 0x50
    static let sdramBuffers = 0x54
    static let systemBufferSize = 0x58
    static let bootSignature = 0x5C
    static let memoryPointer = 0x60
    static let lock = 0x64
    static let linkEnable = 0x65
    static let lastBoardInfoID = 0x66
    static let messageFreeList = 0x68
    static let messageCount = 0x6C
    static let messageMaximum = 0x6E
    static let statusMap = 0x80
    static let physicalToVirtual = 0x94
    static let virtualToPhysical = 0xA8
    static let coreCount = 0xBC
    static let romCoreCount = 0xBD
    static let boardAddress = 0xBE
    static let sdramBase = 0xC0
    static let systemRAMBase = 0xC4
    static let sdramSystem = 0xC8
    static let vcpuBase = 0xCC
    static let systemHeap = 0xD0
    static let routerCopy = 0xD4
    static let hopTable = 0xD8
    static let allocationTags = 0xDC
    static let routerFree = 0xE0
    static let activeP2P = 0xE2
    static let applicationTable = 0xE4
    static let messagePool = 0xE8
    static let mailboxFlags = 0xEC
    static let ipAddress = 0xF0
    static let fixedRoute = 0xF4
    static let boardInfo = 0xF8
    static let softwareVersion = 0xFC

    /// 4.0.0, a byte each.
    static let version: UInt32 = 0x0004_0000
    static let vcpuAddress: UInt32 = 0xE500_7000
    static let boardInfoCopy: UInt32 = 0xE500_7900
}

/// Offsets within the 128-byte block that system RAM holds for each core.
enum VCPUOffset {
    /// In system RAM (0xE5007000).
    static let base = 0x7000
    static let size = 128

    static let registers = 0
    static let psr = 32
    static let sp = 36
    static let lr = 40
    static let rteCode = 44
    static let physicalCore = 45
    static let state = 46
    static let applicationID = 47
    static let mailboxToCore = 48
    static let mailboxFromCore = 52
    static let mailboxCommandToCore = 56
    static let mailboxCommandFromCore = 57
    static let errorCount = 58
    static let errorFile = 60
    static let errorLine = 64
    static let time = 68
    static let name = 72
    static let iobuf = 88
    static let softwareVersion = 92
    static let user0 = 112
}
