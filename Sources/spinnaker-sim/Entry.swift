//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpiNNakerSimCommands

@main
struct Entry {
    static func main() async {
        exit(await SimTool.run())
    }
}
