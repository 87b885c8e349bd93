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

    package func writeBlacklist(_ list: Blacklist, slot: Int) async throws(BMPError) {
        // Unstructured, so that it is not cancelled: between erasing and writing the BMP has no configuration.
        let result = await Task { () -> Result<Void, BMPError> in
            do throws(BMPError) {
                try await self.replaceBlacklist(list, slot: slot)
                return .success(())
            } catch {
                return .failure(error)
            }
        }.value
        try result.get()
    }

    private func replaceBlacklist(_ list: Blacklist, slot: Int) async throws(BMPError) {
        let piece = SCP.maximumData
        var old: [UInt8] = []
        for offset in stride(from: 0, to: BMPConfigurationSector.size, by: piece) {
            let address = BMPConfigurationSector.address + UInt32(clamping: offset)
            let bytes = try await self.send(
                ReadMemory(address: address, size: piece), slot: slot, policy: self.command)
            old += bytes.bytes.readableBytesView
        }
        let sector: BMPConfigurationSector
        do throws(WireError) {
            sector = try BMPConfigurationSector(bytes: old)
        } catch {
            throw .refused("its configuration cannot be read: \(error)")
        }
        let new = sector.with(list).bytes
        let end = BMPConfigurationSector.address + UInt32(clamping: BMPConfigurationSector.size)
        let buffer = try await self.send(
            EraseFlash(start: BMPConfigurationSector.address, end: end), slot: slot, policy: self.command
        ).word
        for offset in stride(from: 0, to: new.count, by: piece) {
            let data = ByteBuffer(bytes: new[offset..<(offset + piece)])
            try await self.send(
                WriteMemory(address: buffer &+ UInt32(clamping: offset), data: data), slot: slot, policy: self.command)
        }
        try await self.send(
            WriteFlash(address: BMPConfigurationSector.address, size: UInt32(clamping: new.count), erase: true), slot: slot,
            policy: self.command)
        // What the chips are given: the list of the serial flash. It is read back, for a flash can be worn.
        var bytes = ByteBuffer()
        list.write(into: &bytes)
        try await self.send(WriteSerialFlash(address: Blacklist.flashAddress, data: bytes), slot: slot, policy: self.command)
        let request = ReadSerialFlash(address: Blacklist.flashAddress, size: UInt32(Blacklist.size))
        guard try await self.send(request, slot: slot, policy: self.command).bytes == bytes else {
            throw .refused("its serial flash does not hold what was written")
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
