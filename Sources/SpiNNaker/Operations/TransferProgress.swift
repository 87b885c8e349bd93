//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How far something has come, as a sequence of values, for who would rather iterate than be called.
///
/// ```swift
/// let progress = TransferProgress(total: bytes.readableBytes)
/// async let shown: Void = { for await step in progress { print(step) } }()
/// try await progress.during { try await chip.write(bytes, at: address, progress: $0) }
/// await shown
/// ```
///
/// Whoever is slow to iterate sees the newest value only. The sequence ends when the work does, however it ends. For one reader.
public final class TransferProgress: AsyncSequence, Sendable {
    public typealias Element = Step
    public typealias AsyncIterator = AsyncStream<Step>.Iterator

    public struct Step: Hashable, Sendable, CustomStringConvertible {
        /// In bytes, or whatever the work counts.
        public var done: Int
        public var total: Int

        /// 0...1
        public var fraction: Double { self.total <= 0 ? 1 : Double(self.done) / Double(self.total) }
        public var description: String { "\(self.done) of \(self.total)" }
    }

    public let total: Int
    private let stream: AsyncStream<Step>
    private let continuation: AsyncStream<Step>.Continuation

    public init(total: Int) {
        self.total = total
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Does the work, which reports to the closure that it is given.
    public func during<Output, Failure: Error>(
        _ work: (_ report: @escaping @Sendable (_ done: Int) -> Void) async throws(Failure) -> Output
    ) async throws(Failure) -> Output {
        defer { self.continuation.finish() }
        let total = self.total
        let continuation = self.continuation
        return try await work { continuation.yield(Step(done: $0, total: total)) }
    }

    public func makeAsyncIterator() -> AsyncIterator { self.stream.makeAsyncIterator() }
}
