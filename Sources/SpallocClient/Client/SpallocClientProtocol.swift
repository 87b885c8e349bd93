//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpallocAPI
import SpiNNakerMachine

/// What a program does with a Spalloc service, for those that want to run without one: write against this, and give it a
/// ``SpallocClient``, or in a test an ``InMemorySpallocClient`` or one of your own.
public protocol SpallocClientProtocol: Sendable {
    associatedtype Job: SpallocJobProtocol

    func version() async throws(SpallocError) -> ServiceDescription.Version
    func machineBriefs() async throws(SpallocError) -> [MachineBrief]
    /// Not looked up.
    func job(_ id: Int) -> Job
    func createJob(_ request: SpallocJobRequest) async throws(SpallocError) -> Job
    /// Creates, keeps alive while `body` runs, and destroys with its error, if any, as reason.
    func withJob<Result>(_ request: SpallocJobRequest, _ body: (Job) async throws -> Result) async throws -> Result
}

/// What a program does with a job.
public protocol SpallocJobProtocol: Sendable {
    var id: Int { get }
    func details() async throws(SpallocError) -> JobDescription
    func machine() async throws(SpallocError) -> JobMachine?
    func whereIs(_ chip: ChipPosition) async throws(SpallocError) -> WhereIs?
    func waitForChange(from old: JobState, timeout: Duration) async throws(SpallocError) -> JobState
    func waitUntilReady(timeout: Duration) async throws(SpallocError)
    func keepAlive() async throws(SpallocError)
    func power() async throws(SpallocError) -> PowerState?
    func setPower(_ power: PowerState) async throws(SpallocError)
    func reportIssue(_ issue: String, boards: [IssueReport.Board]) async throws(SpallocError) -> String
    func readMemory(chip: ChipID, address: UInt32, count: Int) async throws(SpallocError) -> ByteBuffer
    func writeMemory(chip: ChipID, address: UInt32, _ data: ByteBuffer) async throws(SpallocError)
    func resetRouting(filters: [Int: UInt32]) async throws(SpallocError)
    func destroy(reason: String) async throws(SpallocError)
}

extension SpallocJobProtocol {
    public func state() async throws(SpallocError) -> JobState { try await self.details().state }

    /// The Ethernet chip and the address of each board; empty while it is queued.
    public func connections() async throws(SpallocError) -> [JobMachine.Connection] {
        try await self.machine()?.connections ?? []
    }

    /// The address of the board with chip (0, 0).
    public func rootHost() async throws(SpallocError) -> String? {
        try await self.connections().first { $0.chip == ChipPosition(x: 0, y: 0) }?.hostname
    }
}

extension SpallocClient: SpallocClientProtocol {
    public func machineBriefs() async throws(SpallocError) -> [MachineBrief] { try await self.machines().map(\.brief) }
}

extension SpallocJob: SpallocJobProtocol {
    /// See ``waitUntilReady(timeout:onChange:)``.
    public func waitUntilReady(timeout: Duration = .seconds(300)) async throws(SpallocError) {
        try await self.waitUntilReady(timeout: timeout) { _ in }
    }
    public func keepAlive() async throws(SpallocError) { try await self.keepAlive(timeout: nil) }
}
