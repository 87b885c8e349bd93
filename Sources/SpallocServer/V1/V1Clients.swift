//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore

/// A connection, with its side on the event loop.
struct V1Client: Sendable {
    let connection: V1Connection
    let handler: NIOLoopBound<V1Handler>

    private var eventLoop: any EventLoop { self.connection.channel.eventLoop }

    func deliver(_ reply: ByteBuffer) { self.eventLoop.execute { self.handler.value.answered(reply) } }
    func tell() { self.eventLoop.execute { self.handler.value.changed() } }
    func stop() { self.eventLoop.execute { self.handler.value.stop() } }
}

/// All connections, and who is to hear of a change.
final class V1Clients: Sendable {
    private struct State {
        var clients: [ObjectIdentifier: V1Client] = [:]
        var isEnded = false
    }

    private let state = NIOLockedValueBox(State())
    private let maximum: Int

    init(maximum: Int) { self.maximum = maximum }

    var count: Int { self.state.withLockedValue { $0.clients.count } }

    /// Takes one in. When there are as many as there may be, the one that has been silent for longest makes place: whoever opens
    /// connections and leaves them hinders nobody.
    ///
    /// - Returns: false when the service stops.
    func add(_ client: V1Client) -> Bool {
        let (isTaken, silent) = self.state.withLockedValue { state -> (Bool, V1Client?) in
            guard !state.isEnded else { return (false, nil) }
            var silent: V1Client?
            if state.clients.count >= self.maximum {
                silent = state.clients.values.min { $0.connection.lastHeard < $1.connection.lastHeard }
                if let silent { state.clients[ObjectIdentifier(silent.connection)] = nil }
            }
            state.clients[ObjectIdentifier(client.connection)] = client
            return (true, silent)
        }
        silent?.connection.channel.close(promise: nil)
        return isTaken
    }

    func remove(_ connection: V1Connection) {
        self.state.withLockedValue { $0.clients[ObjectIdentifier(connection)] = nil }
    }

    // MARK: - Changes

    func changed(job: Int) { self.changed { $0.note(job: job) } }
    func changed(machine: String) { self.changed { $0.note(machine: machine) } }

    private func changed(_ note: (V1Subscriber) -> Bool) {
        let called = self.state.withLockedValue { state in
            state.clients.values.filter { note($0.connection.subscriber) }
        }
        for client in called { client.tell() }
    }

    // MARK: - The end

    func stop() {
        let clients = self.state.withLockedValue { state in
            state.isEnded = true
            return Array(state.clients.values)
        }
        for client in clients { client.stop() }
    }
}
