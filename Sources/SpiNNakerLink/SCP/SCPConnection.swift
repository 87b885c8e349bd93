//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SpiNNakerEngine
import SpiNNakerMachine
import SpiNNakerWire

/// SCP with one board, or one BMP, over a ``DatagramLink``.
///
/// The shell around an ``SCPPipeline``: all state is on the link's event loop, one timer stands at the pipeline's next
/// deadline, and what a group of datagrams leads to is sent together. A caller's task crosses to the loop once per
/// operation, however many requests that is.
///
/// Unchecked: state is touched on the event loop only, but for the outbox, which has a lock.
package final class SCPConnection: @unchecked Sendable {
    // Unchecked: `outbox` is locked, `link` and `configuration` do not change, the rest is touched on the event loop only.

    package struct Configuration: Hashable, Sendable {
        package var pipeline: SCPPipelineConfiguration
        package var policy: SCPPolicy
        /// Whether replies are watched for where the link allows it: see ``ReplyWatch``.
        package var watchesForReplies: Bool

        package init(window: Int = 8, policy: SCPPolicy = .standard, watchesForReplies: Bool = true) {
            self.pipeline = SCPPipelineConfiguration(window: window)
            self.policy = policy
            self.watchesForReplies = watchesForReplies
        }

        /// For a BMP: one request at a time; 2 s; no second try, which would repeat a power cycle.
        package static let bmp = Configuration(
            window: 1, policy: SCPPolicy(timeout: .seconds(2), retries: 0, resendsEarly: false), watchesForReplies: false)
    }

    package let link: any DatagramLink
    package let configuration: Configuration
    package var eventLoop: any EventLoop { self.link.eventLoop }

    /// Operations on their way to the event loop: however many come at once, it is woken once.
    private let outbox = NIOLockedValueBox<[SCPOperation]>([])

    private var pipeline: SCPPipeline
    /// Operations with requests to send. Each sends one in turn, so that a version request need not wait for a megabyte.
    private var ready = CircularBuffer<SCPOperation>()
    private var timer: NIOScheduledCallback?
    private var timerDeadline: NIODeadline = .distantFuture
    /// The time of the datagrams that came together; the clock is read once for them.
    private var batchTime: NIODeadline?
    private var isPumping = false
    private var pumpAgain = false
    private var isClosed = false
    private var closeCause: String?
    /// Who else waits for replies on this event loop; nil until something was sent.
    private var neighbours: LoopNeighbours?
    private var isCountedAsWaiting = false

    package init(link: any DatagramLink, configuration: Configuration = Configuration()) {
        self.link = link
        self.configuration = configuration
        self.pipeline = SCPPipeline(configuration: configuration.pipeline)
    }

    /// Starts to listen to the link. Without it no reply is heard.
    package func start() {
        self.onLoop { self.link.setReceiver(self) }
    }

    /// Closes the link; what is under way fails with ``SCPError/Code/linkClosed``.
    package func close() {
        self.onLoop { self.link.close() }
    }

    /// As ``close()``; when it returns, the link has been closed.
    package func closeAndWait() async {
        // It can only fail when the event loop is gone, and then so is the link.
        try? await self.eventLoop.submit { self.link.close() }.get()
    }

    /// What was sent, resent and dropped so far.
    package func statistics() async -> SCPStatistics {
        await withCheckedContinuation { continuation in
            self.onLoop { continuation.resume(returning: self.pipeline.statistics) }
        }
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if self.eventLoop.inEventLoop { body() } else { self.eventLoop.execute(body) }
    }

    // MARK: - Operations

    /// Runs an operation to its end. `attach` gets the continuation that the operation resumes once.
    func run<Output: Sendable>(
        _ operation: SCPOperation,
        attach: (CheckedContinuation<Result<Output, SCPError>, Never>) -> Void
    ) async throws(SCPError) -> Output {
        let result: Result<Output, SCPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                attach(continuation)
                self.submit(operation)
            }
        } onCancel: {
            self.onLoop { self.cancel(operation) }
        }
        return try result.get()
    }

    private func submit(_ operation: SCPOperation) {
        if self.eventLoop.inEventLoop {
            self.begin(operation)
            self.pump()
            return
        }
        let isFirst = self.outbox.withLockedValue { outbox in
            outbox.append(operation)
            return outbox.count == 1
        }
        if isFirst { self.eventLoop.execute { self.emptyOutbox() } }
    }

    private func emptyOutbox() {
        let operations = self.outbox.withLockedValue { outbox in
            let operations = outbox
            outbox.removeAll(keepingCapacity: true)
            return operations
        }
        for operation in operations { self.begin(operation) }
        self.pump()
    }

    private func begin(_ operation: SCPOperation) {
        operation.link = self.link.linkDescription
        operation.isSubmitted = true
        if operation.isCancelled {
            operation.end(.cancelled, cause: nil)
        } else if self.isClosed {
            operation.end(.linkClosed, cause: self.closeCause)
        } else {
            operation.begin()
            if operation.hasMore { self.ready.append(operation) }
        }
    }

    private func cancel(_ operation: SCPOperation) {
        operation.isCancelled = true
        // Before its submission (the two may cross): `begin` sees to it.
        guard operation.isSubmitted, !operation.isFinished else { return }
        operation.end(.cancelled, cause: nil)
        self.abandon(operation)
        self.pump()
    }

    /// Takes back what a finished operation still has under way.
    private func abandon(_ operation: SCPOperation) {
        guard operation.outstanding > 0 else { return }
        let tokens = self.pipeline.cancel(now: self.eventLoop.now) { $0.operation === operation }
        operation.outstanding -= tokens.count
    }

    // MARK: - The pump

    /// Sends all there is to send and the window lets through, and sets the timer.
    private func pump() {
        // A link may deliver within `flush`; the outer pump then goes round again, and the stack does not grow.
        guard !self.isPumping else {
            self.pumpAgain = true
            return
        }
        self.isPumping = true
        defer { self.isPumping = false }
        repeat {
            self.pumpAgain = false
            let now = self.batchTime ?? self.eventLoop.now
            var wrote = false
            while let action = self.pipeline.poll(now: now) {
                switch action {
                case .transmit(let datagram):
                    self.link.write(datagram)
                    wrote = true
                case .fail(let token, let failure):
                    self.fail(token, failure)
                }
            }
            while self.pipeline.hasRoom, let operation = self.ready.popFirst() {
                // A finished one leaves the line when its turn comes.
                guard !operation.isFinished, let datagram = operation.startNext(in: &self.pipeline, now: now) else { continue }
                operation.outstanding += 1
                self.link.write(datagram)
                wrote = true
                if operation.hasMore { self.ready.append(operation) }
            }
            if wrote { self.link.flush() }
        } while self.pumpAgain
        self.setTimer()
        self.watch()
    }

    /// Waits for the next reply with open eyes, if that is allowed and worth while. Not beside others on this event loop: their
    /// replies would have to wait.
    private func watch() {
        guard self.configuration.watchesForReplies, self.link.replyWatch != .never else { return }
        let isWaiting = self.pipeline.inFlight > 0
        let neighbours = self.neighbours ?? LoopNeighbours.ofThisLoop()
        self.neighbours = neighbours
        if isWaiting != self.isCountedAsWaiting {
            self.isCountedAsWaiting = isWaiting
            neighbours.waiting += isWaiting ? 1 : -1
        }
        guard isWaiting, neighbours.waiting == 1, self.pipeline.inFlight == 1 || self.link.replyWatch == .always,
            let time = self.pipeline.watchForReply(now: self.eventLoop.now)
        else { return }
        self.link.watch(for: time)
    }

    private func fail(_ token: SCPToken, _ failure: SCPFailure) {
        let operation = token.operation
        operation.outstanding -= 1
        guard !operation.isFinished else { return }
        operation.failed(token.index, failure)
        if operation.isFinished { self.abandon(operation) }
    }

    private func setTimer() {
        guard let deadline = self.pipeline.nextDeadline, deadline < self.timerDeadline else { return }
        self.timer?.cancel()
        self.timerDeadline = deadline
        self.timer = try? self.eventLoop.scheduleCallback(at: deadline, handler: self)
    }
}

