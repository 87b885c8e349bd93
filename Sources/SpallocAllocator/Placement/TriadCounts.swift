//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How many boards of a set are in each triad, summed so that any rectangle, wrapped or not, is counted in four look-ups.
struct TriadCounts {
    private let stride: Int
    /// sums[x · stride + y]: boards in triads [0, x) × [0, y) of the machine laid out twice in both directions.
    private var sums: [Int32]
    private let width: Int
    private let height: Int

    init(_ set: BoardSet, width: Int, height: Int) {
        self.width = width
        self.height = height
        self.stride = height * 2 + 1
        let counts = set.triadCounts
        let stride = self.stride
        self.sums = [Int32](unsafeUninitializedCapacity: (width * 2 + 1) * stride) { sums, count in
            sums.initialize(repeating: 0)
            counts.withUnsafeBufferPointer { counts in
                for x in 0..<(width * 2) {
                    let first = (x < width ? x : x - width) * height
                    let (row, next) = (x * stride + 1, (x + 1) * stride + 1)
                    var column: Int32 = 0
                    for y in 0..<height {
                        column += Int32(counts[first + y])
                        sums[next + y] = sums[row + y] + column
                    }
                    for y in 0..<height {
                        column += Int32(counts[first + y])
                        sums[next + height + y] = sums[row + height + y] + column
                    }
                }
            }
            count = sums.count
        }
    }

    /// Boards in the rectangle rooted at triad (x, y), wrapped. `w` ≤ width and `h` ≤ height.
    func count(x: Int, y: Int, w: Int, h: Int) -> Int {
        let a = self.sums[x * self.stride + y]
        let b = self.sums[(x + w) * self.stride + y]
        let c = self.sums[x * self.stride + y + h]
        let d = self.sums[(x + w) * self.stride + y + h]
        return Int(d - b - c + a)
    }

    /// Boards in the ring of triads around the rectangle: what would be left touching it.
    func ring(x: Int, y: Int, w: Int, h: Int) -> Int {
        let left = w < self.width ? 1 : 0
        let right = w + 1 < self.width ? 1 : 0
        let below = h < self.height ? 1 : 0
        let above = h + 1 < self.height ? 1 : 0
        let x0 = x - left < 0 ? x - left + self.width : x - left
        let y0 = y - below < 0 ? y - below + self.height : y - below
        return self.count(x: x0, y: y0, w: w + left + right, h: h + below + above) - self.count(x: x, y: y, w: w, h: h)
    }
}
