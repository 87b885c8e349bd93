# SPDX-License-Identifier: Apache-2.0
"""`spallocd` killed with SIGKILL at random moments while several users create, switch and end jobs: 40 times, or SPALLOC_KILLS times.
After each start no job is lost that a user was told of, none that is over lives again, no board is in two jobs, and once the load rests
the boards' power is what it is to be, as their BMPs and the simulator say."""
import os
import random
import tempfile
import threading
import time
import unittest

import requests

from simulator import simulator
from spallocd import Daemon, Rest, wait_for

KILLS = int(os.environ.get("SPALLOC_KILLS", "40"))
SEED = int(os.environ.get("SPALLOC_SEED", "61474"))
WORKERS = 3
# With more jobs than these a user ends one rather than create one.
JOBS_EACH = 6


class Worker(threading.Thread):
    """A user at work while `gate` is open. What the service has answered is in `live` and `over`; what it was asked without an answer
    may have happened or not, and is in `doubtful`."""

    def __init__(self, url, seed, gate):
        super().__init__(daemon=True)
        self.rest, self.chance, self.gate = Rest(url), random.Random(seed), gate
        self.live, self.over, self.doubtful = set(), set(), set()
        self.answers = 0
        self.idle = threading.Event()
        self.failure = None
        self.stopping = False

    def run(self):
        try:
            while not self.stopping:
                if not self.gate.is_set():
                    self.idle.set()
                    self.gate.wait(1)
                    continue
                self.idle.clear()
                try:
                    self.act()
                    self.answers += 1
                except requests.RequestException:
                    # The service is dead: until it is back.
                    time.sleep(0.01)
        except BaseException as failure:
            self.failure = failure
        finally:
            self.idle.set()

    def act(self):
        choice = self.chance.random()
        if not self.live or (choice < 0.45 and len(self.live) < JOBS_EACH):
            self.live.add(self.rest.create(self.chance.choice((1, 1, 2, 3))))
            return
        job = self.chance.choice(sorted(self.live))
        if choice < 0.75:
            self.live.remove(job)
            self.doubtful.add(job)
            self.rest.destroy(job)
            self.doubtful.remove(job)
            self.over.add(job)
        elif choice < 0.9:
            self.rest.call("POST", f"jobs/{job}/machine/power", json={"power": self.chance.choice(("ON", "OFF"))})
        else:
            self.rest.call("PUT", f"jobs/{job}/keepalive", data="alive", headers={"content-type": "text/plain"})


class KillsTest(unittest.TestCase):
    def test_killed_at_random_moments_under_load(self):
        with tempfile.TemporaryDirectory(prefix="spalloc-kills-") as directory, simulator("2x2") as machine:
            daemon = Daemon(directory, machine.ready, power={"off-wait": 0, "settle": 0.02})
            daemon.start()
            gate = threading.Event()
            workers = [Worker(daemon.url, SEED + number, gate) for number in range(WORKERS)]
            try:
                for worker in workers:
                    worker.start()
                self.kill_and_look(machine, daemon, workers, gate)
            finally:
                for worker in workers:
                    worker.stopping = True
                gate.set()
                for worker in workers:
                    worker.join(30)
                daemon.kill()

    def kill_and_look(self, machine, daemon, workers, gate):
        chance, started = random.Random(SEED), time.monotonic()
        slowest = 0.0
        for number in range(KILLS):
            gate.set()
            # At any point of what the users have set going, and of what the last start had left over.
            time.sleep(chance.random() ** 2 * 0.4)
            daemon.kill()
            gate.clear()
            for worker in workers:
                self.assertTrue(worker.idle.wait(60), "a user still waits for an answer")
                self.assertIsNone(worker.failure)
            self.check_file(daemon, number)
            begun = time.monotonic()
            if chance.random() < 0.15:
                # And once more, while it starts.
                self.killed_while_starting(daemon, chance.random() * 0.1)
                begun = time.monotonic()
            daemon.start()
            slowest = max(slowest, time.monotonic() - begun)
            self.check_jobs(daemon, workers, number)
            self.settle(machine, daemon, number)
        answers = sum(worker.answers for worker in workers)
        print(f"{KILLS} kills in {time.monotonic() - started:.0f} s, {answers} requests answered, "
              f"{sum(len(worker.over) for worker in workers)} jobs ended; slowest start {slowest:.2f} s")
        self.assertGreater(answers, KILLS, "there was no load")

    @staticmethod
    def killed_while_starting(daemon, after):
        waiting = threading.Timer(after, lambda: daemon.process and daemon.process.kill())
        waiting.start()
        try:
            daemon.start()
        except RuntimeError:
            pass
        waiting.join()
        daemon.kill()

    def check_file(self, daemon, number):
        """What holds at any moment, whatever has just been killed."""
        def nothing(sql):
            self.assertEqual(daemon.query(sql), [], f"after kill {number}")
        self.assertEqual(daemon.query("PRAGMA integrity_check"), [("ok",)])
        nothing("PRAGMA foreign_key_check")
        nothing("SELECT board_id FROM job_board WHERE released_at IS NULL GROUP BY board_id HAVING count(*) > 1")
        nothing("SELECT job.id FROM job_board JOIN job ON job.id = job_id "
                "WHERE released_at IS NULL AND NOT releasing AND state IN ('QUEUED', 'DESTROYED')")
        nothing("SELECT address FROM board WHERE NOT functioning")

    def check_jobs(self, daemon, workers, number):
        states = dict(daemon.query("SELECT id, state FROM job"))
        for worker in workers:
            for job in worker.live:
                self.assertIn(states.get(job), ("QUEUED", "POWER", "READY"), f"job {job} after kill {number}")
            for job in worker.over:
                self.assertEqual(states.get(job), "DESTROYED", f"job {job} after kill {number}")
        # By the service, and by the sessions of before: some job of each.
        for worker in workers:
            for job in sorted(worker.live)[:1]:
                self.assertNotEqual(worker.rest.state(job), "DESTROYED")

    def settle(self, machine, daemon, number):
        """Waits until there is nothing more to be switched; then wish, knowledge and reality are one."""
        wait_for("all power commands done", lambda: daemon.query("SELECT count(*) FROM power_change") == [(0,)])
        self.check_file(daemon, number)
        known = {address: bool(on) for address, on in daemon.query("SELECT address, powered FROM board")}
        real = {address: state != "off" for address, state in zip(machine.boards, machine.board_states())}
        self.assertEqual(known, real, f"after kill {number}")
        held = {address for (address,) in daemon.query(
            "SELECT address FROM job_board JOIN board ON board.id = board_id WHERE released_at IS NULL")}
        self.assertEqual({address for address, on in real.items() if on} - held, set(), "boards that are on for nobody")


if __name__ == "__main__":
    unittest.main(verbosity=2)