/// How many connections of one event loop wait for replies.
private final class LoopNeighbours: @unchecked Sendable {
    // Unchecked: each belongs to one event loop's thread, and nobody else can get at it.
    private static let ofThread = ThreadSpecificVariable<LoopNeighbours>()
    var waiting = 0

    /// On an event loop.
    static func ofThisLoop() -> LoopNeighbours {
        if let present = LoopNeighbours.ofThread.currentValue { return present }
        let created = LoopNeighbours()
        LoopNeighbours.ofThread.currentValue = created
        return created
    }
}

extension SCPConnection: NIOScheduledCallbackHandler {
    package func handleScheduledCallback(eventLoop: some EventLoop) {
        self.timer = nil
        self.timerDeadline = .distantFuture
        self.batchTime = nil
        self.pump()
    }

    package func didCancelScheduledCallback(eventLoop: some EventLoop) {}
}

extension SCPConnection: DatagramReceiver {
    package func datagramReceived(_ datagram: ByteBuffer) {
        let now = self.batchTime ?? self.eventLoop.now
        self.batchTime = now
        switch self.pipeline.received(datagram, now: now) {
        case .complete(let token, let reply, let attempts):
            let operation = token.operation
            operation.outstanding -= 1
            guard !operation.isFinished else { return }
            operation.completed(token.index, reply, attempts: attempts)
            if operation.isFinished { self.abandon(operation) }
        case .fail(let token, let failure):
            self.fail(token, failure)
        case .retryLater, .drop:
            break
        }
    }

    package func datagramReadComplete() {
        self.pump()
        self.batchTime = nil
    }

    package func linkClosed(_ error: (any Error)?) {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.closeCause = error.map { "\($0)" }
        self.timer?.cancel()
        self.timer = nil
        self.timerDeadline = .distantFuture
        // Those under way, then those that wait in line; an operation of many requests hears of it once.
        for token in self.pipeline.close() {
            token.operation.outstanding -= 1
            if !token.operation.isFinished { token.operation.end(.linkClosed, cause: self.closeCause) }
        }
        while let operation = self.ready.popFirst() {
            if !operation.isFinished { operation.end(.linkClosed, cause: self.closeCause) }
        }
        self.watch()
    }
}
