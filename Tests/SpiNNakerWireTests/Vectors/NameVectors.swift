//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Numbers with names, as theirs has them. A name of theirs without a number of ours fails.
let nameFamilies: VectorFamilies = [
    "enum/AllocFree": numbers([
        "ALLOC_SDRAM": AllocateCommand.Operation.allocateSDRAM.rawValue,
        "FREE_SDRAM_BY_POINTER": AllocateCommand.Operation.freeSDRAM.rawValue,
        "FREE_SDRAM_BY_APP_ID": AllocateCommand.Operation.freeSDRAMOfApplication.rawValue,
        "ALLOC_ROUTING": AllocateCommand.Operation.allocateRouterEntries.rawValue,
        "FREE_ROUTING_BY_POINTER": AllocateCommand.Operation.freeRouterEntries.rawValue,
        "FREE_ROUTING_BY_APP_ID": AllocateCommand.Operation.freeRouterEntriesOfApplication.rawValue,
    ]),
    "enum/BMPInfo": numbers([
        "SERIAL": GetBoardSerial.selector.rawValue, "CAN_STATUS": GetCANStatus.selector.rawValue,
        "ADC": GetBoardStatus.selector.rawValue, "IP_ADDR": GetBoardAddresses.selector.rawValue,
    ]),
    "enum/SCPCommand": numbers(commandNames.mapValues(\.rawValue)),
    "enum/IPTagCommand": numbers([
        "NEW": IPTagCommand.Operation.new.rawValue, "SET": IPTagCommand.Operation.set.rawValue,
        "GET": IPTagCommand.Operation.get.rawValue, "CLR": IPTagCommand.Operation.clear.rawValue,
        "TTO": IPTagCommand.Operation.timeout.rawValue,
    ]),
    "enum/LEDAction": numbers([
        "TOGGLE": LEDAction.toggle.rawValue, "OFF": LEDAction.off.rawValue, "ON": LEDAction.on.rawValue,
    ]),
    "enum/PowerCommand": numbers([
        "POWER_OFF": SetBoardPower(on: false, boards: 1).state, "POWER_ON": SetBoardPower(on: true, boards: 1).state,
    ]),
    "enum/SCPResult": { vector in
        // Our description begins with the firmware's name.
        let names = (0x80...0x8F).map { SCPResult(rawValue: $0) }.map {
            (String($0.description.prefix { $0 != " " }), $0.rawValue)
        }
        return try numbers(Dictionary(uniqueKeysWithValues: names))(vector)
    },
    "enum/Signal": numbers(signalNames.mapValues(\.rawValue)),
    "enum/SignalType": numbers([
        "MULTICAST": SignalType.multicast.rawValue, "POINT_TO_POINT": SignalType.pointToPoint.rawValue,
        "NEAREST_NEIGHBOUR": SignalType.nearestNeighbour.rawValue,
    ]),
    "enum/CPUState": numbers(
        coreStateNames.merging(["CPU_STATE_12": 12, "CPU_STATE_13": 13, "CPU_STATE_14": 14]) { a, _ in a }),
    "enum/DiagnosticFilterDefaultRoutingStatus": bits([
        "DEFAULT_ROUTED": DiagnosticFilter.Defaulting.defaultRouted.rawValue,
        "NON_DEFAULT_ROUTED": DiagnosticFilter.Defaulting.notDefaultRouted.rawValue,
    ]),
    "enum/DiagnosticFilterDestination": bits([
        "DUMP": DiagnosticFilter.Destinations.dump.rawValue, "LOCAL": DiagnosticFilter.Destinations.localCore.rawValue,
        "LOCAL_MONITOR": DiagnosticFilter.Destinations.localMonitor.rawValue,
        "LINK_0": DiagnosticFilter.Destinations.link(.east).rawValue,
        "LINK_1": DiagnosticFilter.Destinations.link(.northEast).rawValue,
        "LINK_2": DiagnosticFilter.Destinations.link(.north).rawValue,
        "LINK_3": DiagnosticFilter.Destinations.link(.west).rawValue,
        "LINK_4": DiagnosticFilter.Destinations.link(.southWest).rawValue,
        "LINK_5": DiagnosticFilter.Destinations.link(.south).rawValue,
    ]),
    "enum/DiagnosticFilterEmergencyRoutingStatus": bits([
        "NORMAL": DiagnosticFilter.Emergency.normal.rawValue,
        "FIRST_STAGE_COMBINED": DiagnosticFilter.Emergency.firstStageCombined.rawValue,
        "FIRST_STAGE": DiagnosticFilter.Emergency.firstStage.rawValue,
        "SECOND_STAGE": DiagnosticFilter.Emergency.secondStage.rawValue,
    ]),
    "enum/DiagnosticFilterPacketType": bits([
        "MULTICAST": DiagnosticFilter.PacketKinds.multicast.rawValue,
        "POINT_TO_POINT": DiagnosticFilter.PacketKinds.pointToPoint.rawValue,
        "NEAREST_NEIGHBOUR": DiagnosticFilter.PacketKinds.nearestNeighbour.rawValue,
        "FIXED_ROUTE": DiagnosticFilter.PacketKinds.fixedRoute.rawValue,
    ]),
    "enum/DiagnosticFilterPayloadStatus": bits([
        "WITH_PAYLOAD": DiagnosticFilter.Payload.with.rawValue, "WITHOUT_PAYLOAD": DiagnosticFilter.Payload.without.rawValue,
    ]),
    "enum/DiagnosticFilterSource": bits([
        "LOCAL": DiagnosticFilter.Source.local.rawValue, "NON_LOCAL": DiagnosticFilter.Source.notLocal.rawValue,
    ]),
    "enum/MailboxCommand": numbers(mailboxNames),
    "enum/P2PTableRoute": numbers([
        "EAST": P2PRoute.east.rawValue, "NORTH_EAST": P2PRoute.northEast.rawValue, "NORTH": P2PRoute.north.rawValue,
        "WEST": P2PRoute.west.rawValue, "SOUTH_WEST": P2PRoute.southWest.rawValue, "SOUTH": P2PRoute.south.rawValue,
        "NONE": P2PRoute.none.rawValue, "MONITOR": P2PRoute.monitor.rawValue,
    ]),
    "enum/RouterError": numbers([
        "ERROR": RouterErrors.error.rawValue, "OVERFLOW": RouterErrors.overflow.rawValue,
        "PARITY": RouterErrors.parity.rawValue,
        "FRAMING": RouterErrors.framing.rawValue, "TIMESTAMP": RouterErrors.timeStamp.rawValue,
    ]),
    // UNRECOGNISED is theirs alone: 99999 is no byte.
    "enum/RunTimeError": numbers(runTimeErrorNames.mapValues(Int.init).merging(["UNRECOGNISED": 99999]) { a, _ in a }),
    "enum/SDP_PORTS": numbers([
        "INPUT_BUFFERING_SDP_PORT": SDPPort.inputBuffering, "OUTPUT_BUFFERING_SDP_PORT": SDPPort.outputBuffering,
        "RUNNING_COMMAND_SDP_PORT": SDPPort.runningCommand, "EXTRA_MONITOR_CORE_REINJECTION": SDPPort.reinjection,
        "EXTRA_MONITOR_CORE_DATA_SPEED_UP": SDPPort.dataOut, "EXTRA_MONITOR_CORE_DATA_IN_SPEED_UP": SDPPort.dataIn,
    ]),
    "enum/SDP_RUNNING_MESSAGE_CODES": numbers([
        "SDP_STOP_ID_CODE": RunningCommand.stop.rawValue, "SDP_NEW_RUNTIME_ID_CODE": RunningCommand.newRunTime.rawValue,
        "SDP_UPDATE_PROVENCE_REGION_AND_EXIT": RunningCommand.updateProvenanceAndExit.rawValue,
        "SDP_CLEAR_IOBUF_CODE": RunningCommand.clearIOBUF.rawValue, "SDP_PAUSE_ID_CODE": RunningCommand.pause.rawValue,
        "SDP_GET_CURRENT_TIME_CODE": RunningCommand.currentTime.rawValue,
    ]),
    "enum/UserRegister": { vector in
        var outcome = Outcome()
        for register in 0..<4 as Range<UInt8> {
            outcome.expect(
                "USER_\(register)", (VCPU.userAddress(of: 0, register) - VCPU.userAddress(of: 0, 0)) / 4,
                vector.decoded["USER_\(register)"])
        }
        return outcome
    },
    // Their values are codes; the name says the milliseconds: 10 · 2^(code - 1).
    "enum/IPTAG_TIME_OUT_WAIT_TIMES": { vector in
        var outcome = Outcome()
        for code in 1...9 {
            outcome.expect("code \(code)", code, vector.decoded["TIMEOUT_\(10 << (code - 1))_ms"]?.int)
        }
        return outcome
    },
    "enum/ROUTER_REGISTER_REGISTERS": numbers([
        "LOC_MC": RouterCounter.localMulticast.rawValue, "EXT_MC": RouterCounter.externalMulticast.rawValue,
        "LOC_PP": RouterCounter.localP2P.rawValue, "EXT_PP": RouterCounter.externalP2P.rawValue,
        "LOC_NN": RouterCounter.localNearestNeighbour.rawValue, "EXT_NN": RouterCounter.externalNearestNeighbour.rawValue,
        "LOC_FR": RouterCounter.localFixedRoute.rawValue, "EXT_FR": RouterCounter.externalFixedRoute.rawValue,
        "DUMP_MC": RouterCounter.droppedMulticast.rawValue, "DUMP_PP": RouterCounter.droppedP2P.rawValue,
        "DUMP_NN": RouterCounter.droppedNearestNeighbour.rawValue, "DUMP_FR": RouterCounter.droppedFixedRoute.rawValue,
        "USER_0": RouterCounter.user0.rawValue, "USER_1": RouterCounter.user1.rawValue, "USER_2": RouterCounter.user2.rawValue,
        "USER_3": RouterCounter.user3.rawValue,
    ]),
    "enum/READ_TYPES": numbers([
        "BYTE": TransferUnit.byte.rawValue, "HALF_WORD": TransferUnit.halfWord.rawValue, "WORD": TransferUnit.word.rawValue,
    ]),
    "enum/SpallocState": numbers([
        "UNKNOWN": V1State.unknown.rawValue, "QUEUED": V1State.queued.rawValue, "POWER": V1State.power.rawValue,
        "READY": V1State.ready.rawValue, "DESTROYED": V1State.destroyed.rawValue,
    ]),
    "enum/SDPFlag": numbers([
        "REPLY_NOT_EXPECTED": SDPFlags.replyNotExpected.rawValue, "REPLY_EXPECTED": SDPFlags.replyExpected.rawValue,
        "REPLY_NOT_EXPECTED_NO_P2P": SDPFlags.replyNotExpectedNoRouting.rawValue,
        "REPLY_EXPECTED_NO_P2P": SDPFlags.replyExpectedNoRouting.rawValue,
    ]),
]

