# SPDX-License-Identifier: Apache-2.0
"""Power through a frame's BMP, as the stock SpiNNMan asks for it."""
import unittest

from boards import BoardsTest
from simulator import simulator
from test_boards_spinn5 import acts_and_fails


class PowerTest(unittest.TestCase):
    def test_a_mask_of_boards(self):
        from spinnman.messages.scp.enums import PowerCommand
        from spinnman.model import BMPConnectionData
        from spinnman.transceiver import create_transceiver_from_hostname
        with simulator("2x1") as sim:
            BoardsTest.configure()

            def power(command, boards):
                txrx = create_transceiver_from_hostname(
                    sim.boards[0], bmp_connection_data=BMPConnectionData(sim.bmp, boards, None),
                    ensure_board_is_ready=False)
                try:
                    acts_and_fails(lambda: txrx._power(command))
                finally:
                    txrx.close()

            self.assertEqual(sim.board_states(), ["off"] * 6)
            power(PowerCommand.POWER_ON, [0, 2, 5])
            self.assertEqual(sim.board_states(), ["on", "off", "on", "off", "off", "on"])
            power(PowerCommand.POWER_OFF, [2, 3])
            self.assertEqual(sim.board_states(), ["on", "off", "off", "off", "off", "on"])

    def test_power_off_takes_what_ran_and_power_on_lets_it_be_booted(self):
        class Machine(BoardsTest):
            OPTIONS = ("spinn5", "--powered")
        Machine.setUpClass()
        try:
            sim, txrx = Machine.sim, Machine.txrx
            txrx.write_memory(1, 1, 0x60300000, 0x12345678)
            sim.tell("power", "cycle", "all")
            self.assertEqual(sim.board_states(), ["on"])
            txrx.ensure_board_is_ready()
            self.assertEqual(sim.board_states(), ["booted"])
            self.assertEqual(txrx.read_word(1, 1, 0x60300000), 0)
            # SpiNNMan asks for a machine once per run.
            Machine.configure()
            self.assertEqual(txrx.get_machine_details().n_chips, 48)
        finally:
            Machine.tearDownClass()


if __name__ == "__main__":
    unittest.main(verbosity=2)
