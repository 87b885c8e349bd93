//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// Which states a core goes through when it runs a binary that the model does not know: a script instead of an execution.
public struct ApplicationTimeline: Hashable, Sendable {
    public struct Step: Hashable, Sendable {
        /// After the step before.
        public var delay: TimeAmount
        public var state: CoreState
        public init(after delay: TimeAmount = .zero, _ state: CoreState) {
            self.delay = delay
            self.state = state
        }
    }

    /// From when the core is released. ``CoreState/sync0`` and ``CoreState/sync1`` wait at a barrier until it is released,
    /// ``CoreState/runTimeException`` and ``CoreState/finished`` end the script.
    public var steps: [Step]
    public init(_ steps: [Step]) { self.steps = steps }

    /// Runs for a second, then finishes.
    public static let standard = ApplicationTimeline([Step(.running), Step(after: .seconds(1), .finished)])
    /// Runs until it is stopped, as sPyNNaker's system binaries do.
    public static let endless = ApplicationTimeline([Step(.running)])
    /// Waits for its run time on port 3, as binaries of sPyNNaker's simulation interface do.
    public static let simulation = ApplicationTimeline([Step(.paused)])
}
