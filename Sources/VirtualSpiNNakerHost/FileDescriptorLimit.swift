//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How many files this process may have open.
package enum FileDescriptorLimit {
    /// What else a process has open: a few libraries, a database, event loops, connections.
    static let reserve = 256

    #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif

    /// Raises the soft limit towards `needed`, as far as the hard limit lets it.
    /// - Throws: ``VirtualMachineHostError/tooFewFileDescriptors(needed:limit:)`` when that is not far enough.
    package static func require(_ needed: Int) throws(VirtualMachineHostError) {
        var limit = rlimit()
        guard getrlimit(FileDescriptorLimit.resource, &limit) == 0 else { return }
        let needed = needed + FileDescriptorLimit.reserve
        guard limit.rlim_cur < rlim_t(needed) else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(needed))
        guard setrlimit(FileDescriptorLimit.resource, &limit) == 0, limit.rlim_cur >= rlim_t(needed) else {
            throw .tooFewFileDescriptors(needed: needed, limit: Int(clamping: limit.rlim_max))
        }
    }
}
