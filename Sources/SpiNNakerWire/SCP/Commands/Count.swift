//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_COUNT (15): how many cores of one board have this application and this state? Only an Ethernet chip answers for
/// its whole board; whoever wants a machine's number sums over its boards. The reply is held back 10 ms.
///
/// | Word | Field |
/// |---|---|
/// | arg1 | application |
/// | arg2 | state |
public struct CountCores: SCPRequest {
    public typealias Response = CoreCount
    public static var command: SCPCommand { .count }

    /// The application: 0...255 on a machine; SC&MP compares the whole word.
    public var application: UInt32
    public var state: UInt32

    public init(application: UInt8, state: CoreState) {
        self.application = UInt32(application)
        self.state = UInt32(state.rawValue)
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.application = arguments.arg1
        self.state = arguments.arg2
    }
    public var arguments: SCPArguments { SCPArguments(self.application, self.state) }

    /// RC_P2P_NOREPLY carries a count too: of the chips that did answer.
    public static var failureWithReply: SCPResult? { .p2pNoReply }
}

/// The reply of CMD_COUNT.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | cores |
/// | 4 | 0 or more bytes | what the request's buffer still held: a success keeps the request's length (arg2, arg3, data) |
///
/// SC&MP answers RC_OK *without payload* when a count was already running on that chip: that is ``WireError/truncated(message:needed:available:)``.
public struct CoreCount: SCPResponse {
    public var count: UInt32
    public var remainder: ByteBuffer

    public init(count: UInt32, remainder: ByteBuffer = ByteBuffer()) {
        self.count = count
        self.remainder = remainder
    }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.count = try payload.take(of: "core count")
        self.remainder = payload
    }
    public func write(into buffer: inout ByteBuffer) {
        buffer.put(self.count)
        buffer.writeImmutableBuffer(self.remainder)
    }
}
