//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerWire

/// A field of `sv` with its type forgotten: for tests that go through all of them.
struct SystemVariablePlace {
    let name: String
    let offset: Int
    let size: Int
}

private func place<Value>(_ field: SV.Field<Value>) -> SystemVariablePlace {
    SystemVariablePlace(name: field.name, offset: field.offset, size: field.size)
}
private func place(_ field: SV.Bytes) -> SystemVariablePlace {
    SystemVariablePlace(name: field.name, offset: field.offset, size: field.size)
}

/// Every one.
let systemVariableFields: [SystemVariablePlace] = [
    place(SV.p2pAddress),
    place(SV.p2pDimensions),
    place(SV.debugAddress),
    place(SV.isP2PUp),
    place(SV.lastID),
    place(SV.ethernetAddress),
    place(SV.hardwareVersion),
    place(SV.isEthernetUp),
    place(SV.p2pbRepeats),
    place(SV.p2pSequenceLog),
    place(SV.clockDivisors),
    place(SV.timePhaseScale),
    place(SV.clock),
    place(SV.millisecond),
    place(SV.localTimePhasePeriod),
    place(SV.unixTime),
    place(SV.timePhaseTimer),
    place(SV.cpuClock),
    place(SV.memoryClock),
    place(SV.forward),
    place(SV.retry),
    place(SV.peekTime),
    place(SV.ledPeriod),
    place(SV.netinitWait),
    place(SV.netinitPhase),
    place(SV.rootAddress),
    place(SV.led0),
    place(SV.led1),
    place(SV.clockDrift),
    place(SV.random),
    place(SV.isRootChip),
    place(SV.messageBuffers),
    place(SV.bootDelay),
    place(SV.softWatchdog),
    place(SV.syncAlignment),
    place(SV.systemRAMHeap),
    place(SV.sdramHeap),
    place(SV.iobufSize),
    place(SV.sdramBuffers),
    place(SV.systemBufferSize),
    place(SV.bootSignature),
    place(SV.memoryPointer),
    place(SV.lock),
    place(SV.enabledLinks),
    place(SV.lastBoardInfoID),
    place(SV.boardTestFlags),
    place(SV.messageFreeList),
    place(SV.messageCount),
    place(SV.messageMaximum),
    place(SV.scratch0),
    place(SV.scratch1),
    place(SV.scratch2),
    place(SV.scratch3),
    place(SV.statusMap),
    place(SV.physicalToVirtual),
    place(SV.virtualToPhysical),
    place(SV.workingCores),
    place(SV.romCores),
    place(SV.boardAddress),
    place(SV.sdramBase),
    place(SV.systemRAMBase),
    place(SV.systemSDRAM),
    place(SV.vcpuBase),
    place(SV.systemHeap),
    place(SV.routerCopy),
    place(SV.hopTable),
    place(SV.tagTable),
    place(SV.routerFreeList),
    place(SV.activeP2PAddresses),
    place(SV.applicationTable),
    place(SV.messageBase),
    place(SV.mailboxFlags),
    place(SV.ipAddress),
    place(SV.fixedRoute),
    place(SV.boardInfo),
    place(SV.softwareVersion),
]
