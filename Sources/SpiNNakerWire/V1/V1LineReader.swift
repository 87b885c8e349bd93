//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// Cuts a stream of bytes into the lines of the legacy protocol: LF ends a line, a CR before it is dropped, and empty
/// lines are skipped.
public struct V1LineReader: Sendable {
    /// Longer requests than this have no use.
    public static let requestLimit = 64 * 1024
    /// `list_jobs` of a full service is some hundred kilobytes.
    public static let replyLimit = 16 * 1024 * 1024

    /// The bytes of a line at most, without its end.
    public let limit: Int
    private var pending = ByteBuffer()
    /// Bytes of `pending` in which no LF is.
    private var searched = 0

    public init(limit: Int) { self.limit = limit }

    public mutating func append(_ bytes: ByteBuffer) {
        if self.pending.readableBytes == 0 {
            self.pending = bytes
        } else {
            // What has been read must not pile up on a connection that is never quite idle.
            self.pending.discardReadBytes()
            self.pending.writeImmutableBuffer(bytes)
        }
    }

    /// The next line, without its end; nil when more bytes are needed.
    ///
    /// - Throws: ``V1Error/lineTooLong(limit:)``. The stream is of no use after it.
    public mutating func next() throws(V1Error) -> ByteBuffer? {
        while true {
            let view = self.pending.readableBytesView
            guard let end = view[(view.startIndex + self.searched)...].firstIndex(of: UInt8(ascii: "\n")) else {
                self.searched = view.count
                // One more than the limit may be a CR.
                guard view.count <= self.limit + 1 else { throw .lineTooLong(limit: self.limit) }
                return nil
            }
            let length = end - view.startIndex
            self.searched = 0
            guard var line = self.pending.readSlice(length: length) else { return nil }
            self.pending.moveReaderIndex(forwardBy: 1)
            if line.readableBytesView.last == UInt8(ascii: "\r") { line.moveWriterIndex(to: line.writerIndex - 1) }
            guard line.readableBytes <= self.limit else { throw .lineTooLong(limit: self.limit) }
            if self.pending.readableBytes == 0 { self.pending = ByteBuffer() }
            if line.readableBytes > 0 { return line }
        }
    }
}
