//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerWire

/// The notification protocol, as far as it is bytes.
let notificationFamilies: VectorFamilies = [
    // The sequence of a run, and what a visualiser makes of each message.
    "notification-trace/DatabaseConnection": { vector in
        var outcome = Outcome()
        var events: [String] = []
        for step in vector.decoded["wire"]?.array ?? [] {
            guard let text = step["hex"]?.string else { throw VectorShapeError(vector, "hex") }
            var bytes = ByteBuffer(bytes: GoldenVector.bytes(ofHex: String(text.prefix(4))))
            if text.hasSuffix("+path") { bytes.writeString("/tmp/run/database.sqlite3") }
            let message = try NotificationMessage(datagram: bytes)
            var again = ByteBuffer()
            message.write(into: &again)
            outcome.expect("hex", again, bytes)
            if step["dir"]?.string == "listener->toolchain" {
                outcome.expect("acknowledgement", message, .acknowledgement)
                continue
            }
            switch message {
            case .database(let path): events.append(path == nil ? "read" : "database")
            case .startResume: events.append("start_resume")
            case .stopPause: events.append("pause_stop")
            }
        }
        // The second database message of the trace has no path in it, and so no callback.
        let theirs = vector.decoded["events"]?.array?.compactMap { event in
            event.string.map { String($0.dropFirst("callback:".count).prefix { $0 != " " }) }
        }
        outcome.expect("events", events.filter { $0 != "read" }, theirs)
        return outcome
    },
    // SpiNNMan cuts what it receives at 300 bytes: a path of 400 comes whole here (notificationExceptions).
    "notification-trace/UDPConnection.receive": { vector in
        var outcome = Outcome()
        let size = try vector.integer("sent_bytes", as: Int.self)
        var bytes = ByteBuffer()
        NotificationMessage.database(path: String(repeating: "p", count: size - 2)).write(into: &bytes)
        guard case .database(let path?) = try NotificationMessage(datagram: bytes) else {
            throw VectorShapeError(vector, "path")
        }
        outcome.expect("received_bytes", path.utf8.count + 2, vector.decoded["received_bytes"])
        return outcome
    },
]

let notificationExceptions: [VectorException] = [
    VectorException(
        "notify.truncation", field: "received_bytes",
        "SpiNNMan's receive buffer of 300 bytes cuts longer paths; a datagram is read whole here")
]
