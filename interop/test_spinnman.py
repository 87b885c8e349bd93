# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan 7.4.1 client against our service and our boards, unchanged."""
import unittest

from demo_service import demo_service, trust


class SpiNNManTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._scope = demo_service()
        cls.demo = cls._scope.__enter__()
        trust(cls.demo)
        from spinnman.config_setup import unittest_setup
        from spinn_utilities.config_holder import set_config
        unittest_setup()
        set_config("Machine", "version", "5")

    @classmethod
    def tearDownClass(cls):
        cls._scope.__exit__(None, None, None)

    def client(self):
        from spinnman.spalloc import SpallocClient
        return SpallocClient(self.demo["url"], self.demo["user"], self.demo["password"])

    def job(self, client, boards):
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        SpiNNManDataWriter.mock().set_n_required(boards, None)
        return client.create_job()

    def test_wrong_password(self):
        from spinnman.spalloc import SpallocClient
        with self.assertRaises(Exception) as caught:
            SpallocClient(self.demo["url"], self.demo["user"], "not the password")
        self.assertNotIn("not the password", str(caught.exception))

    def test_list_machines(self):
        with self.client() as client:
            machines = client.list_machines()
            self.assertEqual(len(machines), 1)
            machine = next(iter(machines.values()))
            self.assertIn("default", machine.tags)
            self.assertEqual((machine.width, machine.height), (1, 1))
            self.assertEqual(list(machine.dead_boards), [])

    def test_too_large_is_refused_at_once(self):
        with self.client() as client:
            with self.assertRaises(ValueError) as caught:
                self.job(client, 4)
            self.assertIn("board", str(caught.exception))

    def test_three_boards_from_create_to_destroy(self):
        from spinnman.spalloc import SpallocState
        from spinnman.processes import GetVersionProcess, FixedConnectionSelector
        with self.client() as client, self.job(client, 3) as job:
            job.wait_until_ready()
            self.assertEqual(job.get_state(), SpallocState.READY)

            connections = job.get_connections()
            self.assertEqual(set(connections), {(0, 0), (8, 4), (4, 8)})
            self.assertEqual(job.get_root_host(), connections[0, 0])
            self.assertEqual(set(connections.values()), set(self.demo["boards"]))
            self.assertIsNotNone(job.where_is_machine(9, 5))

            transceiver = job.create_transceiver()
            try:
                machine = transceiver.get_machine_details()
                self.assertEqual(machine.n_chips, 144)
                self.assertEqual(len(machine.ethernet_connected_chips), 3)
                self.assertEqual((machine.width, machine.height), (12, 12))

                with job.connect_to_board(8, 4) as board:
                    version = GetVersionProcess(FixedConnectionSelector(board)).get_version(8, 4, 0)
                    self.assertEqual(version.name, "SC&MP")
                    self.assertEqual(version.hardware, "SpiNNaker")
                    self.assertEqual((version.x, version.y), (8, 4))

                data = bytes(i * 7 & 0xFF for i in range(10_000))
                for x, y in ((0, 0), (9, 5), (4, 8), (1, 11)):
                    transceiver.write_memory(x, y, 0x60240000, data)
                    self.assertEqual(bytes(transceiver.read_memory(x, y, 0x60240000, len(data))), data)
                transceiver.reset_routing()
            finally:
                transceiver.close()
        with self.client() as client:
            self.assertEqual(list(client.list_jobs()), [])

    def test_a_second_process_joins_by_the_stored_credentials(self):
        from spinnman.spalloc import SpallocClient
        with self.client() as client, self.job(client, 1) as job:
            stored = job.get_session_credentials_for_db()
            other = SpallocClient.open_job_from_database(
                stored["SPALLOC", "service uri"], stored["SPALLOC", "job uri"],
                {name: value for (kind, name), value in stored.items() if kind == "COOKIE"},
                {name: value for (kind, name), value in stored.items() if kind == "HEADER"})
            job.wait_until_ready()
            self.assertEqual(other.get_connections(), job.get_connections())


if __name__ == "__main__":
    unittest.main(verbosity=2)