/// Ours by their names must be the whole of theirs.
private func numbers<Value: BinaryInteger & Sendable>(_ ours: [String: Value]) -> VectorCheck {
    { vector in
        var outcome = Outcome()
        guard case .object(let theirs) = vector.decoded else { throw VectorShapeError(vector, "names") }
        for (name, number) in theirs {
            outcome.expect(name, ours[name].flatMap { Int(exactly: $0) }, number.int)
        }
        for name in ours.keys where theirs[name] == nil { outcome.expect(name, "ours alone", "nothing") }
        return outcome
    }
}

/// Theirs are positions, ours the bits there.
private func bits<Value: FixedWidthInteger & Sendable>(_ ours: [String: Value]) -> VectorCheck {
    numbers(ours.mapValues(\.trailingZeroBitCount))
}

func name(of number: UInt8, in names: [String: UInt8]) -> String? { names.first { $0.value == number }?.key }

let commandNames: [String: SCPCommand] = [
    "CMD_VER": .version, "CMD_RUN": .run, "CMD_READ": .read, "CMD_WRITE": .write, "CMD_APLX": .aplx, "CMD_FILL": .fill,
    "CMD_COUNT": .count, "CMD_REMAP": .remap, "CMD_LINK_READ": .linkRead, "CMD_LINK_WRITE": .linkWrite,
    "CMD_AR": .applicationRun,
    "CMD_NNP": .nearestNeighbourPacket, "CMD_APP_COPY_RUN": .applicationCopyRun, "CMD_SIG": .signal, "CMD_FFD": .floodFillData,
    "CMD_AS": .applicationStart, "CMD_LED": .led, "CMD_IPTAG": .ipTag, "CMD_SROM": .serialROM, "CMD_ALLOC": .allocate,
    "CMD_RTR": .router, "CMD_DPRI": .droppedPacketReinjection, "CMD_INFO": .info, "CMD_SYNC": .sync, "CMD_BMP_INFO": .bmpInfo,
    "CMD_FLASH_COPY": .flashCopy, "CMD_FLASH_ERASE": .flashErase, "CMD_FLASH_WRITE": .flashWrite, "CMD_RESET": .reset,
    "CMD_BMP_POWER": .bmpPower, "CMD_TUBE": .tube,
]

