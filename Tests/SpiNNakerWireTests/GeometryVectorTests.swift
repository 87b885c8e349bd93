//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import SpiNNakerMachine
import Testing

@Suite struct GeometryVectorTests {
    @Test func everyVectorOfTheFamilies() throws { try check(geometryFamilies, count: 13) }
}
