//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The rectangles in which so many boards are looked for.
enum Shapes {
    struct Shape: Hashable {
        var width: Int
        var height: Int
    }

    /// The fewest triads first, and of those the squarest. Long thin ones (a side more than 2 × the other + 1) come last: packets
    /// have a long way in them, but on a machine that is itself thin they may be all there is.
    ///
    /// - Parameter minimumRatio: of the shorter side to the longer.
    static func forBoards(_ count: Int, width: Int, height: Int, minimumRatio: Double = 0) -> [Shape] {
        let triads = (count + 2) / 3
        var shapes: [(thin: Bool, area: Int, perimeter: Int, shape: Shape)] = []
        for w in 1...max(1, width) {
            // For this width, the least height that holds the boards, and a bit more for when boards are missing.
            let least = (triads + w - 1) / w
            guard least <= height else { continue }
            for h in least...min(height, least + 1) {
                guard Double(min(w, h)) >= minimumRatio * Double(max(w, h)) else { continue }
                let thin = max(w, h) > 2 * min(w, h) + 1
                shapes.append((thin, w * h, w + h, Shape(width: w, height: h)))
            }
        }
        shapes.sort {
            ($0.thin ? 1 : 0, $0.area, $0.perimeter, $1.shape.width) < ($1.thin ? 1 : 0, $1.area, $1.perimeter, $0.shape.width)
        }
        return shapes.map(\.shape)
    }
}
