//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which physical core of a chip goes by which virtual number: virtual 0 is the monitor, the others follow in physical order.
package struct CoreMap: Hashable, Sendable {
    package static let cores = 18

    /// Bit p: physical core p works.
    package let working: UInt32
    /// Physical.
    package let monitor: UInt8
    package let count: UInt8

    /// - Parameter elected: the physical core that becomes monitor if it works; otherwise the highest one that does.
    /// - Returns: nil when no core works.
    package init?(working: UInt32, elected: UInt8) {
        let working = working & (1 << UInt32(CoreMap.cores) - 1)
        guard working != 0 else { return nil }
        self.working = working
        self.count = UInt8(working.nonzeroBitCount)
        if elected < CoreMap.cores, working >> UInt32(elected) & 1 == 1 {
            self.monitor = elected
        } else {
            self.monitor = UInt8(31 - working.leadingZeroBitCount)
        }
    }

    /// nil when there is no such virtual core.
    package func physical(_ virtual: UInt8) -> UInt8? {
        guard virtual < self.count else { return nil }
        if virtual == 0 { return self.monitor }
        var left = virtual
        for physical in 0..<UInt8(CoreMap.cores)
        where physical != self.monitor && self.working >> UInt32(physical) & 1 == 1 {
            left -= 1
            if left == 0 { return physical }
        }
        return nil
    }

    /// nil when the physical core does not work.
    package func virtual(_ physical: UInt8) -> UInt8? {
        guard physical < CoreMap.cores, self.working >> UInt32(physical) & 1 == 1 else { return nil }
        if physical == self.monitor { return 0 }
        let below = self.working & (1 << UInt32(physical) - 1) & ~(1 << UInt32(self.monitor))
        return UInt8(below.nonzeroBitCount) + 1
    }

    /// Virtual core bits (bit v) to physical ones; bits without a core vanish.
    package func physicalMask(_ virtual: UInt32) -> UInt32 {
        var mask: UInt32 = 0
        for v in 0..<self.count where virtual >> UInt32(v) & 1 == 1 {
            if let p = self.physical(v) { mask |= 1 << UInt32(p) }
        }
        return mask
    }
}
