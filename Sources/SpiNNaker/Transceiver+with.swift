//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire

/// Runs `body` with a transceiver over links to boards, and closes the links when it is over, however it ends.
///
/// Nothing is sent before `body` asks for it: begin with ``Transceiver/ensureReady(image:values:)`` when the machine may not be booted, or
/// ``Transceiver/discoverMachine()`` when it is.
///
/// - Parameters:
///   - links: to UDP port 17893 of boards, by their Ethernet chips in the machine's coordinates.
///   - boot: to port 54321 of the board that boots the machine. nil: the machine can not be booted from here.
///   - bmps: to the BMPs of the machine's boards.
///   - memoryService: another way to memory, for much at a time: see ``MemoryRoute``.
public func withTransceiver<Output>(
    links: [ChipID: any DatagramLink],
    boot: (any DatagramLink)? = nil,
    bmps: [any DatagramLink] = [],
    memoryService: (any MemoryService)? = nil,
    configuration: TransceiverConfiguration = TransceiverConfiguration(),
    _ body: (Transceiver) async throws -> Output
) async throws -> Output {
    let boards = links.sorted { $0.key < $1.key }.map { chip, link in
        Transceiver.Board(chip: chip, connection: SCPConnection(link: link, configuration: configuration.connection))
    }
    return try await run(
        Transceiver(
            boards: boards, boot: boot, bmps: bmps.map { BMP(link: $0, powerOnTimeout: configuration.powerOnTimeout) },
            memoryService: memoryService, configuration: configuration), body)
}

/// Runs `body` with a transceiver to a machine that is reached by UDP, of which one board is known: by name or address.
///
/// The machine is booted if it has to be and can be (`image`), and links to its other boards are made from the addresses
/// that the machine knows; a board that is not reached so is left to its neighbours, which pass its messages on.
///
/// - Parameters:
///   - host: the root board, as a name or dotted quad. SC&MP listens on port 17893, the boot ROM on 54321.
///   - image: what to boot with; nil: the machine must be booted.
///   - bmp: the BMP of the board, when the board may have to be switched on.
public func withTransceiver<Output>(
    to host: String,
    image: BootImage? = nil,
    bmp: String? = nil,
    configuration: TransceiverConfiguration = TransceiverConfiguration(),
    _ body: (Transceiver) async throws -> Output
) async throws -> Output {
    let address = try await UDPLink.resolve(host)
    let eventLoops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
    let root = try await UDPLink.connect(to: address, port: SCP.port)
    let boot: UDPLink? = image == nil ? nil : try await UDPLink.connect(to: address, port: BootMessage.port)
    var bmps: [BMP] = []
    if let bmp {
        let link = try await UDPLink.connect(to: UDPLink.resolve(bmp), port: SCP.port)
        bmps.append(BMP(link: link, powerOnTimeout: configuration.powerOnTimeout))
    }
    let board = Transceiver.Board(
        chip: .root, connection: SCPConnection(link: root, configuration: configuration.connection), address: address)
    let transceiver = try Transceiver(boards: [board], boot: boot, bmps: bmps, configuration: configuration)
    return try await run(transceiver) { transceiver in
        try await transceiver.ensureReady(image: image)
        try await transceiver.connectBoards { address, number in
            // Boards that share an event loop share its wake-ups; but eight that answer as fast as silicon can are enough for one.
            let loop = number < boardsPerEventLoop ? root.eventLoop : eventLoops[number / boardsPerEventLoop % eventLoops.count]
            return try await UDPLink.connect(to: address, port: SCP.port, on: loop)
        }
        return try await body(transceiver)
    }
}

private let boardsPerEventLoop = 8

private func run<Output>(
    _ transceiver: Transceiver, _ body: (Transceiver) async throws -> Output
) async throws -> Output {
    for board in transceiver.withState({ $0.boards }) { board.connection.start() }
    for bmp in transceiver.bmps { bmp.start() }
    let result: Result<Output, any Error>
    do {
        result = .success(try await body(transceiver))
    } catch {
        result = .failure(error)
    }
    await transceiver.close()
    return try result.get()
}
