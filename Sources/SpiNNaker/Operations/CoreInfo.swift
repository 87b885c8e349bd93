//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// What the monitor keeps about a core: state, application, registers of a core that crashed.
public struct CoreInfo: Hashable, Sendable, CustomStringConvertible {
    public var core: CoreID
    public var vcpu: VCPU

    public init(core: CoreID, vcpu: VCPU) {
        self.core = core
        self.vcpu = vcpu
    }

    public var state: CoreState { self.vcpu.state }
    public var application: UInt8 { self.vcpu.application }

    public var description: String {
        var text = "\(self.core) (physical \(self.vcpu.physicalCore)): state \(self.vcpu.state.rawValue)"
        text += ", application \(self.vcpu.application) \(self.vcpu.name)"
        if self.vcpu.state == .runTimeException {
            let registers = self.vcpu.registers.map { "0x" + String($0, radix: 16) }.joined(separator: " ")
            text += ", error \(self.vcpu.runTimeError.rawValue), r0-r7 \(registers)"
            text += ", psr 0x\(String(self.vcpu.psr, radix: 16)), sp 0x\(String(self.vcpu.stackPointer, radix: 16))"
            text += ", lr 0x\(String(self.vcpu.linkRegister, radix: 16))"
        }
        return text
    }
}
