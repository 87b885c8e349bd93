//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// When SC&MP's net initialisation reaches which phase. Measured on the executed firmware: 3.45 s for 4 chips, about
/// 4.4 s for 48, from the start of the root's clock.
package struct BootSchedule: Sendable {
    /// From the CONTROL datagram until SC&MP's clock runs.
    private static let startUp = 0.2
    /// The image spreads from chip to chip: 32 blocks of 258 packets, 20 µs apart.
    private static let perHop = 0.155
    /// Hosts give up on a board that takes much longer than this.
    private static let longest = 7.5

    /// SC&MP runs on the root chip.
    package let start: NIODeadline
    /// The `netinit_phase` that begins then, ascending; the last is 0xFF.
    package let phases: [(at: NIODeadline, phase: UInt8)]
    package let ready: NIODeadline
    private let hopNanoseconds: Int64

    /// - Parameters:
    ///   - hops: from the root to the chip that is farthest.
    ///   - extra: what Ethernet initialisation adds when no PHY reports a link.
    package init(
        control: NIODeadline, hops: Int, width: Int, height: Int, parameters: BootParameters, scale: Double,
        extra: Double = 0
    ) {
        let wait = Double(parameters.netInitWait) * 0.01 + 0.01
        let p2p = Double((Int(parameters.p2pRepeats) + 1) * (width * height * 100 / 8192 + 3)) * 0.01
        var lengths: [(phase: UInt8, length: Double)] = [
            (0, Double(hops) * BootSchedule.perHop + wait), (1, wait), (2, 2.0), (3, p2p), (4, p2p + extra),
        ]
        let total = BootSchedule.startUp + lengths.reduce(0) { $0 + $1.length }
        let factor = scale * min(1, BootSchedule.longest / total)
        func nanoseconds(_ seconds: Double) -> Int64 { Int64(seconds * factor * 1e9) }
        self.start = control + .nanoseconds(nanoseconds(BootSchedule.startUp))
        self.hopNanoseconds = nanoseconds(BootSchedule.perHop)
        lengths.append((0xFF, 0))
        var at = BootSchedule.startUp
        var phases: [(NIODeadline, UInt8)] = []
        for (phase, length) in lengths {
            phases.append((control + .nanoseconds(nanoseconds(at)), phase))
            at += length
        }
        self.phases = phases
        self.ready = phases[phases.count - 1].0
    }

    /// When SC&MP starts on a chip so many hops from the root.
    package func start(hops: Int) -> NIODeadline { self.start + .nanoseconds(Int64(hops) * self.hopNanoseconds) }

    package func phase(at now: NIODeadline) -> UInt8 {
        if now >= self.ready { return 0xFF }
        return self.phases.last { $0.at <= now }?.phase ?? 0
    }
}
