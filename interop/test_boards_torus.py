# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan transceiver against 48 boards, 4 by 4 triads that wrap round in both directions."""
import unittest

from boards import BoardsTest


class TorusTest(BoardsTest, unittest.TestCase):
    OPTIONS = ("4x4", "--powered")
    SIZE = (48, 48)
    CHIPS = 48 * 48
    ETHERNETS = tuple(
        (12 * x + dx, 12 * y + dy) for x in range(4) for y in range(4) for dx, dy in ((0, 0), (8, 4), (4, 8)))
    SAMPLE = ((0, 0), (47, 47), (24, 5), (13, 40), (1, 11))

    def test_it_wraps(self):
        self.assertEqual(self.machine.wrap, "Wrapped")
        for (x, y), link, there in (((0, 5), 3, (47, 5)), ((5, 0), 5, (5, 47)), ((47, 3), 1, (0, 4))):
            end = self.machine[x, y].router.get_link(link)
            self.assertEqual((end.destination_x, end.destination_y), there)

    def test_two_frames(self):
        frames = {board.rsplit(".", 1)[0] for board in self.sim.boards}
        self.assertEqual(len(frames), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
