//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNaker
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// What a BMP is asked, request by request, and what is made of its answers.
@Suite(.timeLimit(.minutes(3))) struct BMPTests {
    private func with(
        _ answer: @escaping @Sendable (SCPPacket) -> (result: SCPResult, payload: ByteBuffer)?,
        _ body: (BMP, AnsweringLink) async throws -> Void
    ) async throws {
        let link = AnsweringLink(answer)
        try await withTransceiver(links: [.origin: AnsweringLink { _ in nil }], bmps: [link]) { transceiver in
            try await body(transceiver.bmps[0], link)
        }
    }

    private func code(_ body: () async throws -> Void) async -> TransceiverError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? TransceiverError)?.code
        }
    }

    private func expectRefusal(_ body: () async throws -> Void) async {
        let code = await self.code(body)
        #expect(code == .invalidArgument)
    }

    /// sdp-scp.md §8: power goes to board 0 whatever the boards, the boards are in the mask, the delay in the high half.
    @Test func powerGoesToBoardZeroAndLEDsToTheLowest() async throws {
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { bmp, link in
            try await bmp.setPower(on: true, boards: [5, 0, 23], delay: 0x1234)
            try await bmp.setPower(on: false, boards: [7])
            try await bmp.setLEDs(LEDActions(word: 0xC3), boards: [9, 4, 17])
            let sent = try await link.allSent()
            #expect(sent.map { $0.header.destination.cpu } == [0, 0, 4])
            #expect(sent.allSatisfy { $0.header.destinationChip == .origin })
            #expect(
                sent.map(\.arguments) == [
                    SCPArguments(0x1234_0001, 1 << 5 | 1 | 1 << 23), SCPArguments(0, 1 << 7),
                    SCPArguments(0xC3, 1 << 9 | 1 << 4 | 1 << 17),
                ])
        }
    }

    @Test func boardsThatAFrameHasNotAreNotAskedFor() async throws {
        try await self.with { _ in
            (.ok, ByteBuffer())
        } _: { bmp, link in
            for boards in [[], [24], [0, 255]] as [[UInt8]] {
                await self.expectRefusal { try await bmp.setPower(on: true, boards: boards) }
                await self.expectRefusal { try await bmp.setLEDs(LEDActions(), boards: boards) }
            }
            await self.expectRefusal { _ = try await bmp.readSerialFlash(at: .max - 2, count: 4) }
            let sent = try await link.allSent()
            #expect(sent.isEmpty)
        }
    }

    @Test(arguments: [
        ("BC&MP", 1, true), ("BC&MP", 2, true), ("BC&MP", 0, false), ("BC&MP", 3, false), ("SC&MP", 2, false),
    ])
    func onlyItsOwnSoftwareWillDo(_ name: String, _ major: Int, _ isKnown: Bool) async throws {
        try await self.with { _ in
            var bytes = ByteBuffer()
            VersionInfo(
                virtualCore: 0, physicalCore: 0, chip: .origin, buildDate: 1, name: name, hardware: "Spin5",
                version: SoftwareVersion(major: major, minor: 7, patch: 0)
            ).write(into: &bytes)
            return (.ok, bytes)
        } _: { bmp, link in
            let code = await self.code { _ = try await bmp.version(board: 3) }
            #expect(code == (isKnown ? nil : .incompatibleVersion))
            let boards = try await link.allSent().map { $0.header.destination.cpu }
            #expect(boards == [3])
        }
    }

    /// Pieces of a request each, put together; one that is short is an error and no hole.
    @Test func flashIsReadInPieces() async throws {
        let flash = (0..<700).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await self.with { packet in
            let start = Int(packet.arguments.arg1 - 0x100)
            return (.ok, ByteBuffer(bytes: flash[start..<(start + Int(packet.arguments.arg2))]))
        } _: { bmp, link in
            #expect(Array(try await bmp.readSerialFlash(at: 0x100, count: 700, board: 2).readableBytesView) == flash)
            let sent = try await link.allSent()
            #expect(sent.map(\.arguments.arg1) == [0x100, 0x200, 0x300] && sent.map(\.arguments.arg2) == [256, 256, 188])
            #expect(sent.allSatisfy { $0.header.destination.cpu == 2 })
            #expect(try await bmp.readSerialFlash(at: 0x100, count: 0).readableBytes == 0)
        }
        for (excess, expected) in [(-1, TransceiverError.Code.requestFailed), (1, nil)] {
            try await self.with { packet in
                (.ok, ByteBuffer(repeating: 1, count: Int(packet.arguments.arg2) + excess))
            } _: { bmp, _ in
                let code = await self.code {
                    let bytes = try await bmp.readSerialFlash(at: 0, count: 100)
                    #expect(bytes.readableBytes == 100)
                }
                #expect(code == expected)
            }
        }
    }

    @Test func registersOfFPGAs() async throws {
        try await self.with { packet in
            (.ok, packet.command == .linkRead ? words(0xDEAD_BEEF) : ByteBuffer())
        } _: { bmp, link in
            #expect(try await bmp.readFPGARegister(0x40003, of: 2, board: 5) == 0xDEAD_BEEF)
            try await bmp.writeFPGARegister(0x40010, of: 1, value: 77)
            let sent = try await link.allSent()
            #expect(sent.map(\.command) == [.linkRead, .linkWrite])
            #expect(sent.map { $0.header.destination.cpu } == [5, 0])
            // sdp-scp.md §8: the register without its low bits, four bytes, the FPGA.
            #expect(sent.map(\.arguments) == [SCPArguments(0x40000, 4, 2), SCPArguments(0x40010, 4, 1)])
            var value = sent[1].data
            #expect(value.readInteger(endianness: .little, as: UInt32.self) == 77)
        }
    }
}
