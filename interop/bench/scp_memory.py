# SPDX-License-Identifier: Apache-2.0
"""Stock SpiNNMan's and rig's figures over UDP, for `make bench`: memory written and read at a window of 8.

usage: scp_memory.py PORT BYTES ROUNDS
The board is at 127.0.0.1:PORT and answers reads and writes. Prints one JSON object: by name of the library, the seconds of each
write and of each read, the libraries in turns; and CPU microseconds per packet of this process.
"""
import inspect
import json
import resource
import sys
import time

WINDOW = 8
ADDRESS = 0x60240000


def spinnman(port):
    """Stock SpiNNMan: its processes over a connection of its own, with no transceiver around them."""
    from spinnman.config_setup import unittest_setup
    from spinnman.connections.udp_packet_connections import SCAMPConnection
    from spinnman.processes import FixedConnectionSelector, ReadMemoryProcess, WriteMemoryProcess
    unittest_setup()
    selector = FixedConnectionSelector(SCAMPConnection(0, 0, remote_host="127.0.0.1", remote_port=port))
    # Eight is what it uses by itself.
    return (
        lambda data: WriteMemoryProcess(selector).write_memory_from_bytearray((0, 0, 0), ADDRESS, data, 0, len(data)),
        lambda size: ReadMemoryProcess(selector).read_memory((0, 0, 0), ADDRESS, size))


def rig(port):
    """The last rig that was released (2016), with the one function of Python 2 that it misses today."""
    if not hasattr(inspect, "getargspec"):
        inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]
    from rig.machine_control.scp_connection import SCPConnection
    connection = SCPConnection("127.0.0.1", port)
    return (
        lambda data: connection.write(256, WINDOW, 0, 0, 0, ADDRESS, data),
        lambda size: connection.read(256, WINDOW, 0, 0, 0, ADDRESS, size))


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(figures, packets, work):
    wall, used = time.perf_counter(), cpu()
    result = work()
    figures["seconds"].append(time.perf_counter() - wall)
    figures["cpu_us"].append((cpu() - used) * 1e6 / packets)
    return result


def main():
    port, size, rounds = (int(word) for word in sys.argv[1:])
    data = bytes((7 * i + (i >> 8)) & 0xFF for i in range(size))
    libraries = {"spinnman": spinnman(port), "rig": rig(port)}
    figures = {name: {way: {"seconds": [], "cpu_us": []} for way in ("write", "read")} for name in libraries}
    packets = (size + 255) // 256
    for _ in range(rounds):
        for name, (write, read) in libraries.items():
            timed(figures[name]["write"], packets, lambda: write(data))
            if timed(figures[name]["read"], packets, lambda: read(size)) != data:
                sys.exit(f"{name} read something else than it wrote")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
