//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import NIOCore
import SpiNNakerMachine
import SpiNNakerWire

/// Boot datagrams, and the sequence maker with the image that the vectors describe.
let bootFamilies: VectorFamilies = [
    "boot-message": { vector in
        var outcome = Outcome()
        let image = try vector.image()
        let message = try BootMessage(datagram: image)
        outcome.expect("version", message.version, vector.decoded["version"])
        outcome.expect("opcode", message.opcode.rawValue, vector.decoded["opcode"])
        outcome.expect("operand_1", message.operand1, vector.decoded["operand_1"])
        outcome.expect("operand_2", message.operand2, vector.decoded["operand_2"])
        outcome.expect("operand_3", message.operand3, vector.decoded["operand_3"])
        outcome.expect("data_bytes", message.data.readableBytes, vector.decoded["data_bytes"])
        outcome.expect("sha256", SHA256.hex(image.readableBytesView), vector.decoded["sha256"])
        let made: BootMessage
        if let opcode = vector.args["opcode"]?.int {
            let operands = try vector.integers("operands", as: UInt32.self)
            made = try BootMessage(
                opcode: BootOpcode(rawValue: UInt32(opcode)), operand1: operands[0], operand2: operands[1],
                operand3: operands[2], data: ByteBuffer(bytes: try vector.argumentBytes("data")))
        } else {
            let sequence = try vector.bootSequence()
            outcome.expect("n_messages", sequence.count, vector.args["n_messages"])
            made = sequence[try vector.integer("index")]
        }
        outcome.expect("message", made, message)
        var buffer = ByteBuffer()
        made.write(into: &buffer)
        outcome.expect("hex", bytes: buffer, vector.bytes)
        return outcome
    },
    "boot-sequence": { vector in
        var outcome = Outcome()
        let sequence = try vector.bootSequence()
        var all = ByteBuffer()
        var lengths: [Int] = []
        for message in sequence {
            let before = all.readableBytes
            message.write(into: &all)
            lengths.append(all.readableBytes - before)
        }
        outcome.expect("n_messages", sequence.count, vector.decoded["n_messages"])
        outcome.expect("lengths", lengths, vector.decoded["lengths"])
        outcome.expect("sha256_all", SHA256.hex(all.readableBytesView), vector.decoded["sha256_all"])
        return outcome
    },
    "boot-error": { vector in
        var outcome = Outcome()
        let data = ByteBuffer(repeating: 0, count: try vector.integer("data_bytes"))
        var refused = false
        do {
            _ = try BootMessage(opcode: .floodFillBlock, data: data)
        } catch {
            refused = true
        }
        outcome.expect("refused", refused, vector.decoded["raises"] != nil)
        return outcome
    },
    // SpiNNMan's decoder takes native alignment and byte order, and so refuses its own message: bootExceptions.
    "boot-decode": { vector in
        var outcome = Outcome()
        let message = try BootMessage(datagram: try vector.image())
        outcome.expect("raises", nil, vector.decoded["raises"]?.string)
        outcome.expect("opcode", message.opcode, .hello)
        outcome.expect("operands", [message.operand1, message.operand2, message.operand3], [1, 2, 3])
        return outcome
    },
    "enum/SpinnakerBootOpCode": { vector in
        var outcome = Outcome()
        outcome.expect("HELLO", BootOpcode.hello.rawValue, vector.decoded["HELLO"])
        outcome.expect("FLOOD_FILL_START", BootOpcode.floodFillStart.rawValue, vector.decoded["FLOOD_FILL_START"])
        outcome.expect("FLOOD_FILL_BLOCK", BootOpcode.floodFillBlock.rawValue, vector.decoded["FLOOD_FILL_BLOCK"])
        outcome.expect("FLOOD_FILL_CONTROL", BootOpcode.floodFillControl.rawValue, vector.decoded["FLOOD_FILL_CONTROL"])
        return outcome
    },
]

/// Where SpiNNMan's boot code is wrong.
let bootExceptions: [VectorException] = [
    VectorException(
        "boot.message.decode", field: "raises",
        "SpiNNMan decodes boot messages with native alignment and byte order, and refuses what it encodes; the header is"
            + " 2 bytes and four big-endian words")
]

extension GoldenVector {
    /// The sequence for the synthetic image: word i is i · 0x01010101 + 7.
    func bootSequence() throws -> BootSequence {
        let size = try self.integer("image_bytes", as: Int.self)
        var bytes = ByteBuffer()
        for i in 0..<UInt32(size / 4) { bytes.writeInteger(i &* 0x0101_0101 &+ 7, endianness: .little) }
        guard let board = BoardShape(version: try self.integer("machine_version")) else {
            throw VectorShapeError(self, "machine_version")
        }
        // The default LEDs must be those of the vector: they are not passed on.
        let values = BootValues(board: board, unixTime: try self.integer("unix_time"))
        guard try values.led0 == self.integer("led_0") else { throw VectorShapeError(self, "led_0") }
        return BootSequence(image: try BootImage(bytes), values: values)
    }
}
