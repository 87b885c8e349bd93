//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocCommands

@main
struct Entry {
    static func main() async {
        exit(await DaemonTool.start())
    }
}
