# SPDX-License-Identifier: Apache-2.0
"""A job's data: memory and routers by the stock SpiNNMan, fast data by plain requests before a gatherer written in Python."""
import tempfile
import unittest

from demo_service import demo_service, trust
from gatherer import GATHERER, MONITOR, Peer
from spallocd import Daemon, Rest, wait_for

ADDRESS = "127.77.0.1"
PLACE = 0x60100000


class SpiNNManDataTest(unittest.TestCase):
    def test_memory_and_routers(self):
        with demo_service() as demo:
            trust(demo)
            from spinn_utilities.config_holder import set_config
            from spinnman.config_setup import unittest_setup
            from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
            from spinnman.model.diagnostic_filter import DiagnosticFilter
            from spinnman.spalloc import SpallocClient
            unittest_setup()
            set_config("Machine", "version", "5")
            SpiNNManDataWriter.mock().set_n_required(1, None)
            with SpallocClient(demo["url"], demo["user"], demo["password"]) as client, client.create_job() as job:
                job.wait_until_ready()
                # The service never boots a board: the client does.
                transceiver = job.create_transceiver()
                try:
                    data = bytes(i * 11 & 0xFF for i in range(20_001))
                    job.write_data(2, 3, PLACE + 1, data)
                    self.assertEqual(bytes(job.read_data(2, 3, PLACE + 1, len(data))), data)
                    self.assertEqual(bytes(transceiver.read_memory(2, 3, PLACE + 1, len(data))), data)
                    wanted = DiagnosticFilter(
                        enable_interrupt_on_counter_event=False, match_emergency_routing_status_to_incoming_packet=False,
                        destinations=[], sources=[], payload_statuses=[], default_routing_statuses=[],
                        emergency_routing_statuses=[], packet_types=[])
                    job.reset_routing({14: wanted})
                    word = int.from_bytes(bytes(job.read_data(2, 3, 0xE1000200 + 4 * 14, 4)), "little")
                    self.assertEqual(word, wanted.filter_word & 0xFFFFFFFF)
                finally:
                    transceiver.close()


class FastDataTest(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="spalloc-data-"))
        self.peer = self.enterContext(Peer(ADDRESS, loss=0.02))
        ready = {
            "machine": "1x1", "boards": [{"board": [0, 0, 0], "physical": [0, 0, 0], "address": ADDRESS}],
            "bmps": [{"cabinet": 0, "frame": 0, "address": ADDRESS}]}
        self.daemon = Daemon(self.directory, ready)
        self.daemon.start()
        self.addCleanup(self.daemon.kill)
        self.rest = Rest(self.daemon.url)
        self.job = self.rest.create(1)
        wait_for("the job", lambda: self.rest.state(self.job) == "READY")

    def route(self, **changed):
        return {"gather_x": 0, "gather_y": 0, "gather_p": GATHERER, "eth_x": 0, "eth_y": 0, "eth_address": ADDRESS, "iptag": 4,
                "x": 2, "y": 1, "p": MONITOR, "address": PLACE, **changed}

    def test_there_and_back_through_loss(self):
        data = bytes(i * 13 + (i >> 8) & 0xFF for i in range(150_003))
        path = f"jobs/{self.job}/fast-data-"
        octets = {"Content-Type": "application/octet-stream"}
        reply = self.rest.call("POST", path + "write", params=self.route(address=PLACE + 2), data=data, headers=octets)
        self.assertEqual(reply.status_code, 202)
        self.assertEqual(self.peer.read((2, 1), PLACE + 1, len(data) + 2), b"\0" + data + b"\0")
        reply = self.rest.call("GET", path + "read", params=self.route(address=PLACE + 2, size=len(data)))
        self.assertEqual(reply.content, data)

    def test_other_addresses_are_refused(self):
        for address in ("127.77.0.2", "10.0.0.1", "localhost"):
            reply = self.rest.http.get(
                f"{self.rest.url}jobs/{self.job}/fast-data-read", params=self.route(eth_address=address, size=4), timeout=10)
            self.assertEqual(reply.status_code, 400, reply.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
