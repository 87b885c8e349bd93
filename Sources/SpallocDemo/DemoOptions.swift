//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocServer

/// What a demo is told.
package struct DemoOptions: Sendable {
    /// The virtual machine, in triads of three boards.
    package var width: Int
    package var height: Int
    /// Where database, certificates and `demo.json` are kept; nil: a temporary directory that is deleted afterwards.
    package var stateDirectory: String?
    /// The HTTPS port; 0: any free one.
    package var port: Int
    /// The legacy (v1) port; 0: any free one; nil: there is none.
    package var v1Port: Int?
    /// How long the virtual firmware takes to boot, as a multiple of the real one.
    package var bootTimeScale: Double
    /// Has the last word about the service's configuration: a test wants other users, or shorter times.
    package var adjustService: @Sendable (inout SpallocServerConfiguration) -> Void = { _ in }

    package init(
        width: Int = 1, height: Int = 1, stateDirectory: String? = nil, port: Int = 0, v1Port: Int? = nil,
        bootTimeScale: Double = 1
    ) {
        self.width = width
        self.height = height
        self.stateDirectory = stateDirectory
        self.port = port
        self.v1Port = v1Port
        self.bootTimeScale = bootTimeScale
    }

    /// - Throws: ``DemoError`` for a machine that can not be.
    package func validate() throws {
        guard (1...64).contains(self.width), (1...64).contains(self.height), self.width * self.height <= 2048 else {
            throw DemoError("a machine of \(self.width) x \(self.height) triads can not be made: 1...64 a side, 2048 in all")
        }
        guard (0...65535).contains(self.port) else { throw DemoError("port \(self.port) is not in 0...65535") }
        if let v1Port {
            guard (0...65535).contains(v1Port) else { throw DemoError("v1 port \(v1Port) is not in 0...65535") }
        }
        guard self.bootTimeScale.isFinite, self.bootTimeScale >= 0 else {
            throw DemoError("the boot time scale \(self.bootTimeScale) is not a number from 0 up")
        }
    }
}