private let signalNames: [String: Signal] = [
    "INITIALISE": .initialise, "POWER_DOWN": .powerDown, "STOP": .stop, "START": .start, "SYNC0": .sync0, "SYNC1": .sync1,
    "PAUSE": .pause, "CONTINUE": .continue, "EXIT": .exit, "TIMER": .timer, "USER_0": .user0, "USER_1": .user1,
    "USER_2": .user2, "USER_3": .user3,
]

let coreStateNames: [String: UInt8] = [
    "DEAD": CoreState.dead.rawValue, "POWERED_DOWN": CoreState.poweredDown.rawValue,
    "RUN_TIME_EXCEPTION": CoreState.runTimeException.rawValue, "WATCHDOG": CoreState.watchdog.rawValue,
    "INITIALISING": CoreState.initialising.rawValue, "READY": CoreState.ready.rawValue, "C_MAIN": CoreState.cMain.rawValue,
    "RUNNING": CoreState.running.rawValue, "SYNC0": CoreState.sync0.rawValue, "SYNC1": CoreState.sync1.rawValue,
    "PAUSED": CoreState.paused.rawValue, "FINISHED": CoreState.finished.rawValue, "IDLE": CoreState.idle.rawValue,
]

let mailboxNames: [String: UInt8] = [
    "SHM_IDLE": MailboxCommand.idle.rawValue, "SHM_MSG": MailboxCommand.message.rawValue,
    "SHM_NOP": MailboxCommand.ping.rawValue,
    "SHM_SIGNAL": MailboxCommand.signal.rawValue, "SHM_CMD": MailboxCommand.command.rawValue,
]

