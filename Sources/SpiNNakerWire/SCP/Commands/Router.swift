//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine

/// CMD_RTR (29), every operation.
///
/// | arg1 bits | Field |
/// |---|---|
/// | 31...16 | count |
/// | 15...8 | application |
/// | 7...0 | operation |
///
/// | Operation | arg2 | arg3 | Reply | Request type |
/// |---|---|---|---|---|
/// | 0 | | | nothing | ``ClearRouter`` |
/// | 1 | first entry | | nothing | ``ClearRouterEntries`` |
/// | 2 | address of the table | first entry | nothing | ``LoadRouter`` |
/// | 3 | route word, bit 31 clear | | nothing | ``SetFixedRoute`` |
/// | 3 | bit 31 set | | u32 route | ``GetFixedRoute`` |
public struct RouterCommand: SCPRequest {
    public typealias Response = BytesResponse
    public static var command: SCPCommand { .router }

    /// Any number is a value; SC&MP refuses more than 3.
    public struct Operation: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let initialise = Operation(rawValue: 0)
        public static let clear = Operation(rawValue: 1)
        public static let load = Operation(rawValue: 2)
        public static let fixedRoute = Operation(rawValue: 3)
    }

    /// Bit 31 of arg2: get the fixed route rather than set it.
    public static let get: UInt32 = 0x8000_0000

    public var operation: Operation
    public var application: UInt8
    public var count: UInt16
    public var arg2: UInt32
    public var arg3: UInt32

    public init(_ operation: Operation, count: UInt16 = 0, application: UInt8 = 0, arg2: UInt32 = 0, arg3: UInt32 = 0) {
        self.operation = operation
        self.count = count
        self.application = application
        self.arg2 = arg2
        self.arg3 = arg3
    }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.operation = Operation(rawValue: UInt8(truncatingIfNeeded: arguments.arg1))
        self.application = UInt8(truncatingIfNeeded: arguments.arg1 >> 8)
        self.count = UInt16(truncatingIfNeeded: arguments.arg1 >> 16)
        self.arg2 = arguments.arg2
        self.arg3 = arguments.arg3
    }
    public var arguments: SCPArguments {
        SCPArguments(
            UInt32(self.count) << 16 | UInt32(self.application) << 8 | UInt32(self.operation.rawValue), self.arg2, self.arg3)
    }
}

/// A CMD_RTR of one operation, with that operation's reply type.
public protocol RouterRequest: SCPRequest {
    var routerCommand: RouterCommand { get }
    init(_ command: RouterCommand)
}

extension RouterRequest {
    public static var command: SCPCommand { .router }
    public var arguments: SCPArguments { self.routerCommand.arguments }
    public init(arguments: SCPArguments, data: ByteBuffer) throws(WireError) {
        self.init(try RouterCommand(arguments: arguments, data: data))
    }
}

/// Operation 0: clears every multicast entry but SC&MP's own, and forgets who holds which.
public struct ClearRouter: RouterRequest {
    public typealias Response = EmptyResponse
    public var routerCommand: RouterCommand
    public init(_ command: RouterCommand) { self.routerCommand = command }
    public init() { self.routerCommand = RouterCommand(.initialise) }
}

/// Operation 1: clears a run of entries.
public struct ClearRouterEntries: RouterRequest {
    public typealias Response = EmptyResponse
    public var routerCommand: RouterCommand
    public init(_ command: RouterCommand) { self.routerCommand = command }
    public init(first: UInt32, count: UInt16) { self.routerCommand = RouterCommand(.clear, count: count, arg2: first) }
}

/// Operation 2: loads entries from a table in the chip's memory (``RouterTableImage``) into a run that was allocated.
public struct LoadRouter: RouterRequest {
    public typealias Response = EmptyResponse
    public var routerCommand: RouterCommand
    public init(_ command: RouterCommand) { self.routerCommand = command }
    /// - Throws: ``WireError/invalid(message:field:value:)`` for a count of 0, which SC&MP would take from the table.
    public init(count: UInt16, application: UInt8, table: UInt32, first: UInt32) throws(WireError) {
        guard count > 0 else { throw .invalid(message: "CMD_RTR load", field: "count", value: 0) }
        self.routerCommand = RouterCommand(.load, count: count, application: application, arg2: table, arg3: first)
    }
}

/// Operation 3: sets the route of fixed-route packets.
public struct SetFixedRoute: RouterRequest {
    public typealias Response = EmptyResponse
    public var routerCommand: RouterCommand
    public init(_ command: RouterCommand) { self.routerCommand = command }
    public init(_ route: RouteWord, application: UInt8) {
        self.routerCommand = RouterCommand(.fixedRoute, application: application, arg2: route.rawValue & RouteWord.mask)
    }
    public var route: RouteWord { RouteWord(rawValue: self.routerCommand.arg2 & RouteWord.mask) }
}

/// Operation 3 with bit 31: reads the route of fixed-route packets, in virtual cores.
public struct GetFixedRoute: RouterRequest {
    public typealias Response = RouteResponse
    public var routerCommand: RouterCommand
    public init(_ command: RouterCommand) { self.routerCommand = command }
    public init(application: UInt8 = 0) {
        self.routerCommand = RouterCommand(.fixedRoute, application: application, arg2: RouterCommand.get)
    }
}

/// The reply of ``GetFixedRoute``: u32 route.
public struct RouteResponse: SCPResponse {
    public var route: RouteWord
    public init(route: RouteWord) { self.route = route }
    public init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        self.route = RouteWord(rawValue: try payload.take(of: "fixed route"))
    }
    public func write(into buffer: inout ByteBuffer) { buffer.put(self.route.rawValue) }
}
