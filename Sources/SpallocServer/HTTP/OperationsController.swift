//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import HTTPTypes
import Hummingbird
import Logging
import SpallocAPI

/// What is for those who run the service.
struct OperationsController: Sendable {
    let core: ServiceCore

    /// Without a login.
    func addPublicRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("system/health") { _, _ in Response.text("ok\n") }
        router.get("system/ready", use: self.ready)
    }

    func addRoutes(to router: RouterGroup<SpallocRequestContext>) {
        router.get("emergencyStop", use: self.stop)
    }

    /// Whether the store answers.
    @Sendable
    private func ready(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        _ = try await self.core.store.boardsOutOfService()
        return Response.text("ready\n")
    }

    /// Ends all jobs, which switches their boards off, and takes no more until the service is started anew.
    @Sendable
    private func stop(_ request: Request, _ context: SpallocRequestContext) async throws -> Response {
        let caller = try context.requireCaller()
        guard let code = self.core.configuration.emergencyStopCode, Query(request).text("commandCode") == code else {
            throw APIError.forbidden
        }
        context.logger.critical("emergency stop", metadata: ["user": "\(caller.user.name)"])
        self.core.isStopped = true
        let jobs = JobService(core: self.core)
        for job in try await self.core.store.liveJobs() { try await jobs.destroy(job.id, reason: "emergency stop") }
        return Response(status: .ok)
    }
}
