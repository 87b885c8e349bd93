//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOConcurrencyHelpers
import NIOCore
import SpiNNakerLink
import SpiNNakerMachine
import SpiNNakerWire
import Testing

@testable import SpiNNaker

/// What is done, and in which order, to make a machine that does not answer answer.
@Suite(.timeLimit(.minutes(3))) struct ReadinessTests {
    /// A machine that answers once its BMP has switched it on (`.power`), once it was booted, or never.
    private enum Cure { case power, boot, none }

    private struct Story {
        /// START messages of the boot ROM.
        var boots = 0
        /// Of the BMP.
        var commands: [SCPCommand] = []
        var error: TransceiverError?
    }

    /// - Parameters:
    ///   - reading: of the BMP's converters for 1.2 V; nil: the BMP does not answer.
    private func story(
        _ cure: Cure, reading: UInt16?, hasBMP: Bool = true, image: BootImage? = .placeholder, attempts: Int = 3
    ) async throws -> Story {
        let isUp = NIOLockedValueBox(false)
        let scamp = AnsweringLink { packet in
            guard isUp.withLockedValue({ $0 }) else { return nil }
            return (.ok, Self.answer(to: packet.command))
        }
        let boot = AnsweringLink { _ in nil }
        let ears = BootEars(boot) { if cure == .boot { isUp.withLockedValue { $0 = true } } }
        let bmp = AnsweringLink { packet in
            guard let reading else { return nil }
            if packet.command == .bmpPower, cure == .power { isUp.withLockedValue { $0 = true } }
            var bytes = ByteBuffer()
            if packet.command == .bmpInfo {
                BoardStatus(
                    converters: [0xFFFF, reading, reading, reading, 2949, 0xFFFF, 3604, 3277], internalTemperatures: [],
                    externalTemperatures: [], fans: []
                ).write(into: &bytes)
            }
            return (.ok, bytes)
        }
        var configuration = TransceiverConfiguration()
        configuration.timeout = .milliseconds(100)
        configuration.retries = 100
        configuration.probeRetries = 0
        configuration.bootPause = .zero
        configuration.bootAttempts = attempts
        // As short as a boot may take that is to fail; one that is to succeed has time, however slow the machine is.
        configuration.bootTimeout =
            switch cure {
            case .none: .milliseconds(250)
            case .power: reading == 0 ? .seconds(10) : .seconds(1)
            case .boot: .seconds(10)
            }
        configuration.powerOnPause = .zero
        configuration.powerOnTimeout = .milliseconds(100)
        var story = Story()
        do {
            try await withTransceiver(
                links: [.origin: scamp], boot: ears, bmps: hasBMP ? [bmp] : [], configuration: configuration
            ) { _ = try await $0.ensureReady(image: image) }
        } catch let error as TransceiverError {
            story.error = error
        }
        story.boots = ears.starts.withLockedValue { $0 }
        story.commands = try await bmp.allSent().map(\.command)
        return story
    }

    private static func answer(to command: SCPCommand) -> ByteBuffer {
        var bytes = ByteBuffer()
        switch command {
        case .version:
            VersionInfo.ofBootedMachine.write(into: &bytes)
        case .ipTag: IPTagTimeoutInfo(timeoutCode: 9).write(into: &bytes)
        default:
            ChipInfo(
                workingCores: 18, workingLinks: 63, largestFreeRouterBlock: 1023, isEthernetUp: true, largestFreeSDRAM: 1,
                largestFreeSystemRAM: 1, coreStates: [], nearestEthernet: .origin, address: .loopback, parent: 7
            ).write(into: &bytes)
        }
        return bytes
    }

    @Test func aBoardWithoutPowerGetsItBeforeItIsBooted() async throws {
        let story = try await self.story(.power, reading: 0)
        #expect(story.error == nil)
        #expect(story.commands == [.bmpInfo, .bmpPower])
        #expect(story.boots == 1)
    }

    @Test func aBoardThatOnlyIsNotBootedKeepsItsPower() async throws {
        let story = try await self.story(.boot, reading: 1966)
        #expect(story.error == nil)
        #expect(story.commands == [.bmpInfo])
        #expect(story.boots == 1)
    }

    @Test func aBoardThatOneBootDoesNotHelpIsPowerCycled() async throws {
        let story = try await self.story(.power, reading: 1966)
        #expect(story.error == nil)
        #expect(story.commands == [.bmpInfo, .bmpPower])
        #expect(story.boots == 2)
    }

    @Test func whatNothingHelpsIsSaid() async throws {
        let story = try await self.story(.none, reading: 0, attempts: 2)
        #expect(story.error?.code == .notBooted)
        #expect(story.commands == [.bmpInfo, .bmpPower])
        #expect(story.boots == 2)
    }

    @Test func withoutABMPItIsBootedAsOftenAsWasSaid() async throws {
        let story = try await self.story(.none, reading: 0, hasBMP: false, attempts: 2)
        #expect(story.error?.code == .notBooted)
        #expect(story.commands == [])
        #expect(story.boots == 2)
    }

    @Test func nothingIsSwitchedWhenThereIsNothingToBootWith() async throws {
        let story = try await self.story(.none, reading: 1966, image: nil)
        #expect(story.error?.code == .notBooted)
        #expect("\(story.error.map { "\($0)" } ?? "")".contains("nothing to boot it with"))
        #expect(story.commands == [])
        #expect(story.boots == 0)
    }
}

/// A boot ROM's link that counts how often a boot begins, and says when one is over.
private final class BootEars: DatagramLink, @unchecked Sendable {
    // Unchecked: what is not behind the lock never changes.

    private let inner: AnsweringLink
    private let booted: @Sendable () -> Void
    let starts = NIOLockedValueBox(0)

    init(_ inner: AnsweringLink, booted: @escaping @Sendable () -> Void) {
        self.inner = inner
        self.booted = booted
    }

    var eventLoop: any EventLoop { self.inner.eventLoop }
    var linkDescription: String { self.inner.linkDescription }
    func setReceiver(_ receiver: (any DatagramReceiver)?) { self.inner.setReceiver(receiver) }
    func flush() {}
    func close() { self.inner.close() }

    func write(_ datagram: ByteBuffer) {
        // Bytes 2 to 5, big-endian: 1 begins a boot, 5 ends it.
        switch datagram.getInteger(at: datagram.readerIndex + 2, as: UInt32.self) {
        case 1: self.starts.withLockedValue { $0 += 1 }
        case 5: self.booted()
        default: break
        }
    }
}
