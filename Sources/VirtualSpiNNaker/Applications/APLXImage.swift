//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore

/// What can be told of an APLX binary without executing it.
///
/// It begins with a table of 16-byte entries that the loader walks:
///
/// | Word 0 | 1 | 2 | 3 |
/// |---|---|---|---|
/// | 1 copy | to | from | bytes |
/// | 2 copy | to | from, relative to the entry | bytes |
/// | 3 fill | to | bytes | with |
/// | 4 execute | at | | |
enum APLXImage {
    private static let entrySize = 16
    private static let mostEntries = 8
    /// ITCM and DTCM together: no more can be loaded.
    private static let largest = (32 + 64) << 10

    /// The length of the image, by its table; nil when it has none.
    static func size(header: ByteBuffer) -> Int? {
        func word(_ index: Int) -> UInt32? {
            header.getInteger(at: header.readerIndex + 4 * index, endianness: .little)
        }
        var end = 0
        for entry in 0..<APLXImage.mostEntries {
            guard let command = word(4 * entry), let from = word(4 * entry + 2), let bytes = word(4 * entry + 3) else {
                return nil
            }
            switch command {
            case 1, 3: break
            case 2: end = max(end, entry * APLXImage.entrySize + Int(from) + Int(bytes))
            case 4: return end > 0 && end <= APLXImage.largest ? end : nil
            default: return nil
            }
        }
        return nil
    }

    /// SARK's build header: a name of up to 15 letters, NUL padded to words, and the Unix time of the build behind it.
    static func buildName(in image: ByteBuffer) -> String? {
        let bytes = image.readableBytesView
        let start = bytes.startIndex
        func isLetter(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        var at = bytes.count / 4 * 4 - 8
        // From the end: the header is among the constants behind the code.
        while at >= 4 {
            defer { at -= 4 }
            guard isLetter(bytes[start + at]), !isLetter(bytes[start + at - 1]) else { continue }
            let length = bytes[(start + at)...].prefix(16).prefix(while: isLetter).count
            let padded = (length + 4) / 4 * 4
            guard length >= 3, length <= 15, at + padded + 4 <= bytes.count,
                bytes[(start + at + length)..<(start + at + padded)].allSatisfy({ $0 == 0 }),
                let time = image.getInteger(
                    at: image.readerIndex + at + padded, endianness: .little, as: UInt32.self),
                APLXImage.buildTimes.contains(time)
            else { continue }
            return String(decoding: bytes[(start + at)..<(start + at + length)], as: UTF8.self)
        }
        return nil
    }

    /// From 2010 to 2050.
    private static let buildTimes: ClosedRange<UInt32> = 1_262_304_000...2_524_608_000
}
