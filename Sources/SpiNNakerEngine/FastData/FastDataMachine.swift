//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// What a fast-data machine wants done next.
package enum FastDataStep: Hashable, Sendable {
    /// This datagram sent, then asked again.
    case send(ByteBuffer)
    /// Nothing, until then or until something is received.
    case wait(until: NIODeadline)
    case done
    case failed(FastDataFailure)
}

/// Why a transfer did not come to its end.
package enum FastDataFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The core never answered.
    case silent(tries: Int)
    /// It answers, but what it misses does not become less.
    case noProgress(missing: Int)
    /// The transfer's own deadline has passed.
    case late
    /// The board refuses the tag.
    case refused(SCPResult)
    case linkClosed
    case cancelled

    package var description: String {
        switch self {
        case .silent(let tries): "no answer to \(tries) tries"
        case .noProgress(let missing): "\(missing) packets do not get through, however often they are sent"
        case .late: "not done within its time"
        case .refused(let result): "the board refuses the tag with \(result)"
        case .linkClosed: "the link is closed"
        case .cancelled: "cancelled"
        }
    }
}

/// A transfer as decisions: given datagrams and the time, it says what to send and when to be asked again.
package protocol FastDataMachine: Sendable {
    mutating func next(now: NIODeadline) -> FastDataStep
    mutating func receive(_ datagram: ByteBuffer, now: NIODeadline)
}

package struct FastDataConfiguration: Hashable, Sendable {
    /// Datagrams that leave together, and the pause after them: SC&MP drops what comes faster than one in 50 µs. Source: JavaSpiNNaker's
    /// throttled connection.
    package var burst = 4
    package var pause: TimeAmount = .microseconds(200)
    /// How long an answer, or the next packet, may take.
    package var timeout: TimeAmount = .milliseconds(500)
    /// So many times in a row without any progress end the transfer.
    package var tries = 15
    /// The whole of one transfer.
    package var limit: TimeAmount = .seconds(60)

    package init() {}
}

/// A set of packet numbers below a bound.
struct SequenceSet: Sendable {
    let bound: Int
    private(set) var count = 0
    private var words: [UInt64]

    init(bound: Int) {
        self.bound = bound
        self.words = Array(repeating: 0, count: (bound + 63) / 64)
    }

    /// - Returns: whether it is new. Numbers that are not below the bound never are.
    mutating func insert(_ number: Int) -> Bool {
        guard number >= 0, number < self.bound, self.words[number / 64] >> UInt64(number % 64) & 1 == 0 else { return false }
        self.words[number / 64] |= 1 << UInt64(number % 64)
        self.count += 1
        return true
    }

    mutating func remove(_ number: Int) {
        guard number >= 0, number < self.bound, self.words[number / 64] >> UInt64(number % 64) & 1 == 1 else { return }
        self.words[number / 64] &= ~(1 << UInt64(number % 64))
        self.count -= 1
    }

    /// Those that are not in it, in order.
    var absent: [UInt32] {
        var numbers: [UInt32] = []
        numbers.reserveCapacity(self.bound - self.count)
        for (index, word) in self.words.enumerated() {
            var rest = ~word
            while rest != 0 {
                let number = index * 64 + rest.trailingZeroBitCount
                guard number < self.bound else { break }
                numbers.append(UInt32(number))
                rest &= rest - 1
            }
        }
        return numbers
    }
}
