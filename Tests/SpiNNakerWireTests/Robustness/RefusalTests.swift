//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing

/// What a refusal says: the message, and what it lacked. It is all that a person sees of a board that answers oddly.
@Suite struct RefusalTests {
    /// One byte less than the least that is a message.
    private func short(_ bytes: Int, _ read: (inout ByteBuffer) throws -> Void) -> WireError? {
        var buffer = ByteBuffer(repeating: 0, count: bytes - 1)
        do {
            try read(&buffer)
            return nil
        } catch {
            return error as? WireError
        }
    }

    @Test func structuresOfOneByteLess() {
        func whole(_ name: String, _ size: Int) -> WireError {
            .truncated(message: name, needed: size, available: size - 1)
        }
        #expect(short(128) { _ = try VCPU(from: &$0) } == whole("VCPU", 128))
        #expect(short(48) { _ = try BoardStatus(payload: $0) } == whole("board status", 48))
        #expect(short(24) { _ = try CANStatus(payload: $0) } == whole("CAN status", 24))
        #expect(short(32) { _ = try SerialROMBlock(from: &$0) } == whole("serial ROM block", 32))
        #expect(short(8) { _ = try ApplicationTableEntry(from: &$0) } == whole("application table entry", 8))
        #expect(short(64) { _ = try RouterDiagnostics(control: 0, errors: [], from: &$0) } == whole("router counters", 64))
        #expect(short(8) { _ = try SDPHeader(from: &$0) } == whole("SDP header", 8))
    }

    /// Where the fields are read one by one, the last one is what is missing.
    @Test func repliesOfOneByteLess() {
        func field(_ name: String, _ size: Int) -> WireError {
            .truncated(message: name, needed: size, available: size - 1)
        }
        #expect(short(36) { _ = try ChipInfo(payload: $0) } == field("chip info", 4))
        #expect(short(12) { _ = try VersionInfo(payload: $0) } == field("version reply", 4))
        #expect(short(8) { _ = try SDRAMSpace(payload: $0) } == field("SDRAM space", 4))
        #expect(short(4) { _ = try WordResponse(payload: $0) } == field("SCP reply of one word", 4))
        #expect(short(4) { _ = try RouteResponse(payload: $0) } == field("fixed route", 4))
        #expect(short(4) { _ = try IPTagTimeoutInfo(payload: $0) } == field("IP tag info", 1))
        #expect(short(25) { _ = try IPTagEntries(payload: $0) } == field("IP tag entry", 1))
        #expect(short(32) { _ = try BoardSerial(payload: $0) } == field("board serial", 4))
        #expect(short(14) { _ = try SCPReply(datagram: $0) } == field("SCP reply", 2))
        #expect(short(26) { _ = try SCPPacket(datagram: $0) } == field("SCP request", 16))
        #expect(short(18) { _ = try BootMessage(datagram: $0) } == field("boot message", 4))
        #expect(short(10) { _ = try SDPMessage(datagram: $0) } == field("SDP header", 8))
        #expect(short(1) { _ = try CoreCount(payload: $0) } == .truncated(message: "core count", needed: 4, available: 0))
    }

    @Test func proxyFramesOfOneByteLess() {
        func request(_ operation: ProxyOpcode, _ bytes: Int) -> WireError? {
            short(bytes) {
                $0.setInteger(operation.rawValue, at: 0, endianness: .little)
                _ = try ProxyRequest(frame: $0)
            }
        }
        func reply(_ operation: ProxyOpcode, _ bytes: Int) -> WireError? {
            short(bytes) {
                $0.setInteger(operation.rawValue, at: 0, endianness: .little)
                _ = try ProxyReply(frame: $0)
            }
        }
        #expect(request(.open, 20) == .truncated(message: "proxy endpoint", needed: 4, available: 3))
        #expect(request(.close, 12) == .truncated(message: "proxy CLOSE", needed: 4, available: 3))
        #expect(request(.message, 8) == .truncated(message: "proxy MESSAGE", needed: 4, available: 3))
        #expect(request(.openUnconnected, 8) == .truncated(message: "proxy OPEN_UNCONNECTED", needed: 4, available: 3))
        #expect(request(.messageTo, 20) == .truncated(message: "proxy endpoint", needed: 4, available: 3))
        #expect(reply(.open, 12) == .truncated(message: "proxy OPEN reply", needed: 4, available: 3))
        #expect(reply(.close, 12) == .truncated(message: "proxy CLOSE reply", needed: 4, available: 3))
        #expect(
            reply(.openUnconnected, 20) == .truncated(message: "proxy OPEN_UNCONNECTED reply", needed: 4, available: 3))
        #expect(reply(.error, 8) == .truncated(message: "proxy reply", needed: 4, available: 3))
    }

    @Test func whatPeopleRead() {
        #expect(
            WireError.truncated(message: "VCPU", needed: 128, available: 3).description == "VCPU: 128 bytes needed, 3 there")
        #expect(WireError.trailing(message: "proxy OPEN", extra: 2).description == "proxy OPEN: 2 bytes too many")
        #expect(
            WireError.invalid(message: "router table", field: "index", value: 9).description
                == "router table: index can not be 9")
        #expect(
            WireError.badText(message: "version reply", field: "name").description == "version reply: name is not text")
        // Every result has a name of its own; those that nobody knows show their number.
        let names = (UInt16(0x80)...0x8F).map { SCPResult(rawValue: $0).description }
        #expect(Set(names).count == 16 && names.allSatisfy { $0.hasPrefix("RC_") })
        #expect(SCPResult(rawValue: 0x90).description == "0x90")
    }

    /// An `inout` reader that fails must not have to be used again, but one that succeeds leaves just what is not its own.
    @Test func readersLeaveWhatIsNotTheirs() throws {
        func rest(_ size: Int, _ read: (inout ByteBuffer) throws -> Void) throws -> Int {
            var buffer = ByteBuffer(repeating: 0, count: size + 5)
            try read(&buffer)
            return buffer.readableBytes
        }
        #expect(try rest(128) { _ = try VCPU(from: &$0) } == 5)
        #expect(try rest(256) { _ = try SystemVariables(from: &$0) } == 5)
        #expect(try rest(32) { _ = try SerialROMBlock(from: &$0) } == 5)
        #expect(try rest(16) { _ = try HeapRoot(from: &$0) } == 5)
        #expect(try rest(8) { _ = try HeapBlock(from: &$0) } == 5)
        #expect(try rest(16) { _ = try RouterCopyEntry(from: &$0) } == 5)
        #expect(try rest(32) { _ = try IPTagEntry(from: &$0) } == 5)
        #expect(try rest(24) { _ = try BMPIPTagEntry(from: &$0) } == 5)
        #expect(try rest(8) { _ = try P2PColumn(from: &$0, height: 16) } == 5)
        #expect(try rest(2) { _ = try EIEIODataMessage(from: &$0) } == 5)
        #expect(try rest(8) { _ = try SDPHeader(from: &$0) } == 5)
    }
}
