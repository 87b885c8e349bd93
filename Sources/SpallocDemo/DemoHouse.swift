//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Foundation
import Logging
import ServiceLifecycle
import SpallocServer
import SpiNNakerMachine
import VirtualSpiNNaker
import VirtualSpiNNakerHost

/// A virtual machine and an allocation service in front of it, running: what `spalloc demo` shows.
package struct DemoHouse: Sendable {
    /// What a client needs to know: also the contents of `demo.json`.
    package struct Access: Codable, Sendable {
        package var url: String
        package var user: String
        package var password: String
        package var caFile: String
        package var boards: [String]
        package var bmps: [String]
        package var pid: Int32
        /// Of the legacy protocol, if it is on.
        package var v1Port: Int?

        enum CodingKeys: String, CodingKey {
            case url, user, password, boards, bmps, pid
            case caFile = "ca_file"
            case v1Port = "v1_port"
        }
    }

    package let access: Access
    package let machine: VirtualMachineHost
    package let machineName: String
    package let directory: URL

    static let user = "demo"
    static let machineName = "virtual"
}

/// Starts a virtual machine and a service, runs `body` with both, and takes them down again.
///
/// - Parameters:
///   - onMachine: hears of the virtual machine before the service starts.
///   - onService: hears of the service before it listens.
/// - Throws: ``DemoError`` and the errors of both, each of which says what can not be had.
package func withDemoHouse<Result: Sendable>(
    _ options: DemoOptions, logger: Logger, narrator: Narrator, _ body: @escaping @Sendable (DemoHouse) async throws -> Result
) async throws -> Result {
    try options.validate()
    return try await withStateDirectory(options.stateDirectory) { directory in
        let started = ContinuousClock.now
        return try await withVirtualMachine(options, directory: directory, logger: logger) { machine in
            try await narrator.step("virtual machine", since: started) {
                let chips = machine.boards.count * 48
                return (
                    (),
                    "\(machine.boards.count) boards, \(chips) chips at \(machine.boards.first?.address.description ?? "-")…, "
                        + "BMP at \(machine.bmps.first?.address.description ?? "-"), all off"
                )
            }
            return try await withService(options, machine: machine, directory: directory, logger: logger, narrator: narrator) {
                house in try await body(house)
            }
        }
    }
}

/// The virtual machine, at the addresses that the state directory remembers; without such, at the first block of 127.x
/// addresses that nobody has, so that two demos can run side by side.
private func withVirtualMachine<Result: Sendable>(
    _ options: DemoOptions, directory: URL, logger: Logger,
    _ body: @escaping @Sendable (VirtualMachineHost) async throws -> Result
) async throws -> Result {
    let description = VirtualMachineDescription(
        .triads(width: options.width, height: options.height), bootTimeScale: options.bootTimeScale)
    let remembered = try RememberedMachine.load(from: directory, options: options)
    let bases = remembered.map { [$0.base] } ?? VirtualMachineHost.candidateBases
    return try await withVirtualMachineHost(description, bases: bases, logger: logger) { host, base in
        try RememberedMachine(width: options.width, height: options.height, base: base).save(in: directory)
        return try await body(host)
    }
}

/// What the database in a state directory was made for: boards keep their addresses from one start to the next.
private struct RememberedMachine: Codable {
    var width: Int
    var height: Int
    var base: UInt8

    static func load(from directory: URL, options: DemoOptions) throws -> RememberedMachine? {
        let file = directory.appending(path: "machine.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        guard let data = try? Data(contentsOf: file), let machine = try? JSONDecoder().decode(Self.self, from: data) else {
            throw DemoError("\(file.path) can not be read; delete \(directory.path) to begin anew")
        }
        guard machine.width == options.width, machine.height == options.height else {
            throw DemoError(
                "\(directory.path) holds a machine of \(machine.width)x\(machine.height) triads, "
                    + "not \(options.width)x\(options.height): name another directory, or delete it")
        }
        return machine
    }

    func save(in directory: URL) throws {
        try JSONEncoder().encode(self).write(to: directory.appending(path: "machine.json"), options: .atomic)
    }
}

