# SPDX-License-Identifier: Apache-2.0
"""SpiNNMan's own board and job tests, unchanged, against virtual boards and our service.

Only with SPINNMAN_SOURCE naming a checkout of SpiNNMan 7.4.1 (its package has no tests). All that is done to them is to tell
them where a board is, and where a service is: they would look in Manchester.
"""
import os
import subprocess
import sys
import unittest

from demo_service import demo_service, trust
from simulator import simulator

SOURCE = os.environ.get("SPINNMAN_SOURCE", "")
BOARD = """
import sys, unittest
from spinn_utilities.config_holder import set_config
from spinnman.board_test_configuration import BoardTestConfiguration
def here(self, version=None):
    self.remotehost = sys.argv[1]
    set_config("Machine", "version", sys.argv[2])
BoardTestConfiguration.set_up_remote_board = here
import unittests.test_transceiver as module
sys.exit(not unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromModule(module)).wasSuccessful())
"""
JOB = """
import sys, unittest
import spinnman_integration_tests.test_job as module
stock = module.SpallocClient
module.SpallocClient = lambda url: stock(*sys.argv[1:4])
result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromModule(module))
sys.exit(not result.wasSuccessful() or bool(result.skipped))
"""


@unittest.skipUnless(SOURCE, "set SPINNMAN_SOURCE to a checkout of SpiNNMan 7.4.1")
class SpiNNManOwnTest(unittest.TestCase):
    def run_theirs(self, script, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], cwd=SOURCE, text=True, timeout=200, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])

    def test_boards(self):
        for machine, version in (("spinn5", "5"), ("spinn3", "3")):
            with self.subTest(machine), simulator(machine, "--powered") as sim:
                self.run_theirs(BOARD, sim.boards[0], version)

    def test_a_job(self):
        with demo_service("--boot-time-scale", "0") as demo:
            trust(demo)
            self.run_theirs(JOB, demo["url"], demo["user"], demo["password"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
