//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// A TCP connection that blocks its thread, and costs next to nothing: what is measured is the service.
final class PlainConnection {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// The bytes of `buffer` before this are used up.
    private var start = 0
    private var chunk = [UInt8](repeating: 0, count: 65536)

    init(port: Int) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw BenchError("cannot connect to port \(port): \(errno)") }
        var one: Int32 = 1
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        // A service that says nothing ends the benchmark, not the day.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(self.descriptor) }

    func send(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let sent = bytes.withUnsafeBytes { write(self.descriptor, $0.baseAddress, $0.count) }
            guard sent > 0 else { throw BenchError("cannot send: \(errno)") }
            bytes = bytes.dropFirst(sent)
        }
    }

    private func fill() throws {
        if self.start > 0 {
            self.buffer.removeFirst(self.start)
            self.start = 0
        }
        let count = self.chunk.withUnsafeMutableBytes { read(self.descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { throw BenchError("the service has closed, or says nothing: \(count) \(errno)") }
        self.buffer += self.chunk[..<count]
    }

    /// Up to and without the next "\n".
    func line() throws -> String {
        var searched = self.start
        while true {
            if let end = self.buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { self.start = end + 1 }
                return String(decoding: self.buffer[self.start..<end], as: UTF8.self)
            }
            searched = self.buffer.count - self.start
            try self.fill()
        }
    }

    func bytes(_ count: Int) throws -> String {
        while self.buffer.count - self.start < count { try self.fill() }
        defer { self.start += count }
        return String(decoding: self.buffer[self.start..<(self.start + count)], as: UTF8.self)
    }
}

/// A user in plain HTTP: one connection, one session.
final class RESTClient {
    struct Reply {
        var status = 0
        var cookie: String?
        var body = ""
    }

    private let connection: PlainConnection
    private var head = ""
    /// Of its session, as a request's header has it.
    private(set) var cookie = ""

    init(port: Int) throws {
        self.connection = try PlainConnection(port: port)
        let credentials = Data("\(BenchService.user):\(BenchService.password)".utf8).base64EncodedString()
        self.head = "Host: 127.0.0.1:\(port)\r\nAuthorization: Basic \(credentials)\r\n"
        let root = try self.ask("GET", "")
        guard let cookie = root.cookie, let token = root.body.firstMatch(of: /"csrf-token":"([^"]+)"/) else {
            throw BenchError("no login: \(root.status) \(root.body)")
        }
        self.cookie = cookie
        self.head = "Host: 127.0.0.1:\(port)\r\nCookie: \(cookie)\r\nX-CSRF-TOKEN: \(token.1)\r\n"
    }

    func send(_ method: String, _ path: String, body: String? = nil) throws {
        var text = "\(method) /spalloc/srv/spalloc/\(path) HTTP/1.1\r\n\(self.head)"
        if let body {
            text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        } else {
            text += "\r\n"
        }
        try self.connection.send(text)
    }

    func ask(_ method: String, _ path: String, body: String? = nil) throws -> Reply {
        try self.send(method, path, body: body)
        var reply = Reply()
        var length = 0
        var isFirst = true
        while true {
            let line = try self.connection.line().dropLast()
            if isFirst {
                reply.status = Int(line.dropFirst(9).prefix(3)) ?? 0
                isFirst = false
                continue
            }
            if line.isEmpty { break }
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            switch parts[0].lowercased() {
            case "content-length": length = Int(parts[1].drop { $0 == " " }) ?? 0
            case "set-cookie": reply.cookie = String(parts[1].drop { $0 == " " }.prefix { $0 != ";" })
            default: break
            }
        }
        if length > 0 { reply.body = try self.connection.bytes(length) }
        guard reply.status < 400 else { throw BenchError("\(method) \(path): \(reply.status) \(reply.body)") }
        return reply
    }

    func create(_ what: String = #""num-boards":1"#) throws -> Int {
        let reply = try self.ask("POST", "jobs", body: "{\(what),\"keepalive-interval\":120}")
        guard let id = reply.body.firstMatch(of: /"job-id":(\d+)/).flatMap({ Int($0.1) }) else {
            throw BenchError("no job: \(reply.body)")
        }
        return id
    }

    func waitUntilReady(_ job: Int) throws {
        while !(try self.ask("GET", "jobs/\(job)?wait=true")).body.contains(#""state":"READY""#) {}
    }

    func destroy(_ job: Int) throws { _ = try self.ask("DELETE", "jobs/\(job)") }
}

/// A user of the legacy protocol: ours, or the original's.
final class V1Client {
    private let connection: PlainConnection

    init(port: Int) throws { self.connection = try PlainConnection(port: port) }

    /// A notification has come before the last reply.
    private var isNotified = false

    /// The reply's line.
    func ask(_ command: String, _ arguments: String = "", _ keywords: String = "") throws -> String {
        try self.connection.send("{\"command\": \"\(command)\", \"args\": [\(arguments)], \"kwargs\": {\(keywords)}}\n")
        while true {
            let line = try self.connection.line()
            if line.hasPrefix(#"{"return""#) { return line }
            guard line.contains("_changed") else { throw BenchError("\(command): \(line)") }
            self.isNotified = true
        }
    }

    func create(_ arguments: String = "1") throws -> Int {
        let line = try self.ask("create_job", arguments, #""owner": "bench", "keepalive": 120.0"#)
        guard let id = line.firstMatch(of: /\d+/).flatMap({ Int($0.0) }) else { throw BenchError("no job: \(line)") }
        return id
    }

    /// As the stock client waits: it is told of changes, and asks then.
    func waitUntilReady(_ job: Int) throws {
        _ = try self.ask("notify_job", "\(job)")
        while true {
            self.isNotified = false
            // State 3 is ready.
            if try self.ask("get_job_state", "\(job)").firstMatch(of: /"state": ?3/) != nil { break }
            if !self.isNotified { _ = try self.connection.line() }
        }
        _ = try self.ask("no_notify_job", "\(job)")
    }

    func destroy(_ job: Int) throws { _ = try self.ask("destroy_job", "\(job)", #""reason": "done""#) }
}
