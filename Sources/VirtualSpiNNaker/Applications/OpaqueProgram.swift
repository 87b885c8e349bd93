//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A binary that nobody executes: goes through its timeline, and answers port 3 as the simulation interface does.
final class OpaqueProgram: CoreProgram {
    let name: String
    private let timeline: ApplicationTimeline
    /// A host has taken over by port 3: the script is done.
    private var isControlled = false
    /// Simulation time, in ticks of a millisecond.
    private var time: UInt32 = 0
    private var runEnd: UInt32 = 0
    private var runStart: NIODeadline?
    private var runID = 0

    init(name: String, timeline: ApplicationTimeline) {
        self.name = name
        self.timeline = timeline
    }

    func main(_ core: NativeCore, now: NIODeadline) {
        core.print("loaded\n", now: now)
        self.perform(self.timeline.steps[...], core, now: now)
    }

    private func perform(_ steps: ArraySlice<ApplicationTimeline.Step>, _ core: NativeCore, now: NIODeadline) {
        guard !self.isControlled, let step = steps.first else { return }
        guard step.delay <= .zero else {
            core.after(step.delay, now: now) { core, then in self.enter(step, steps.dropFirst(), core, now: then) }
            return
        }
        self.enter(step, steps.dropFirst(), core, now: now)
    }

    private func enter(
        _ step: ApplicationTimeline.Step, _ rest: ArraySlice<ApplicationTimeline.Step>, _ core: NativeCore, now: NIODeadline
    ) {
        guard !self.isControlled else { return }
        switch step.state {
        case .sync0, .sync1: core.waitAtBarrier(now: now) { self.perform(rest, core, now: $0) }
        case .runTimeException: core.fail(13, now: now)
        case .finished: core.finish()
        default:
            core.setState(step.state)
            self.perform(rest, core, now: now)
        }
    }

    func received(_ message: SDPMessage, _ core: NativeCore, now: NIODeadline) {
        guard let command = message.runningCommand else { return }
        self.isControlled = true
        let data = message.data
        func word(_ index: Int) -> UInt32 { data.getInteger(at: data.readerIndex + 4 * index, endianness: .little) ?? 0 }
        switch command {
        case .stop: core.finish()
        case .newRunTime:
            // arg1 end, arg2 without end, arg3 now; then how many phases to wait for.
            self.reply(message, core, now: now)
            self.time = word(3)
            self.runEnd = word(2) == 0 ? word(1) : .max
            core.waitAtBarrier(now: now) { self.beginRun(core, now: $0) }
        case .updateProvenanceAndExit: core.finish()
        case .clearIOBUF:
            core.clearIOBUF()
            if word(3) == 1 { self.reply(message, core, now: now) }
        case .pause:
            self.pause(core, now: now)
            self.reply(message, core, now: now)
        case .currentTime: self.reply(message, core, payload: self.currentTime(now: now), now: now)
        default: break
        }
    }

    private func beginRun(_ core: NativeCore, now: NIODeadline) {
        self.runStart = now
        self.runID += 1
        guard self.runEnd != .max else { return }
        let run = self.runID
        let ticks = self.runEnd > self.time ? self.runEnd - self.time : 0
        core.after(.milliseconds(Int64(ticks)), now: now) { core, then in
            guard self.runID == run, core.state == .running else { return }
            self.pause(core, now: then)
        }
    }

    private func pause(_ core: NativeCore, now: NIODeadline) {
        self.time = self.currentTime(now: now)
        self.runStart = nil
        self.runID += 1
        core.setState(.paused)
    }

    private func currentTime(now: NIODeadline) -> UInt32 {
        guard let start = self.runStart else { return self.time }
        let elapsed = UInt32(clamping: max(0, (now - start).nanoseconds) / 1_000_000)
        return min(self.time.addingReportingOverflow(elapsed).partialValue, self.runEnd)
    }

    private func reply(_ message: SDPMessage, _ core: NativeCore, payload: UInt32? = nil, now: NIODeadline) {
        guard message.header.flags.contains(.replyWanted) else { return }
        var reply = Reply(to: message, result: .ok)
        if let payload { reply.bytes.put(payload) }
        core.system.send(reply, from: core.chip, now: now)
    }
}
