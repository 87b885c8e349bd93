//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Whose request it is, and which of the owner's: the pipeline keeps it and gives it back.
///
/// No type parameter of ``SCPPipeline``: across modules that stays generic at run time, a fifth of the cost of a request.
package struct SCPToken {
    package let owner: AnyObject
    package let index: Int

    @inlinable
    package init(owner: AnyObject, index: Int) {
        self.owner = owner
        self.index = index
    }
}
