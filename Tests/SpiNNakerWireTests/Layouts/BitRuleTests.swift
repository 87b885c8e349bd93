//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire
import Testing
import WireFuzz

/// Words that hold several things: each is found where the layout says, and changes nothing of the others.
@Suite struct BitRuleTests {
    @Test func startingAnApplicationIsOneWord() {
        var random = Seeded(51)
        for flags in UInt8(0)..<64 {
            let (application, cores) = (random.value(UInt8.self), CoreMask(rawValue: random.value()))
            let word = UInt32(application) << 24 | UInt32(flags) << 18 | cores.rawValue
            let start = ApplicationStart(word: word)
            #expect(start.application == application && start.flags == flags && start.cores == cores)
            #expect(start.wait == !flags.isMultiple(of: 2))
            #expect(start.word == word)
            let made = ApplicationStart(application: application, cores: cores, wait: start.wait)
            #expect(made.word == word & ~(0x3E << 18))
        }
    }

    @Test func masksAndRoutesNameTheirCoresAndLinks() {
        var random = Seeded(52)
        for _ in 0..<100 {
            let numbers = (0..<random.below(20)).map { _ in random.value(UInt8.self) % 20 }
            let mask = CoreMask(cores: numbers)
            #expect(mask.cores == Set(numbers).filter { $0 < 18 }.sorted())
            #expect(mask.count == mask.cores.count)
            for p in UInt8(0)...255 { #expect(mask.contains(core: p) == mask.cores.contains(p)) }
            let links = Link.allCases.filter { _ in random.flag() }
            var route = RouteWord(links: links, cores: mask)
            #expect(route.rawValue & ~RouteWord.mask == 0)
            // What is not of the route changes nothing of it.
            route.rawValue |= random.value(UInt32.self) << 24
            #expect(route.links == links && route.cores == mask)
            for link in Link.allCases { #expect(route.contains(link) == links.contains(link)) }
        }
    }

    /// Every half-word that may come: the line is in bits 1...0, the FPGAs are bit 2, and nothing else is known.
    @Test func resetsOfBoards() throws {
        for operation in UInt32(0)..<0x120 {
            let reset = try ResetBoards(arguments: SCPArguments(0x1234 << 16 | operation, 0x00FF_0F01), data: ByteBuffer())
            let lines: [ResetBoards.Line?] = [.release, .hold, .pulse, nil]
            #expect(reset.line == (operation < 8 ? lines[Int(operation & 3)] : nil), "\(operation)")
            #expect(reset.includesFPGAs == (operation >> 2 & 1 == 1))
            #expect(reset.delay == 0x1234 && reset.boards == 0x00FF_0F01)
            guard operation < 8, let line = reset.line else { continue }
            #expect(ResetBoards(line, fpgas: operation >= 4, boards: reset.boards, delay: reset.delay) == reset)
        }
        #expect(WriteFlash(address: 1, size: 2, erase: true).arguments == SCPArguments(1, 2, 1))
        #expect(WriteFlash(address: 1, size: 2, erase: false).arguments == SCPArguments(1, 2, 0))
    }

    /// Sixteen filters and sixteen counters, a word each, whatever the number that is asked for.
    @Test func registersOfFiltersAndCounters() {
        for position in UInt8(0)...255 {
            let word = 4 * UInt32(position % 16)
            #expect(RouterRegister.filter(position) == RouterRegister.filter(0) + word)
            #expect(RouterRegister.counter(position) == RouterRegister.counter(0) + word)
        }
        #expect(RouterRegister.filter(0) == RouterRegister.address(RouterRegister.filters))
        #expect(RouterRegister.counter(0) == RouterRegister.address(RouterRegister.counters))
        var diagnostics = RouterDiagnostics(control: 0x8765_1F00, errors: [], counters: (0..<16).map { 100 + $0 })
        #expect(RouterCounter.allCases.map { diagnostics[$0] } == (100..<116).map { $0 })
        #expect(diagnostics.monitor == 31 && diagnostics.wait1 == 0x65 && diagnostics.wait2 == 0x87)
        diagnostics.counters = [7]
        #expect(RouterCounter.allCases.map { diagnostics[$0] } == [7] + Array(repeating: 0, count: 15))
    }

    /// A text of anything is one line of ASCII control-free JSON, and comes back.
    @Test func everyCharacterOfATextIsOneLineOfJSON() throws {
        let scalars = (UInt32(0)..<0x300).compactMap(Unicode.Scalar.init) + ["\u{2028}", "\u{FFFD}", "\u{1F600}"]
        for scalar in scalars {
            let text = "a\(scalar)b"
            var buffer = ByteBuffer()
            V1JSON.string(text).write(into: &buffer)
            let bytes = Array(buffer.readableBytesView)
            #expect(bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "U+\(String(scalar.value, radix: 16))")
            #expect(try V1JSON(line: buffer) == .string(text), "U+\(String(scalar.value, radix: 16))")
            guard scalar.value < 0x20 || scalar.value == 0x7F, !"\n\r\t".unicodeScalars.contains(scalar) else { continue }
            let hex = String(scalar.value, radix: 16)
            #expect(String(decoding: bytes, as: UTF8.self) == "\"a\\u00\(hex.count < 2 ? "0" : "")\(hex)b\"")
        }
    }
}
