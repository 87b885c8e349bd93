//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where SC&MP puts its own tables: blocks of the system heap, in the order in which it allocates them at start.
///
/// | Block | Bytes |
/// |---|---|
/// | hop table | 65,536 words |
/// | router copy | 1,025 entries of 16 |
/// | allocation tags | 65,536 words |
/// | application table | 256 entries of 8 |
/// | random pool | 1,024 |
/// | discovery bitmap | 32,768 |
package struct SystemHeapLayout: Hashable, Sendable {
    package static let routerEntries = 1024
    static let blockSizes: [UInt32] = [262_144, 16400, 262_144, 2048, 1024, 32768]
    static let rootSize: UInt32 = 16
    static let headerSize: UInt32 = 8

    package let hopTable: UInt32
    package let routerCopy: UInt32
    package let allocationTags: UInt32
    package let applicationTable: UInt32
    /// Behind the last of the blocks: the header of the free rest.
    package let firstFree: UInt32

    package init(heap: UInt32) {
        var payloads: [UInt32] = []
        var at = heap + SystemHeapLayout.rootSize + SystemHeapLayout.headerSize
        for size in SystemHeapLayout.blockSizes {
            payloads.append(at)
            at += size + SystemHeapLayout.headerSize
        }
        self.hopTable = payloads[0]
        self.routerCopy = payloads[1]
        self.allocationTags = payloads[2]
        self.applicationTable = payloads[3]
        self.firstFree = at - SystemHeapLayout.headerSize
    }
}
