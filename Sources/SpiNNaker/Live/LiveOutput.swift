//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Synchronization

/// An IP tag by which a board's cores send live output.
public struct OutputTag: Hashable, Sendable {
    /// The board's Ethernet chip.
    public var board: ChipID
    public var number: UInt8
    public init(board: ChipID, number: UInt8) {
        self.board = board
        self.number = number
    }
}

/// Live output of boards that are reached by UDP: see ``Transceiver/withLiveOutput(of:port:refresh:bufferSize:_:)``.
public struct LiveOutput: Sendable {
    /// What the boards send, as it comes; for one reader.
    public let messages: EIEIOReceiver<UDPListener.Payloads>
    public let listener: UDPListener
    fileprivate let failures = Failures()

    fileprivate final class Failures: Sendable { let last = Mutex<[OutputTag: TransceiverError]>([:]) }

    /// Datagrams that nobody took in time.
    public var dropped: Int { self.listener.dropped }
    /// Tags whose last refresh failed, and why. Their output may have stopped.
    public var failedRefreshes: [OutputTag: TransceiverError] { self.failures.last.withLock { $0 } }
}

extension Transceiver {
    /// Runs `body` with a listener at which the boards' tags point, and keeps them pointing there: each is set again every
    /// `refresh`, so that the way through a NAT stays open and a board that was booted anew finds back.
    ///
    /// Boards that are reached by a proxy have a listener of another kind: see `SpallocProxy.listen()`.
    ///
    /// - Parameters:
    ///   - port: of the listener; 0: any.
    ///   - bufferSize: datagrams that wait for the reader; of more, the newest are dropped and counted.
    /// - Throws: ``TransceiverError`` when a tag cannot be set at first.
    public func withLiveOutput<Output>(
        of tags: [OutputTag], port: Int = 0, refresh: Duration = .seconds(10), bufferSize: Int = 4096,
        _ body: (LiveOutput) async throws -> Output
    ) async throws -> Output {
        try await UDPListener.with(address: .any, port: port, bufferSize: bufferSize) { listener in
            for tag in tags { try await self.pointIPTag(tag.number, of: tag.board, at: listener) }
            let output = LiveOutput(messages: EIEIOReceiver(listener), listener: listener)
            return try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    while (try? await Task.sleep(for: refresh)) != nil {
                        for tag in tags { await self.refresh(tag, of: output) }
                    }
                }
                let result = try await body(output)
                tasks.cancelAll()
                return result
            }
        }
    }

    private func refresh(_ tag: OutputTag, of output: LiveOutput) async {
        let failure: TransceiverError?
        do throws(TransceiverError) {
            try await self.pointIPTag(tag.number, of: tag.board, at: output.listener)
            failure = nil
        } catch {
            failure = error
        }
        output.failures.last.withLock { $0[tag] = failure }
    }
}
