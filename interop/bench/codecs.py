# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan client's codecs, for `make bench`: the same messages as Sources/spinnaker-bench/Codecs.

Prints one JSON object: nanoseconds of CPU per message, the middle one of several runs, by key.
"""
import json
import statistics
import time

from spinnman.config_setup import unittest_setup
from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
from spinnman.messages.eieio import EIEIOType, read_eieio_data_message
from spinnman.messages.eieio.data_messages import EIEIODataMessage
from spinnman.messages.scp.impl import ReadMemory, WriteMemory
from spinnman.spalloc.proxy_protocol import ProxyProtocol
from spinnman.spalloc.spalloc_client import _msg
from spinnman.connections.udp_packet_connections.scamp_connection import (
    _TWO_SHORTS, _TWO_SKIP)
from spinnman.messages.scp.enums import SCPResult
from websocket import ABNF
from websocket._abnf import frame_buffer

CHANNEL = 7
RUNS = 7


def nanoseconds(work):
    """Of one call of `work`, which gets the number of the call."""
    count = 100
    while True:
        count *= 2
        start = time.thread_time_ns()
        for index in range(count):
            work(index)
        if time.thread_time_ns() - start > 20_000_000:
            break
    times = []
    for _ in range(RUNS):
        start = time.thread_time_ns()
        for index in range(count):
            work(index)
        times.append((time.thread_time_ns() - start) / count)
    return statistics.median(times)


def datagram(request, sequence):
    """As SCAMPConnection.get_scp_data makes it, and SCPRequestPipeLine numbers it."""
    request.scp_request_header.sequence = sequence & 0xFFFF
    request.sdp_header.update_for_send(0, 0)
    return _TWO_SKIP.pack() + request.bytestring


def address(index):
    return 0x60000000 + (index % 0x10000) * 256


def reply(number):
    """A READ reply of 256 bytes: padding, SDP header, RC_OK, sequence, data."""
    return (bytes([0, 0, 0x07, 0xFF, 0xFF, 0x03, 0, 0, 2, 1]) + bytes([0x80, 0, number, 0]) + bytes([number]) * 256)


REPLIES = [reply(number) for number in range(13)]
FRAMES = [_msg.pack(ProxyProtocol.MSG, CHANNEL) + data for data in REPLIES]
DATA = bytes(256)
REQUEST = ReadMemory((1, 2, 3), 0x60000000, 256)


def decode_reply(index):
    """As SCAMPConnection.receive_scp_response and SCPRequestPipeLine read it."""
    data = REPLIES[index % 13]
    result, sequence = _TWO_SHORTS.unpack_from(data, 10)
    SCPResult(result)
    response = REQUEST.get_scp_response()
    response.read_bytestring(data, 2)
    return response.data[response.offset:response.offset + response.length], sequence


def proxy_encode(index):
    """As the client's `_send` does it."""
    return _msg.pack(ProxyProtocol.MSG, CHANNEL) + REPLIES[index % 13]


def proxy_decode(index):
    """As the receiver's `run`, and `__get` after it."""
    frame = FRAMES[index % 13]
    code, channel = _msg.unpack_from(frame, 0)
    return code == ProxyProtocol.MSG and channel, frame[_msg.size:]


def websocket_encode(index):
    """As WebSocket.send_binary does it, up to the socket."""
    return ABNF.create_frame(_msg.pack(ProxyProtocol.MSG, CHANNEL) + REPLIES[index % 13], ABNF.OPCODE_BINARY).format()


def websocket_decoder(frames):
    """The reader that WebSocket.recv_data uses, with a socket that has all there is."""
    current = []

    def receive(size):
        part, current[0] = current[0][:size], current[0][size:]
        return part

    reader = frame_buffer(receive, skip_utf8_validation=True)

    def work(index):
        current[:] = [frames[index % 13]]
        return reader.recv_frame().data
    return work


def unmasked(payload):
    frame = ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, payload)
    return frame.format()


def masked(payload):
    return ABNF.create_frame(payload, ABNF.OPCODE_BINARY).format()


def eieio_build(index):
    message = EIEIODataMessage.create(EIEIOType.KEY_PAYLOAD_32_BIT)
    key = index & 0xFFFFFFFF
    for _ in range(message.max_n_elements):
        message.add_key_and_payload(key, ~key & 0xFFFFFFFF)
        key = (key + 1) & 0xFFFFFFFF
    return message.bytestring


EVENTS = [eieio_build(number) for number in range(13)]


def eieio_iterate(index):
    message = read_eieio_data_message(EVENTS[index % 13], 0)
    total = 0
    while message.is_next_element:
        element = message.next_element
        total += element.key + element.payload
    return total


def main():
    unittest_setup()
    SpiNNManDataWriter.mock()
    print(json.dumps({
        "scp.read.encode": nanoseconds(lambda index: datagram(ReadMemory((1, 2, 3), address(index), 256), index)),
        "scp.write.encode": nanoseconds(lambda index: datagram(WriteMemory((1, 2, 3), address(index), DATA), index)),
        "scp.read.decode": nanoseconds(decode_reply),
        "proxy.encode": nanoseconds(proxy_encode),
        "proxy.decode": nanoseconds(proxy_decode),
        "websocket.encode": nanoseconds(websocket_encode),
        "websocket.decode": nanoseconds(websocket_decoder([unmasked(frame) for frame in FRAMES])),
        "websocket.decode.masked": nanoseconds(websocket_decoder([masked(frame) for frame in FRAMES])),
        "eieio.build": nanoseconds(eieio_build),
        "eieio.iterate": nanoseconds(eieio_iterate),
    }))


if __name__ == "__main__":
    main()
