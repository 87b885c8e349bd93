//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// A program of our own on an application core: what an image stands for on a machine that executes none.
package protocol CoreProgram: AnyObject {
    /// As the VCPU block shows it: at most 16 bytes.
    var name: String { get }
    /// `c_main`: the core has been started, and released if it waited.
    func main(_ core: NativeCore, now: NIODeadline)
    /// A message to one of the ports 1...7.
    func received(_ message: SDPMessage, _ core: NativeCore, now: NIODeadline)
    /// TIMER, or one of the user signals.
    func signalled(_ signal: Signal, _ core: NativeCore, now: NIODeadline)
}

extension CoreProgram {
    /// No callback: the message vanishes.
    package func received(_ message: SDPMessage, _ core: NativeCore, now: NIODeadline) {}
    package func signalled(_ signal: Signal, _ core: NativeCore, now: NIODeadline) {}
}