let runTimeErrorNames: [String: UInt8] = [
    "NONE": RunTimeError.none.rawValue, "RESET": RunTimeError.reset.rawValue,
    "UNDEF": RunTimeError.undefinedInstruction.rawValue,
    "SVC": RunTimeError.supervisorCall.rawValue, "PABT": RunTimeError.prefetchAbort.rawValue,
    "DABT": RunTimeError.dataAbort.rawValue,
    "IRQ": RunTimeError.irq.rawValue, "FIQ": RunTimeError.fiq.rawValue, "VIC": RunTimeError.interruptController.rawValue,
    "ABORT": RunTimeError.abort.rawValue, "MALLOC": RunTimeError.outOfMemory.rawValue,
    "DIVBY0": RunTimeError.divisionByZero.rawValue,
    "EVENT": RunTimeError.event.rawValue, "SWERR": RunTimeError.softwareError.rawValue, "IOBUF": RunTimeError.iobuf.rawValue,
    "ENABLE": RunTimeError.enable.rawValue, "NULL": RunTimeError.nullPointer.rawValue, "PKT": RunTimeError.packet.rawValue,
    "TIMER": RunTimeError.timer.rawValue, "API": RunTimeError.api.rawValue,
    "SARK_VERSRION_INCORRECT": RunTimeError.wrongSARKVersion.rawValue,
]
