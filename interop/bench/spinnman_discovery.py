# SPDX-License-Identifier: Apache-2.0
"""How long stock SpiNNMan takes to look at a booted machine, for `make bench`.

usage: spinnman_discovery.py ADDRESS ROUNDS
Prints one JSON object: the chips that it saw, the seconds of each `get_machine_details` with its connections at hand, and
the seconds of each whole beginning: transceiver, connections, details.
"""
import contextlib
import json
import logging
import sys
import time


def main():
    address, rounds = sys.argv[1], int(sys.argv[2])
    from spinn_utilities.config_holder import set_config
    from spinnman.config_setup import unittest_setup
    from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
    from spinnman.transceiver import create_transceiver_from_hostname
    logging.disable(logging.WARNING)
    figures = {"details": [], "whole": []}
    for _ in range(rounds):
        # SpiNNMan keeps what it saw of a machine for good unless it is made to forget.
        unittest_setup()
        set_config("Machine", "version", "5")
        SpiNNManDataWriter.mock()
        start = time.perf_counter()
        with contextlib.closing(create_transceiver_from_hostname(address)) as transceiver:
            transceiver.discover_scamp_connections()
            connected = time.perf_counter()
            machine = transceiver.get_machine_details()
            end = time.perf_counter()
        figures["details"].append(end - connected)
        figures["whole"].append(end - start)
        figures["chips"] = machine.n_chips
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
