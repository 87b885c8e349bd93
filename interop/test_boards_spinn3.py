# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan transceiver against one SpiNN-3 board."""
import unittest

from boards import BoardsTest


class SpiNN3Test(BoardsTest, unittest.TestCase):
    OPTIONS = ("spinn3", "--powered")
    VERSION = 3
    SIZE = (2, 2)
    CHIPS = 4
    SAMPLE = ((0, 0), (0, 1), (1, 0), (1, 1))

    @classmethod
    def connect(cls):
        from spinnman.transceiver import create_transceiver_from_hostname
        return create_transceiver_from_hostname(cls.sim.boards[0], extended=True)

    def test_links_that_the_firmware_leaves(self):
        links = {(c.x, c.y): sorted(link.source_link_id for link in c.router.links) for c in self.machine.chips}
        self.assertEqual(links, {(0, 0): [0, 1, 2, 5], (0, 1): [0, 2, 5], (1, 0): [2, 3, 5], (1, 1): [2, 3, 4, 5]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
