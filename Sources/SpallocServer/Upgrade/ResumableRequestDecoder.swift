//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import NIOHTTP1

/// NIO's HTTP request decoder, so that it can go on.
///
/// Behind a request that asks for any upgrade (`Upgrade: h2c` as much as a websocket) NIO's decoder stops, since what
/// follows may be no HTTP. If
/// the upgrade is not made, the next request on that connection would hang for ever. This one can be told to go on with a fresh
/// decoder where the old one stopped, or to hand over what it has not read.
final class ResumableRequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    private enum State {
        case decoding
        /// The upgrade is being decided on: nothing is read.
        case holding
        /// The next byte begins a request.
        case resuming
        /// What comes is not HTTP any more, and belongs to the next handler.
        case handingOver
    }

    private let limits: NIOHTTPDecoderLimitConfiguration
    private var decoder: HTTPRequestDecoder
    private var state = State.decoding

    init(limits: NIOHTTPDecoderLimitConfiguration) {
        self.limits = limits
        self.decoder = ResumableRequestDecoder.makeDecoder(limits)
    }

    func hold() { self.state = .holding }
    func resume() { self.state = .resuming }
    func handOver() { self.state = .handingOver }

    func decoderAdded(context: ChannelHandlerContext) { self.decoder.decoderAdded(context: context) }
    func decoderRemoved(context: ChannelHandlerContext) { self.decoder.decoderRemoved(context: context) }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        switch self.state {
        case .holding, .handingOver:
            return .needMoreData
        case .resuming:
            self.restart(context)
            fallthrough
        case .decoding:
            let result = try self.decoder.decode(context: context, buffer: &buffer)
            // Told to go on while the request was handed out: a second one may lie right behind it.
            if case .resuming = self.state, buffer.readableBytes > 0 { return .continue }
            return result
        }
    }

    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        switch self.state {
        case .holding:
            return .needMoreData
        case .handingOver:
            if buffer.readableBytes > 0 {
                context.fireChannelRead(NIOAny(buffer))
                buffer.moveReaderIndex(forwardBy: buffer.readableBytes)
            }
            return .needMoreData
        case .resuming:
            self.restart(context)
            fallthrough
        case .decoding:
            return try self.decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
        }
    }

    private func restart(_ context: ChannelHandlerContext) {
        self.decoder.decoderRemoved(context: context)
        self.decoder = ResumableRequestDecoder.makeDecoder(self.limits)
        self.decoder.decoderAdded(context: context)
        self.state = .decoding
    }

    private static func makeDecoder(_ limits: NIOHTTPDecoderLimitConfiguration) -> HTTPRequestDecoder {
        HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
    }
}
