# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan client's figures through the proxy, for `make bench`: SCP reads and writes of 256 bytes at its own window.

usage: spinnman_client.py demo.json PACKETS
Prints one JSON object: packets/s, and CPU microseconds per packet of this process, for reads and for writes, and for reads
at other windows; the median latency of one read at a time; and the milliseconds of one state read over HTTP.
"""
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from demo_service import trust  # noqa: E402


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(packets, work):
    wall, used = time.perf_counter(), cpu()
    work()
    wall, used = time.perf_counter() - wall, cpu() - used
    return {"rate": packets / wall, "cpu_us": used * 1e6 / packets}


def latency(board, count, address):
    """The median microseconds from send to receive, without the layers of processes and pipelines above."""
    from spinnman.messages.scp.impl import ReadMemory
    times = []
    for number in range(count):
        request = ReadMemory((0, 0, 0), address, 256)
        request.scp_request_header.sequence = number & 0xFFFF
        start = time.perf_counter()
        board.send(board.get_scp_data(request))
        board.receive_scp_response()
        times.append(time.perf_counter() - start)
    return sorted(times)[count // 2] * 1e6


def main():
    with open(sys.argv[1], "r") as text:
        demo = json.load(text)
    packets = int(sys.argv[2])
    trust(demo)
    from spinn_utilities.config_holder import set_config
    from spinnman.config_setup import unittest_setup
    from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
    from spinnman.processes import FixedConnectionSelector, ReadMemoryProcess, WriteMemoryProcess
    from spinnman.spalloc import SpallocClient, SpallocState
    unittest_setup()
    set_config("Machine", "version", "5")
    SpiNNManDataWriter.mock().set_n_required(1, None)
    figures = {}
    with SpallocClient(demo["url"], demo["user"], demo["password"]) as client, client.create_job() as job:
        state = job.get_state()
        while state != SpallocState.READY:
            state = job.wait_for_state_change(state)
        transceiver = job.create_transceiver()
        with job.connect_to_board(0, 0) as board:
            selector = FixedConnectionSelector(board)
            size = packets * 256
            data = bytes(size)
            address = 0x60240000
            figures["write"] = timed(packets, lambda: WriteMemoryProcess(
                selector).write_memory_from_bytearray((0, 0, 0), address, data, 0, size))
            figures["read"] = timed(packets, lambda: ReadMemoryProcess(
                selector).read_memory((0, 0, 0), address, size))
            figures["windows"] = {}
            for window in (1, 32):
                count = packets // 8 if window == 1 else packets
                process = ReadMemoryProcess(selector)
                # What the constructor of the base class takes, but that of this process does not pass on.
                process._n_channels = window
                process._intermediate_channel_waits = window - 1
                figures["windows"][window] = timed(
                    count, lambda: process.read_memory((0, 0, 0), address, count * 256))
            figures["latency_us"] = latency(board, packets // 8, address)
        start = time.perf_counter()
        for _ in range(50):
            job.get_state()
        figures["state_ms"] = (time.perf_counter() - start) * 1000 / 50
        del transceiver
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
