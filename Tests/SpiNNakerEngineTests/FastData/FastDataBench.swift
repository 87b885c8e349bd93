//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerTesting
import SpiNNakerWire
import Testing

/// A machine and a board, in virtual time: every datagram takes half a millisecond each way.
struct FastDataBench<Machine: FastDataMachine> {
    var machine: Machine
    let board: FastDataBoard<Int>
    var now: NIODeadline
    private var arrivals: [(at: NIODeadline, datagram: ByteBuffer)] = []
    /// When each datagram left.
    private(set) var departures: [NIODeadline] = []

    static var start: NIODeadline { .uptimeNanoseconds(1_000_000_000) }
    private static var delay: TimeAmount { .microseconds(500) }

    init(_ board: FastDataBoard<Int>, _ make: (NIODeadline) -> Machine) {
        self.board = board
        self.now = Self.start
        self.machine = make(self.now)
        var tag = ByteBuffer()
        SCPPacket(SetIPTag(tag: 1, address: nil, port: 0, strip: true, useSender: true), to: .monitor(of: .origin), sequence: 1)
            .writeDatagram(into: &tag)
        _ = board.receive(tag, from: 1)
    }

    /// Runs until the machine is done or has failed, or for so many steps.
    mutating func run(steps: Int = 200_000) -> FastDataFailure? {
        for _ in 0..<steps {
            switch self.machine.next(now: self.now) {
            case .done: return nil
            case .failed(let failure): return failure
            case .send(let datagram):
                self.departures.append(self.now)
                for output in self.board.receive(datagram, from: 1) {
                    self.arrivals.append((self.now + Self.delay + Self.delay, output.datagram))
                }
            case .wait(let until):
                guard until > self.now else {
                    Issue.record("it waits for what is past")
                    return .late
                }
                // All that arrives at one moment is taken together.
                if let next = self.arrivals.first?.at, next <= until {
                    self.now = max(self.now, next)
                    while let arrival = self.arrivals.first, arrival.at <= self.now {
                        self.machine.receive(arrival.datagram, now: self.now)
                        self.arrivals.removeFirst()
                    }
                } else {
                    self.now = until
                }
            }
        }
        Issue.record("it does not end")
        return .late
    }

    var elapsed: TimeAmount { self.now - Self.start }
}

func fastDataBytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8 &+ 1) } }
