//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// A board management processor: power, FPGAs and sensors of the boards of one frame.
///
/// A BMP does one thing at a time, so requests go one by one. What must not happen twice (power) is sent once only.
public final class BMP: Sendable {
    let connection: SCPConnection
    private let powerOn: SCPPolicy
    private let powerOff = SCPPolicy(timeout: .seconds(2), retries: 0, resendsEarly: false)

    package init(link: any DatagramLink, powerOnTimeout: Duration = .seconds(10)) {
        self.connection = SCPConnection(
            link: link,
            configuration: SCPConnection.Configuration(
                window: 1, policy: SCPPolicy(timeout: .seconds(1), retries: 3, resendsEarly: false)))
        self.powerOn = SCPPolicy(timeout: TimeAmount(powerOnTimeout), retries: 0, resendsEarly: false)
    }

    func start() { self.connection.start() }

    private func send<Request: SCPRequest>(
        _ request: Request, board: UInt8, policy: SCPPolicy? = nil
    ) async throws(TransceiverError) -> Request.Response {
        do throws(SCPError) {
            return try await self.connection.send(request, to: CoreID(chip: .origin, p: board), policy: policy)
        } catch {
            throw TransceiverError(error)
        }
    }

    private func mask(_ boards: [UInt8]) throws(TransceiverError) -> UInt32 {
        guard let highest = boards.max() else { throw TransceiverError(.invalidArgument, "no board was named") }
        guard highest < 24 else { throw TransceiverError(.invalidArgument, "a frame has no board \(highest)") }
        return boards.reduce(0) { $0 | 1 << UInt32($1) }
    }

    /// The BMP's software.
    ///
    /// - Throws: ``TransceiverError/Code/incompatibleVersion`` unless it is BC&MP 1 or 2.
    public func version(board: UInt8 = 0) async throws(TransceiverError) -> VersionInfo {
        let version = try await self.send(GetVersion(), board: board)
        guard version.name == "BC&MP", version.version.major == 1 || version.version.major == 2 else {
            throw TransceiverError(
                .incompatibleVersion, "the BMP runs \(version.name) \(version.versionText); BC&MP 1 or 2 is needed")
        }
        return version
    }

    /// Switches boards on or off. A board that is on and is switched on is power cycled.
    ///
    /// The request goes to board 0 whatever the boards: some boards do not act on power requests sent to others. A board
    /// that was switched on needs about seven seconds before it answers.
    public func setPower(on: Bool, boards: [UInt8] = [0], delay: UInt16 = 0) async throws(TransceiverError) {
        let mask = try self.mask(boards)
        _ = try await self.send(
            SetBoardPower(on: on, boards: mask, delay: delay), board: 0, policy: on ? self.powerOn : self.powerOff)
    }

    /// Voltages, temperatures, fans.
    public func status(board: UInt8 = 0) async throws(TransceiverError) -> BoardStatus {
        try await self.send(GetBoardStatus(), board: board)
    }

    /// Whether board 0 is known to be off. A BMP that does not answer knows nothing.
    func knowsOfNoPower() async -> Bool {
        guard let status = try? await self.status() else { return false }
        return !status.hasPower
    }

    /// Serial number and hardware version.
    public func serial(board: UInt8 = 0) async throws(TransceiverError) -> BoardSerial {
        try await self.send(GetBoardSerial(), board: board)
    }

    /// The addresses that the BMP and its board's Ethernet chip are set to.
    public func addresses(board: UInt8 = 0) async throws(TransceiverError) -> BoardAddresses {
        try await self.send(GetBoardAddresses(), board: board)
    }

    /// Which boards of the frame are there.
    public func canStatus(board: UInt8 = 0) async throws(TransceiverError) -> CANStatus {
        try await self.send(GetCANStatus(), board: board)
    }

    /// - Parameters:
    ///   - fpga: 0...2
    ///   - register: a byte address; its low two bits are dropped. See ``FPGARegister``.
    public func readFPGARegister(
        _ register: UInt32, of fpga: UInt8, board: UInt8 = 0
    ) async throws(TransceiverError) -> UInt32 {
        try await self.send(ReadFPGARegister(fpga: UInt32(fpga), register: register), board: board).word
    }

    public func writeFPGARegister(
        _ register: UInt32, of fpga: UInt8, value: UInt32, board: UInt8 = 0
    ) async throws(TransceiverError) {
        _ = try await self.send(WriteFPGARegister(fpga: UInt32(fpga), register: register, value: value), board: board)
    }

    /// Sets LEDs 0...7 of boards; the request goes to the lowest of them.
    public func setLEDs(_ actions: LEDActions, boards: [UInt8] = [0]) async throws(TransceiverError) {
        let mask = try self.mask(boards)
        _ = try await self.send(SetBoardLEDs(actions, boards: mask), board: boards.min() ?? 0)
    }

    /// Reads the board's serial flash.
    public func readSerialFlash(
        at address: UInt32, count: Int, board: UInt8 = 0
    ) async throws(TransceiverError) -> ByteBuffer {
        guard var pieces = MemoryPieces(address: address, count: count) else {
            throw TransceiverError(.invalidArgument, "\(count) bytes do not fit behind 0x\(String(address, radix: 16))")
        }
        var bytes = ByteBuffer()
        while let piece = pieces.next() {
            let size = UInt32(truncatingIfNeeded: piece.size)
            let part = try await self.send(ReadSerialFlash(address: piece.address, size: size), board: board).bytes
            guard part.readableBytes >= piece.size else {
                throw TransceiverError(.requestFailed, "the serial flash gave \(part.readableBytes) bytes of \(piece.size)")
            }
            bytes.writeImmutableBuffer(part.getSlice(at: part.readerIndex, length: piece.size) ?? part)
        }
        return bytes
    }
}
