//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Offsets of the system variables, which lie at the top of system RAM. Source: `sark.struct` of spinnaker_tools 4.0.0.
package enum SV {
    /// In system RAM (0xF5007F00).
    package static let base = 0x7F00
    package static let size = 256

    package static let p2pAddress = 0x00
    package static let p2pDimensions = 0x02
    package static let debugAddress = 0x04
    package static let isP2PUp = 0x06
    package static let lastNNID = 0x07
    package static let ethernetAddress = 0x08
    package static let hardwareVersion = 0x0A
    package static let isEthernetUp = 0x0B
    package static let p2pRepeats = 0x0C
    package static let p2pSequence = 0x0D
    package static let clockDivisors = 0x0E
    package static let clockMilliseconds = 0x10
    package static let timeMilliseconds = 0x18
    package static let unixTime = 0x1C
    package static let cpuClock = 0x24
    package static let memoryClock = 0x26
    package static let forward = 0x28
    package static let retry = 0x29
    package static let peekTime = 0x2A
    package static let ledPeriod = 0x2B
    package static let netInitWait = 0x2C
    package static let netInitPhase = 0x2D
    package static let p2pRoot = 0x2E
    package static let led0 = 0x30
    package static let led1 = 0x34
    package static let clockDrift = 0x38
    package static let random = 0x3C
    package static let isRoot = 0x40
    package static let bufferCount = 0x41
    package static let bootDelay = 0x42
    package static let softWatchdog = 0x43
    package static let syncAlignment = 0x44
    package static let systemRAMHeap = 0x48
    package static let sdramHeap = 0x4C
    package static let iobufSize = 0x50
    package static let sdramBuffers = 0x54
    package static let systemBufferSize = 0x58
    package static let bootSignature = 0x5C
    package static let memoryPointer = 0x60
    package static let lock = 0x64
    package static let linkEnable = 0x65
    package static let lastBoardInfoID = 0x66
    package static let messageFreeList = 0x68
    package static let messageCount = 0x6C
    package static let messageMaximum = 0x6E
    package static let statusMap = 0x80
    package static let physicalToVirtual = 0x94
    package static let virtualToPhysical = 0xA8
    package static let coreCount = 0xBC
    package static let romCoreCount = 0xBD
    package static let boardAddress = 0xBE
    package static let sdramBase = 0xC0
    package static let systemRAMBase = 0xC4
    package static let sdramSystem = 0xC8
    package static let vcpuBase = 0xCC
    package static let systemHeap = 0xD0
    package static let routerCopy = 0xD4
    package static let hopTable = 0xD8
    package static let allocationTags = 0xDC
    package static let routerFree = 0xE0
    package static let activeP2P = 0xE2
    package static let applicationTable = 0xE4
    package static let messagePool = 0xE8
    package static let mailboxFlags = 0xEC
    package static let ipAddress = 0xF0
    package static let fixedRoute = 0xF4
    package static let boardInfo = 0xF8
    package static let softwareVersion = 0xFC

    /// 4.0.0, a byte each.
    package static let version: UInt32 = 0x0004_0000
    package static let vcpuAddress: UInt32 = 0xE500_7000
    package static let boardInfoCopy: UInt32 = 0xE500_7900
}

/// Offsets within the 128-byte block that system RAM holds for each core.
package enum VCPU {
    /// In system RAM (0xE5007000).
    package static let base = 0x7000
    package static let size = 128

    package static let registers = 0
    package static let psr = 32
    package static let sp = 36
    package static let lr = 40
    package static let rteCode = 44
    package static let physicalCore = 45
    package static let state = 46
    package static let applicationID = 47
    package static let mailboxToCore = 48
    package static let mailboxFromCore = 52
    package static let mailboxCommandToCore = 56
    package static let mailboxCommandFromCore = 57
    package static let errorCount = 58
    package static let errorFile = 60
    package static let errorLine = 64
    package static let time = 68
    package static let name = 72
    package static let iobuf = 88
    package static let softwareVersion = 92
    package static let user0 = 112
}
