//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import NIOCore
import SpiNNakerWire

extension BootImage {
    /// The image in a file.
    ///
    /// - Throws: ``TransceiverError/Code/invalidArgument`` when the file can not be read or is no image.
    public init(contentsOf path: String) throws(TransceiverError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw TransceiverError(.invalidArgument, "the boot image \(path) can not be read")
        }
        do throws(WireError) {
            try self.init(ByteBuffer(bytes: data))
        } catch {
            throw TransceiverError(.invalidArgument, "\(path) is no boot image: \(error)")
        }
    }

    /// SC&MP's image out of an installed SpiNNMan.
    ///
    /// - Parameter environment: of Python: a virtual environment, or a prefix like `/usr/local`.
    /// - Throws: ``TransceiverError/Code/invalidArgument`` that says where it was looked for.
    public static func ofSpiNNMan(in environment: String) throws(TransceiverError) -> BootImage {
        let inside = "spinnman/messages/spinnaker_boot/boot_data/scamp.boot"
        let libraries = environment + "/lib"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: libraries)) ?? []
        for version in versions.sorted(by: >) where version.hasPrefix("python") {
            for packages in ["site-packages", "dist-packages"] {
                let path = "\(libraries)/\(version)/\(packages)/\(inside)"
                if FileManager.default.fileExists(atPath: path) { return try BootImage(contentsOf: path) }
            }
        }
        throw TransceiverError(
            .invalidArgument,
            "no SpiNNMan is installed in \(environment): \(libraries)/python*/site-packages/\(inside) is not there")
    }
}
