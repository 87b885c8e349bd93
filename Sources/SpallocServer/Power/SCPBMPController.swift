//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A BMP over SCP: UDP to port 17893, one request at a time.
package struct SCPBMPController: BMPController {
    private let connection: SCPConnection
    private let command: SCPPolicy
    private let powerOn: SCPPolicy

    package init(connection: SCPConnection, power: SpallocServerConfiguration.Power) {
        self.connection = connection
        // Reading and writing a register may be repeated at once; the power command may not, or it would be a second power cycle.
        self.command = SCPPolicy(timeout: .milliseconds(power.commandTimeout.milliseconds), retries: 2)
        self.powerOn = SCPPolicy(
            timeout: .milliseconds(power.powerOnTimeout.milliseconds), retries: 0, resendsEarly: false)
    }

    /// Opens a socket towards the BMP.
    package static func factory(power: SpallocServerConfiguration.Power) -> BMPControllerFactory {
        { bmp in
            guard let address = IPv4Address(bmp.address) else {
                throw SpallocServerError(.machineDefinition, "\"\(bmp.address)\" is not an IPv4 address")
            }
            let link = try await UDPLink.connect(
                to: address, port: bmp.port, on: MultiThreadedEventLoopGroup.singleton.next())
            let connection = SCPConnection(link: link, configuration: .bmp)
            connection.start()
            return SCPBMPController(connection: connection, power: power)
        }
    }

    package func setPower(slots: [Int], on: Bool) async throws(BMPError) {
        let mask = slots.reduce(UInt32(0)) { $0 | (UInt32(1) << UInt32(clamping: $1)) }
        try await self.send(SetBoardPower(on: on, boards: mask), slot: 0, policy: on ? self.powerOn : self.command)
    }

    package func readFPGAFlag(slot: Int, fpga: Int) async throws(BMPError) -> UInt32 {
        try await self.send(
            ReadFPGARegister(fpga: UInt32(clamping: fpga), register: FPGARegister.flag), slot: slot, policy: self.command
        ).word
    }

    package func setLinkStop(slot: Int, fpga: Int, bank: Int, stop: Bool) async throws(BMPError) {
        try await self.send(
            WriteFPGARegister(
                fpga: UInt32(clamping: fpga), register: FPGARegister.stop(bank: UInt32(clamping: bank)), value: stop ? 1 : 0),
            slot: slot, policy: self.command)
    }

    package func readHealth(slot: Int) async throws(BMPError) -> BoardHealth {
        let serial = try await self.send(GetBoardSerial(), slot: slot, policy: self.command)
        let status = try await self.send(GetBoardStatus(), slot: slot, policy: self.command)
        let request = ReadSerialFlash(address: Blacklist.flashAddress, size: UInt32(Blacklist.size))
        var bytes = try await self.send(request, slot: slot, policy: self.command).bytes
        do throws(WireError) {
            return BoardHealth(serial: serial, status: status, blacklist: try Blacklist(from: &bytes))
        } catch {
            throw .refused("its blacklist cannot be read: \(error)")
        }
    }

    package func close() async { self.connection.close() }

    @discardableResult
    private func send<Request: SCPRequest>(
        _ request: Request, slot: Int, policy: SCPPolicy
    ) async throws(BMPError) -> Request.Response {
        do throws(SCPError) {
            return try await self.connection.send(request, to: CoreID(0, 0, UInt8(clamping: slot)), policy: policy)
        } catch {
            switch error.code {
            case .cancelled: throw .cancelled
            case .timedOut, .linkClosed: throw .unreachable("\(error)")
            case .rejected(let result) where result.isRetryable: throw .unreachable("\(error)")
            case .rejected, .malformedReply, .invalidRequest: throw .refused("\(error)")
            }
        }
    }
}
