//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// The fast protocols over a link of their own: one transfer at a time.
///
/// Unchecked: everything mutable is touched on the link's event loop only.
package final class FastDataConnection: DatagramReceiver, @unchecked Sendable {
    private struct Transfer {
        var number: Int
        var machine: any FastDataMachine
        var finish: (Result<any FastDataMachine, FastDataFailure>) -> Void
    }

    private let link: any DatagramLink
    private let eventLoop: any EventLoop
    private let configuration: FastDataConfiguration
    private var transfer: Transfer?
    private var lastNumber = 0
    private var sequence: UInt16 = 0
    private var timer: Scheduled<Void>?
    private var isClosed = false

    package init(link: any DatagramLink, configuration: FastDataConfiguration = .init()) {
        self.link = link
        self.eventLoop = link.eventLoop
        self.configuration = configuration
    }

    /// Begins to listen.
    package func start() {
        self.eventLoop.execute { self.link.setReceiver(self) }
    }

    package func close() { self.link.close() }

    /// Points a tag of the board at this connection.
    package func setTag(_ tag: UInt8, of ethernet: ChipID) async throws(FastDataFailure) {
        _ = try await self.run { connection, _ in
            connection.sequence &+= 1
            return FastDataTagMachine(
                tag: tag, of: ethernet, sequence: connection.sequence, configuration: connection.configuration)
        }
    }

    /// See ``FastWriteMachine``.
    ///
    /// - Returns: how many packets had to be sent again.
    @discardableResult
    package func write(
        _ data: ByteBuffer, to chip: ChipID, address: UInt32, through gatherer: CoreID, transaction: UInt32
    ) async throws(FastDataFailure) -> Int {
        let machine = try await self.run { connection, now in
            FastWriteMachine(
                data, to: chip, address: address, through: gatherer, transaction: transaction,
                configuration: connection.configuration, now: now)
        }
        return (machine as? FastWriteMachine)?.retransmissions ?? 0
    }

    /// See ``FastReadMachine``.
    package func read(
        _ size: Int, address: UInt32, from monitor: CoreID, transaction: UInt32
    ) async throws(FastDataFailure) -> (data: ByteBuffer, retransmissions: Int) {
        let machine = try await self.run { connection, now in
            FastReadMachine(
                size, address: address, from: monitor, transaction: transaction, configuration: connection.configuration,
                now: now)
        }
        guard let read = machine as? FastReadMachine else { throw .cancelled }
        return (read.data, read.retransmissions)
    }

    private func run(
        _ make: @escaping @Sendable (FastDataConnection, NIODeadline) -> any FastDataMachine
    ) async throws(FastDataFailure) -> any FastDataMachine {
        let number = try await self.takeNumber()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<any FastDataMachine, FastDataFailure>, Never>) in
                self.eventLoop.execute {
                    guard !self.isClosed else { return continuation.resume(returning: .failure(.linkClosed)) }
                    // The caller sees to it that there is one at a time; a second would spoil the first.
                    guard self.transfer == nil, !Task.isCancelled else {
                        return continuation.resume(returning: .failure(.cancelled))
                    }
                    let machine = make(self, self.eventLoop.now)
                    self.transfer = Transfer(number: number, machine: machine) { continuation.resume(returning: $0) }
                    self.pump()
                }
            }
        } onCancel: {
            self.eventLoop.execute {
                if self.transfer?.number == number { self.end(.failure(.cancelled)) }
            }
        }
        return try result.get()
    }

    private func takeNumber() async throws(FastDataFailure) -> Int {
        if Task.isCancelled { throw .cancelled }
        return await withCheckedContinuation { continuation in
            self.eventLoop.execute {
                self.lastNumber &+= 1
                continuation.resume(returning: self.lastNumber)
            }
        }
    }

    /// Sends what may leave, and sets the alarm for the rest.
    private func pump() {
        self.timer?.cancel()
        self.timer = nil
        var hasWritten = false
        defer { if hasWritten { self.link.flush() } }
        while true {
            // In place: a copy of the machine would have its buffer copied at the next packet.
            switch self.transfer?.machine.next(now: self.eventLoop.now) {
            case nil: return
            case .send(let datagram):
                self.link.write(datagram)
                hasWritten = true
            case .wait(let until):
                self.timer = self.eventLoop.scheduleTask(deadline: until) { self.pump() }
                return
            case .done:
                if let machine = self.transfer?.machine { self.end(.success(machine)) }
                return
            case .failed(let failure):
                self.end(.failure(failure))
                return
            }
        }
    }

    private func end(_ result: Result<any FastDataMachine, FastDataFailure>) {
        self.timer?.cancel()
        self.timer = nil
        guard let transfer = self.transfer else { return }
        self.transfer = nil
        transfer.finish(result)
    }

    package func datagramReceived(_ datagram: ByteBuffer) {
        self.transfer?.machine.receive(datagram, now: self.eventLoop.now)
    }

    package func datagramReadComplete() {
        if self.transfer != nil { self.pump() }
    }

    package func linkClosed(_ error: (any Error)?) {
        self.isClosed = true
        self.end(.failure(.linkClosed))
    }
}
