//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Logging

/// `spalloc demo --serve`: the virtual machine and the service, until the task is cancelled.
package func serveDemo(_ options: DemoOptions, logger: Logger, narrator: Narrator) async throws {
    try await withDemoHouse(options, logger: logger, narrator: narrator) { house in
        narrator.say(
            """

            url       \(house.access.url)
            user      \(house.access.user)
            password  \(house.access.password)
            CA file   \(house.access.caFile)
            state     \(house.directory.path)\(house.access.v1Port.map { "\nv1 port   \($0)" } ?? "")

            Serving until Ctrl-C.
            """)
        try house.writeAccess()
        defer { house.removeAccess() }
        // Nothing to do but be there: cancellation is how it ends.
        let (never, _) = AsyncStream<Never>.makeStream()
        for await _ in never {}
        try Task.checkCancellation()
    }
}
