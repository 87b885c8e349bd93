//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// A call, and what it means. Of `create_job` the call itself is kept: the list of jobs shows it as it came.
package struct V1Question: Hashable, Sendable {
    package var request: V1Request
    package var call: V1Call

    package init(line: ByteBuffer) throws(V1Error) {
        self.call = try V1Call(line: line)
        self.request = try V1Request(self.call)
    }
}

/// The requests of one connection: which is next, and whether there may be a next. No sockets.
///
/// Requests are answered one after the other, so replies are in their order and a peer that asks without reading does not get ahead.
///
/// | Line | What becomes of it |
/// |---|---|
/// | a call of a known command | asked |
/// | a call whose arguments do not fit its command | refused; the connection goes on |
/// | anything else, or too long | the connection is closed without a word |
package struct V1Conversation {
    package enum Step: Equatable {
        /// No more until bytes come, or the answer.
        case wait
        case ask(V1Question)
        case refuse(String)
        /// With what was wrong; nil: the peer has said all that it wants to say.
        case close(V1Error?)
    }

    private var lines: V1LineReader
    /// A request is being answered.
    package private(set) var isBusy = false
    private var isEnded = false
    /// What came after a line that was none is not looked at.
    private var isBroken = false

    package init(limit: Int = V1LineReader.requestLimit) { self.lines = V1LineReader(limit: limit) }

    package mutating func received(_ bytes: ByteBuffer) { self.lines.append(bytes) }

    /// The peer sends no more. What it has asked is still answered; half a line is none.
    package mutating func ended() { self.isEnded = true }

    package mutating func answered() { self.isBusy = false }

    package mutating func next() -> Step {
        guard !self.isBusy else { return .wait }
        guard !self.isBroken else { return .close(nil) }
        do throws(V1Error) {
            guard let line = try self.lines.next() else { return self.isEnded ? .close(nil) : .wait }
            let question = try V1Question(line: line)
            self.isBusy = true
            return .ask(question)
        } catch  where !error.closesConnection {
            return .refuse(error.description)
        } catch {
            self.isBroken = true
            return .close(error)
        }
    }
}
