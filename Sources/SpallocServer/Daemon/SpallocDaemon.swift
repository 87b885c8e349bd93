//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Logging
import ServiceLifecycle
import UnixSignals

/// The service as a program: what `spallocd` does.
public enum SpallocDaemon {
    /// Reads the configuration, without opening or starting anything.
    ///
    /// - Throws: ``SpallocServerError`` with the file, the place in it, and what is wrong there.
    public static func configuration(from path: String) throws(SpallocServerError) -> SpallocServerConfiguration {
        try ConfigurationFile.load(path)
    }

    /// Runs until SIGTERM or SIGINT; then requests and power commands under way come to their end, but not for longer than the
    /// configuration allows. Jobs and their boards stay as they are, for the next run.
    ///
    /// SIGHUP: reads the configuration anew and takes over what may change while it runs; the rest is named in the log.
    ///
    /// - Parameter onReady: called with the port once the service listens.
    public static func run(
        configurationPath: String, logger: Logger, onReady: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        let reloads = await UnixSignalsSequence(trapping: .sighup)
        let configuration = try self.configuration(from: configurationPath)
        let service = try await SpallocApplication.build(configuration: configuration, logger: logger)
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: ReloadService(path: configurationPath, application: service, signals: reloads)),
                .init(service: Daemon(service: service, onReady: onReady)),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = configuration.timings.shutdown
        try await ServiceGroup(configuration: group).run()
    }

    private struct Daemon: Service {
        let service: SpallocApplication
        let onReady: @Sendable (Int) async -> Void

        func run() async throws { try await self.service.run(onReady: self.onReady) }
    }
}
