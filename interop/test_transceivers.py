# SPDX-License-Identifier: Apache-2.0
"""The stock SpiNNMan transceiver and ours see the same machine, whichever of them has worked on it."""
import unittest

from compare_transceivers import compare, differences


class TransceiversTest(unittest.TestCase):
    def test_a_difference_is_found(self):
        theirs = {"tags": [{"number": 1}], "heaps": {"0,0": [{"size": 8}]}, "cores": [1, 2]}
        self.assertEqual(list(differences("", theirs, theirs)), [])
        ours = {"tags": [{"number": 2}], "heaps": {"0,1": [{"size": 8}]}, "cores": [1]}
        self.assertEqual(len(list(differences("", theirs, ours))), 4)

    def agree(self, *options, version=5):
        self.assertEqual(list(compare(*options, version=version)), [])

    def test_spinn3(self):
        self.agree("spinn3", "--powered", version=3)

    def test_spinn5(self):
        self.agree("spinn5", "--powered")

    def test_a_triad_with_faults(self):
        self.agree(
            "1x1", "--powered", "--dead-chip", "0,0,0/3,3", "--dead-core", "0,0,1/2,2/5", "--dead-link", "0,0,0/1,2/N")


if __name__ == "__main__":
    unittest.main(verbosity=2)
