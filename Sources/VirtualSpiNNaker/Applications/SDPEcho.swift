//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// ``VirtualApplication/sdpEcho``
final class SDPEcho: CoreProgram {
    var name: String { "sdp-echo" }

    func main(_ core: NativeCore, now: NIODeadline) { core.setState(.running) }

    func received(_ message: SDPMessage, _ core: NativeCore, now: NIODeadline) {
        guard core.state == .running else { return }
        switch message.header.destination.port {
        case 1:
            // The addresses swap, the tag stays: through the tag that the message came by it finds its way home.
            var header = message.header.reply
            header.flags = .replyNotExpected
            core.system.route(SDPMessage(header: header, data: message.data), at: core.chip, sender: nil, now: now)
        case 2: core.sendToHost(tag: 1, port: 2, data: message.data, now: now)
        case 7: core.finish()
        default: break
        }
    }
}
