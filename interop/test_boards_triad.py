# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan transceiver against a triad: three SpiNN-5 boards that wrap round on themselves, with faults."""
import unittest

from boards import BoardsTest


class TriadTest(BoardsTest, unittest.TestCase):
    OPTIONS = ("1x1", "--powered")
    SIZE = (12, 12)
    CHIPS = 144
    ETHERNETS = ((0, 0), (8, 4), (4, 8))
    SAMPLE = ((0, 0), (9, 5), (4, 8), (1, 11))

    def test_links_that_the_firmware_drops(self):
        """Of each board's chips (4, 7), (7, 7) and (1, 0) one link, and its other end."""
        for ex, ey in self.ETHERNETS:
            for (x, y), link in (((4, 7), 2), ((7, 7), 2), ((1, 0), 4)):
                self.assertIsNone(self.machine[(ex + x) % 12, (ey + y) % 12].router.get_link(link))
        self.assertEqual(sum(len(list(c.router.links)) for c in self.machine.chips), 144 * 6 - 3 * 3 * 2)


class FaultyTriadTest(unittest.TestCase):
    """What the machine is made without, SpiNNMan does not find."""
    OPTIONS = (
        "1x1", "--powered", "--dead-board", "0,0,2", "--dead-chip", "0,0,0/3,3", "--dead-core", "0,0,1/2,2/5",
        "--dead-core", "0,0,1/2,2/6", "--dead-link", "0,0,0/1,2/N")

    def test_details(self):
        class Machine(BoardsTest):
            OPTIONS = self.OPTIONS
        Machine.setUpClass()
        try:
            machine = Machine.machine
            self.assertEqual(machine.n_chips, 2 * 48 - 1)
            self.assertEqual({(c.x, c.y) for c in machine.ethernet_connected_chips}, {(0, 0), (8, 4)})
            self.assertFalse(machine.is_chip_at(3, 3))
            self.assertEqual(machine[10, 6].n_processors, 16)
            self.assertIsNone(machine[1, 2].router.get_link(2))
            self.assertIsNone(machine[1, 3].router.get_link(5))
            self.assertIsNone(machine[2, 3].router.get_link(0))
        finally:
            Machine.tearDownClass()


if __name__ == "__main__":
    unittest.main(verbosity=2)