/// The service, in front of the machine.
private func withService<Result: Sendable>(
    _ options: DemoOptions, machine: VirtualMachineHost, directory: URL, logger: Logger, narrator: Narrator,
    _ body: @escaping @Sendable (DemoHouse) async throws -> Result
) async throws -> Result {
    let certificates = try DevelopmentCertificates.load(orMakeIn: directory)
    let password = DemoHouse.newPassword()
    var configuration = SpallocServerConfiguration(
        port: options.port,
        tls: .init(certificateChainPath: certificates.certificate.path, privateKeyPath: certificates.key.path),
        databasePath: directory.appending(path: "spalloc.sqlite").path,
        machines: [
            MachineDefinition(
                name: DemoHouse.machineName, tags: ["default"], width: options.width, height: options.height,
                boards: machine.boards.map {
                    .init(coordinates: $0.coordinates, physical: $0.physical, address: $0.address.description)
                },
                bmps: machine.bmps.map { .init(cabinet: $0.cabinet, frame: $0.frame, address: $0.address.description) })
        ],
        users: [.init(name: DemoHouse.user, password: password, trustLevel: .user)])
    // Nothing has to cool down here.
    configuration.power.offWait = .zero
    if let v1Port = options.v1Port {
        configuration.v1.enabled = true
        configuration.v1.port = v1Port
    }
    options.adjustService(&configuration)
    let started = ContinuousClock.now
    let service = try await SpallocApplication.build(configuration: configuration, logger: logger)

    let (ports, announce) = AsyncStream<Int>.makeStream(bufferingPolicy: .bufferingNewest(1))
    var groupConfiguration = ServiceGroupConfiguration(
        services: [.init(service: RunningService(service: service, announce: announce))], logger: logger)
    groupConfiguration.maximumGracefulShutdownDuration = .seconds(10)
    let services = ServiceGroup(configuration: groupConfiguration)
    // Not a child task: on Ctrl-C the body is cancelled, and needs the service to destroy its job. The service ends after it.
    let running = Task { try await services.run() }

    return try await withTaskGroup(of: HouseEvent<Result>.self) { group in
        group.addTask {
            do {
                var iterator = ports.makeAsyncIterator()
                guard let port = await iterator.next() else { return .neverListened }
                let house = DemoHouse(
                    access: DemoHouse.Access(
                        url: "https://localhost:\(port)/spalloc/", user: DemoHouse.user, password: password,
                        caFile: certificates.authority.path, boards: machine.boards.map { $0.address.description },
                        bmps: machine.bmps.map { $0.address.description }, pid: getpid(), v1Port: service.v1Port),
                    machine: machine, machineName: DemoHouse.machineName, directory: directory)
                try await narrator.step("service", since: started) {
                    let v1 = house.access.v1Port.map { "; v1 at port \($0)" } ?? ""
                    return ((), "\(house.access.url), HTTPS with a certificate of its own, SQLite\(v1)")
                }
                return .bodyEnded(.success(try await body(house)))
            } catch {
                return .bodyEnded(.failure(error))
            }
        }
        group.addTask { .serviceEnded(await running.result) }
        var outcome: Swift.Result<Result, any Error>?
        for await event in group {
            switch event {
            case .bodyEnded(let result):
                outcome = outcome ?? result
                await services.triggerGracefulShutdown()
            case .neverListened:
                // Cancelled before there was a port; or else the service says itself why there is none.
                if Task.isCancelled { outcome = .failure(CancellationError()) }
                await services.triggerGracefulShutdown()
            case .serviceEnded(let result):
                if outcome == nil {
                    // What ended the service matters more than what that did to the body.
                    outcome = .failure(result.failure ?? DemoError("the service ended by itself"))
                    group.cancelAll()
                } else if case .success = outcome, let failure = result.failure {
                    outcome = .failure(failure)
                }
            }
        }
        return outcome ?? .failure(DemoError("the service ended by itself"))
    }.get()
}

private enum HouseEvent<Value: Sendable>: Sendable {
    case bodyEnded(Result<Value, any Error>)
    case neverListened
    case serviceEnded(Result<Void, any Error>)
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}

/// The service as one of a group, which tells its port.
private struct RunningService: Service {
    let service: SpallocApplication
    let announce: AsyncStream<Int>.Continuation

    func run() async throws {
        defer { self.announce.finish() }
        try await self.service.run { port in self.announce.yield(port) }
    }
}

extension DemoHouse {
    /// Sixteen letters and digits that are not mistaken for each other.
    static func newPassword() -> String {
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        var random = SystemRandomNumberGenerator()
        return String((0..<16).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
    }

    /// Writes `demo.json`, whole or not at all; only its owner can read it, since the password is in it.
    package func writeAccess() throws {
        let file = self.directory.appending(path: "demo.json")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let temporary = self.directory.appending(path: ".demo.json.\(getpid())")
        guard
            FileManager.default.createFile(
                atPath: temporary.path, contents: try encoder.encode(self.access) + Data("\n".utf8),
                attributes: [.posixPermissions: 0o600])
        else { throw DemoError("can not write \(file.path)") }
        guard rename(temporary.path, file.path) == 0 else {
            throw DemoError("can not write \(file.path): \(String(cString: strerror(errno)))")
        }
    }

    package func removeAccess() {
        try? FileManager.default.removeItem(at: self.directory.appending(path: "demo.json"))
    }
}

/// The directory that was named, made if need be; or a temporary one, deleted afterwards.
private func withStateDirectory<Result: Sendable>(
    _ path: String?, _ body: (URL) async throws -> Result
) async throws -> Result {
    if let path {
        let directory = URL(filePath: path).absoluteURL
        do {
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw DemoError("can not make the directory \(directory.path): \(error.localizedDescription)")
        }
        return try await body(directory)
    }
    let directory = FileManager.default.temporaryDirectory.appending(path: "spalloc-demo-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}
