# SPDX-License-Identifier: Apache-2.0
"""A stock sPyNNaker 1!7.4.1 script through our service, as far as it goes where no binary is executed.

Only with SPALLOC_INTEROP_SPYNNAKER=1; SPYNNAKER_PYTHON names a Python that has it (pip install 'sPyNNaker==1!7.4.1').
"""
import os
import subprocess
import tempfile
import unittest

from demo_service import demo_service, trust

SCRIPT = """
import pyNN.spiNNaker as sim
sim.setup(timestep=1.0)
source = sim.Population(5, sim.SpikeSourceArray([[0], [10], [15], [30, 47], [40]]), label="source")
neurons = sim.Population(5, sim.IF_curr_exp(), label="neurons")
sim.Projection(source, neurons, sim.OneToOneConnector(), sim.StaticSynapse(weight=5.0, delay=1.0))
neurons.record(["spikes", "v"])
sim.run(100)
sim.end()
"""
# What the machine does by SCP, from the first datagram to the last binary: "load". In this order.
STEPS = (
    "established job at", "Connecting to proxy on", "Found board with version", "with 48 Chips, 856 cores and 120.0 links",
    "Reset routing took", "Fixed routes took", "Load system data specification took", "Load executable system Images took",
    "Tags Loader took", "Load Application data specification took", "Neuron expander took", "Synapse expander took",
    "Routing table loader took", "Load executable app images took", "Run 1 of 1")


@unittest.skipUnless(os.environ.get("SPALLOC_INTEROP_SPYNNAKER") == "1", "takes minutes: set SPALLOC_INTEROP_SPYNNAKER=1")
class SPyNNakerTest(unittest.TestCase):
    def test_it_loads_everything(self):
        python = os.environ.get("SPYNNAKER_PYTHON", "python3")
        with demo_service("--boot-time-scale", "0") as demo, tempfile.TemporaryDirectory() as home:
            trust(demo)
            scheme, rest = demo["url"].split("://")
            with open(os.path.join(home, "spynnaker.cfg"), "w") as config:
                config.write(
                    f"[Machine]\nspalloc_server = {scheme}://{demo['user']}:{demo['password']}@{rest}\nversion = 5\n")
            # Without one in the home directory sPyNNaker makes it, and stops.
            open(os.path.join(home, ".spynnaker.cfg"), "w").close()
            done = subprocess.run(
                [python, "-c", SCRIPT], cwd=home, env=dict(os.environ, HOME=home), text=True, timeout=400,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        at = 0
        for step in STEPS:
            found = done.stdout.find(step, at)
            self.assertGreaterEqual(found, 0, f"sPyNNaker did not come to \"{step}\":\n{done.stdout[-4000:]}")
            at = found


if __name__ == "__main__":
    unittest.main(verbosity=2)
