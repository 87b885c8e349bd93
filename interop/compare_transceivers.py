# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan transceiver and ours over the same virtual machine: do they see the same?

Each does things to the machine in turn (tags, routes, allocations, memory, applications); after each turn both look at all of
it, and every difference is printed. `python compare_transceivers.py [OPTIONS OF spinnaker-sim…]`; exits with 1 if they differ.
Ours is the hidden program `spinnaker-interop`.
"""
import contextlib
import json
import logging
import os
import struct
import subprocess
import sys

from demo_service import ROOT
from simulator import built_in, simulator

APP = 30
# Where both write: a megabyte behind the start of the heap, whose headers must stay as they are.
SUMMED = (0x60340000, 8192)
LIMIT = 600.0


def binary():
    """The built `spinnaker-interop`: SPINNAKER_INTEROP, else the release build, else the debug one."""
    named = os.environ.get("SPINNAKER_INTEROP")
    candidates = [named] if named else [
        os.path.join(ROOT, ".build", kind, "spinnaker-interop") for kind in ("release", "debug")]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    sys.exit("no spinnaker-interop binary: run `make build` first")


def ours(*words):
    """What our transceiver prints, as JSON."""
    done = subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=LIMIT)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def our_view(sim):
    return ours("view", sim.boards[0], *SUMMED)


class Stock:
    """The stock transceiver, and what it sees in the words of `MachineView.swift`."""

    def __init__(self, sim, version):
        from spinn_utilities.config_holder import set_config
        from spinnman.config_setup import unittest_setup
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        from spinnman.model import BMPConnectionData
        from spinnman.transceiver import create_transceiver_from_hostname
        logging.disable(logging.WARNING)
        unittest_setup()
        set_config("Machine", "version", str(version))
        self.sim = sim
        self.working = {}
        self.writer = SpiNNManDataWriter.mock()
        self.txrx = create_transceiver_from_hostname(
            sim.boards[0], extended=True,
            bmp_connection_data=BMPConnectionData(sim.bmp, list(range(len(sim.boards)))[:24], None))
        self.txrx.discover_scamp_connections()
        self.details()

    def details(self):
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        # SpiNNMan keeps the core maps of the first look, and refuses a second one.
        self.writer = SpiNNManDataWriter.mock()
        self.machine = self.txrx.get_machine_details()
        self.writer.set_machine(self.machine)
        if not self.working:
            # Of the first look, when all cores were idle.
            self.working = {(chip.x, chip.y): chip.n_processors for chip in self.machine.chips}
        return self.machine

    def close(self):
        self.txrx.close()

    # -- What it does

    def disturb(self):
        """Leaves something of every kind."""
        from spinn_machine import CoreSubsets, MulticastRoutingEntry, RoutingEntry
        from spinn_machine.tags import IPTag, ReverseIPTag
        from spinnman.model.enums import CPUState
        boards = [(c.x, c.y, c.ip_address) for c in self.machine.ethernet_connected_chips]
        for i, (x, y, address) in enumerate(boards):
            self.txrx.set_ip_tag(IPTag(address, x, y, 3 + i, "127.0.0.1", 50003 + i, strip_sdp=i % 2 == 0))
        x, y, address = boards[-1]
        self.txrx.set_reverse_ip_tag(ReverseIPTag(address, 7, 12345, x, y, 3, sdp_port=2))
        for i, chip in enumerate(sorted(self.machine.chips, key=lambda c: (c.x, c.y))[::7]):
            data = bytes((j * 7 + i) & 0xFF for j in range(1001 + i))
            self.txrx.write_memory(chip.x, chip.y, SUMMED[0] + 512 + i, data)
            self.txrx.malloc_sdram(chip.x, chip.y, 100 + i, APP, tag=1)
            self.txrx.load_multicast_routes(chip.x, chip.y, [
                MulticastRoutingEntry(
                    0x1000 * j + i, 0xFFFFFFFF, RoutingEntry(processor_ids=[j % 16 + 1], link_ids=[(i + j) % 6]))
                for j in range(5)], APP)
        cores = CoreSubsets()
        for x, y, _ in boards:
            cores.add_processor(x, y, 2)
            cores.add_processor(x, y, 3)
        self.txrx.execute_flood(cores, built_in("spike-sink", 0, 0, 0, 0, 0), APP)
        self.txrx.wait_for_cores_to_be_in_state(cores, APP, CPUState.RUNNING, timeout=20.0)
        failing = CoreSubsets()
        failing.add_processor(boards[0][0], boards[0][1], 6)
        self.txrx.execute_flood(failing, built_in("rte-test", 13, 0, 0, 0, 0), APP + 1)
        with contextlib.suppress(Exception):
            self.txrx.wait_for_cores_to_be_in_state(failing, APP + 1, CPUState.RUN_TIME_EXCEPTION, timeout=20.0)

    # -- What it sees

    def view(self):
        machine = self.details()
        version = self.txrx._get_scamp_version()
        chips = sorted(machine.chips, key=lambda c: (c.x, c.y))
        return {
            "width": machine.width, "height": machine.height, "software": version.name,
            "version": list(version.version_number),
            "chips": [self.chip(chip) for chip in chips], "tags": self.tags(),
            "routes": {f"{c.x},{c.y}": self.routes(c) for c in chips if self.routes(c)},
            "heaps": {f"{c.x},{c.y}": self.heap(c) for c in chips},
            "cores": self.cores(), "texts": self.texts(),
            "sums": {f"{c.x},{c.y}": self.sum(c) for c in chips},
        }

    def chip(self, chip):
        return {
            "x": chip.x, "y": chip.y, "links": sorted(link.source_link_id for link in chip.router.links),
            "freeSDRAM": chip.sdram, "freeRoutingEntries": chip.router.n_available_multicast_entries,
            "ethernet": [chip.nearest_ethernet_x, chip.nearest_ethernet_y], "address": chip.ip_address,
            "parentLink": chip.parent_link, "cores": chip.n_processors,
        }

    def tags(self):
        from spinn_machine.tags import ReverseIPTag
        boards = {c.ip_address: [c.x, c.y] for c in self.machine.ethernet_connected_chips}
        tags = []
        # Above 7 are the transient ones, one of which holds the request itself.
        for tag in (tag for tag in self.txrx.get_tags() if tag.tag < 8):
            made = {"board": boards[tag.board_address], "number": tag.tag, "port": tag.port}
            if isinstance(tag, ReverseIPTag):
                made |= {"isReverse": True, "core": [tag.destination_x, tag.destination_y, tag.destination_p],
                         "sdpPort": tag.sdp_port}
            else:
                made |= {"isReverse": False, "address": tag.ip_address, "stripsSDP": tag.strip_sdp}
            # SpiNNMan has two connections to the board that it was given, and asks both.
            if made not in tags:
                tags.append(made)
        return sorted(tags, key=lambda tag: (tag["board"], tag["number"]))

    def routes(self, chip):
        return [{"key": r.key, "mask": r.mask, "links": sorted(r.link_ids), "cores": sorted(r.processor_ids)}
                for r in self.txrx.get_multicast_routes(chip.x, chip.y)]

    def heap(self, chip):
        blocks = []
        for block in self.txrx.get_heap(chip.x, chip.y):
            made = {"address": block.block_address, "size": block.size}
            if not block.is_free:
                made |= {"application": block.app_id, "tag": block.tag}
            blocks.append(made)
        return blocks

    def cores(self):
        from spinn_machine import CoreSubsets
        # Left to itself it asks those cores only that were idle when it looked at the machine.
        every = CoreSubsets()
        for chip in self.machine.chips:
            for p in range(self.working[chip.x, chip.y]):
                every.add_processor(chip.x, chip.y, p)
        infos = self.txrx.get_cpu_infos(every)
        cores = []
        for xyp in sorted(infos):
            info = infos.get_cpu_info(*xyp)
            cores.append({
                "x": xyp[0], "y": xyp[1], "p": xyp[2], "state": info.state.value, "application": info.application_id,
                "name": info.application_name, "user": list(info.user)})
        return cores

    def texts(self):
        from spinn_machine import CoreSubsets
        from spinnman.model.enums import CPUState
        busy = CoreSubsets()
        for core in self.cores():
            if core["p"] != 0 and core["state"] != CPUState.IDLE.value:
                busy.add_processor(core["x"], core["y"], core["p"])
        if not len(busy):
            return {}
        return {f"{b.x},{b.y},{b.p}": b.iobuf for b in self.txrx.get_iobuf(busy)}

    def sum(self, chip):
        data = bytes(self.txrx.read_memory(chip.x, chip.y, *SUMMED))
        return sum(struct.unpack(f"<{len(data) // 4}I", data)) & 0xFFFFFFFF


def comparable(view):
    """Of our view, what SpiNNMan has a name for too."""
    for chip in view["chips"]:
        cores = chip.pop("applicationCores")
        chip["cores"] = len(cores) + 1
        chip.setdefault("address", None)
        chip.setdefault("parentLink", None)
    for tag in view["tags"]:
        if tag["isReverse"]:
            # SpiNNMan does not say where a reverse tag's answers go.
            del tag["address"], tag["stripsSDP"]
    view["tags"].sort(key=lambda tag: (tag["board"], tag["number"]))
    view["cores"].sort(key=lambda core: (core["x"], core["y"], core["p"]))
    return view


def differences(path, theirs, ours):
    """Every place where two JSON values are not the same."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from differences(f"{path}.{key}", theirs.get(key), ours.get(key))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, (one, other) in enumerate(zip(theirs, ours)):
            yield from differences(f"{path}[{i}]", one, other)
    elif theirs != ours:
        yield f"{path}: SpiNNMan sees {theirs!r}, we see {ours!r}"


def compare(*options, version=5):
    """Yields what they do not agree about, with the turn it was in."""
    with simulator(*options) as sim:
        with contextlib.closing(Stock(sim, version)) as stock:
            turns = [("booted by SpiNNMan", lambda: None), ("after SpiNNMan's turn", stock.disturb),
                     ("after our turn", lambda: ours("tour", sim.boards[0]))]
            for name, turn in turns:
                complaints = turn()
                for complaint in complaints or []:
                    yield f"{name}: {complaint}"
                for difference in differences("", stock.view(), comparable(our_view(sim))):
                    yield f"{name}: {difference}"


def main():
    found = 0
    for difference in compare(*(sys.argv[1:] or ("1x1", "--powered"))):
        print(difference)
        found += 1
    print(f"{found} differences")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
