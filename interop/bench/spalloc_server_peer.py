# SPDX-License-Identifier: Apache-2.0
"""The original spalloc_server with one machine of so many triads, whose BMPs do everything at once; until standard input ends.
usage: spalloc_server_peer.py DIRECTORY WIDTH HEIGHT"""
import json
import os
import socket
import sys
import threading
import time

# It logs each job to a file where it is.
os.chdir(sys.argv[1])

from spalloc_server import async_bmp_controller, controller, server


class InstantBMP:
    """Does what AsyncBMPController does, in the caller's thread."""

    def __init__(self, hostname, on_thread_start=None):
        self.hostname = hostname
        if on_thread_start is not None:
            on_thread_start()

    def __enter__(self):
        return self

    def __exit__(self, _type=None, _value=None, _traceback=None):
        return False

    def add_requests(self, atomic_requests):
        # From a thread of its own, as there: the caller holds the controller's lock.
        DONE.append(atomic_requests)
        WORK.set()

    def stop(self):
        pass

    def join(self):
        pass


DONE, WORK = [], threading.Event()


def work():
    while True:
        WORK.wait()
        WORK.clear()
        while DONE:
            DONE.pop(0).on_done(True, None)


CONFIGURATION = """
locations = dict()
for x in range({width}):
    for y in range({height}):
        for z in range(3):
            n = (x * {height} + y) * 3 + z
            locations[x, y, z] = (n // 120, n // 24 % 5, n % 24)
configuration = Configuration(port={port}, ip="127.0.0.1", seconds_before_free=0, machines=[Machine.with_standard_ips(
    "bench", board_locations=locations)])
"""


def main(directory, width, height):
    async_bmp_controller.AsyncBMPController = controller.AsyncBMPController = InstantBMP
    threading.Thread(target=work, daemon=True).start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.path.join(directory, "configuration.py")
    with open(path, "w") as text:
        text.write(CONFIGURATION.format(width=width, height=height, port=port))
    service = server.SpallocServer(config_filename=path, cold_start=True, port=port)
    limit = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            if not service.is_alive() or time.monotonic() > limit:
                sys.exit("spalloc_server did not start")
            time.sleep(0.05)
    print(json.dumps({"rest": 0, "v1": port}), flush=True)
    sys.stdin.read()
    os._exit(0)


main(sys.argv[1], *map(int, sys.argv[2:4]))
