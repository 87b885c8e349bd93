# SPDX-License-Identifier: Apache-2.0
"""`spallocd` killed with SIGKILL and started again on the same database: no job is lost, no board is in two of them, and what
the boards' power is to be and what it is agree in the end. The boards are a simulator's, so they live on meanwhile."""
import contextlib
import random
import struct
import tempfile
import time
import unittest

import requests
import websocket

from simulator import simulator
from spallocd import Daemon, Rest, wait_for


class RestartTest(unittest.TestCase):
    @contextlib.contextmanager
    def service(self, **settings):
        with tempfile.TemporaryDirectory(prefix="spalloc-restart-") as directory, simulator() as machine:
            daemon = Daemon(directory, machine.ready, **settings)
            daemon.start()
            try:
                yield machine, daemon, Rest(daemon.url)
            finally:
                daemon.kill()

    def power(self, machine):
        """Which boards really are on, by address."""
        states = machine.board_states()
        self.assertEqual(len(states), len(machine.boards))
        return {address: state != "off" for address, state in zip(machine.boards, states)}

    def check_consistent(self, daemon):
        """What holds at any moment, whatever has just been killed."""
        self.assertEqual(daemon.query("PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(daemon.query("PRAGMA foreign_key_check"), [])
        self.assertEqual(daemon.query(
            "SELECT board_id FROM job_board WHERE released_at IS NULL GROUP BY board_id HAVING count(*) > 1"), [])
        # A job that is over, or not begun, has no boards but those that are being switched off.
        self.assertEqual(daemon.query(
            "SELECT job.id FROM job_board JOIN job ON job.id = job_id "
            "WHERE released_at IS NULL AND NOT releasing AND state IN ('QUEUED', 'DESTROYED')"), [])
        self.assertEqual(daemon.query("SELECT address FROM board WHERE NOT functioning"), [])

    def settle(self, machine, daemon):
        """Waits until there is nothing more to be switched; then wish, knowledge and reality are one."""
        wait_for("all power commands done", lambda: daemon.query("SELECT count(*) FROM power_change") == [(0,)])
        self.check_consistent(daemon)
        held = {address for (address,) in daemon.query(
            "SELECT address FROM job_board JOIN board ON board.id = board_id WHERE released_at IS NULL")}
        known = {address: bool(on) for address, on in daemon.query("SELECT address, powered FROM board")}
        real = self.power(machine)
        self.assertEqual(known, real)
        self.assertEqual({address for address, on in real.items() if on}, held)

    def test_a_ready_job_is_as_it_was(self):
        with self.service() as (machine, daemon, rest):
            job = rest.create(2)
            rest.wait(job, "READY")
            before, boards = rest.job(job), rest.machine(job)
            power = self.power(machine)
            self.assertEqual(sum(power.values()), 2)

            daemon.restart()

            # By the session of before: the user need not even log in again.
            after = rest.job(job)
            for moving in ("keep-alive-time",):
                self.assertGreaterEqual(after.pop(moving), before.pop(moving))
            self.assertEqual(after, before)
            self.assertEqual(after["state"], "READY")
            self.assertEqual(rest.machine(job), boards)
            self.assertEqual(rest.call("GET", f"jobs/{job}/machine/power").json(), {"power": "ON"})
            self.assertEqual(self.power(machine), power)
            self.check_consistent(daemon)

            # All that can be done with a job can be done with it.
            kept = rest.job(job)["keep-alive-time"]
            limit = time.monotonic() + 10
            while rest.job(job)["keep-alive-time"] == kept:
                # Told in whole seconds.
                self.assertLess(time.monotonic(), limit, "the keepalive does not move")
                rest.call("PUT", f"jobs/{job}/keepalive", data="alive", headers={"content-type": "text/plain"})
                time.sleep(0.05)
            with contextlib.closing(websocket.create_connection(
                    after["proxy-ref"], cookie=rest.cookies(), origin="http://127.0.0.1", timeout=30)) as proxy:
                proxy.send_binary(struct.pack("<5I", 0, 7, 0, 0, 17893))
                self.assertEqual(struct.unpack("<3I", proxy.recv())[:2], (0, 7))
            rest.call("POST", f"jobs/{job}/machine/power", json={"power": "OFF"})
            wait_for("boards off", lambda: not any(self.power(machine).values()))
            rest.wait(job, "READY")
            rest.call("POST", f"jobs/{job}/machine/power", json={"power": "ON"})
            wait_for("boards on", lambda: self.power(machine) == power)
            rest.wait(job, "READY")

            # The third board is free, and only that.
            other = rest.create(1)
            rest.wait(other, "READY")
            mine = {tuple(place) for place in boards["boards"]}
            self.assertNotIn(tuple(rest.machine(other)["boards"][0]), mine)

            rest.destroy(job)
            rest.destroy(other)
            wait_for("boards off", lambda: not any(self.power(machine).values()))
            self.settle(machine, daemon)

    def test_a_queue_keeps_its_order(self):
        with self.service() as (machine, daemon, rest):
            first = rest.create(3)
            rest.wait(first, "READY")
            second, third = rest.create(3), rest.create(3)
            daemon.restart()
            self.assertEqual([rest.state(job) for job in (first, second, third)], ["READY", "QUEUED", "QUEUED"])
            rest.destroy(first)
            rest.wait(second, "READY")
            daemon.restart()
            self.assertEqual([rest.state(job) for job in (first, second, third)], ["DESTROYED", "READY", "QUEUED"])
            rest.destroy(second)
            rest.wait(third, "READY")
            self.settle(machine, daemon)
            self.assertEqual(rest.create(1), third + 1)

    def test_killed_while_boards_wait_to_be_switched_on(self):
        # Boards that were on a moment ago rest first: the job is in POWER, and they are off.
        with self.service(power={"off-wait": 3}) as (machine, daemon, rest):
            job = rest.create(3)
            rest.wait(job, "READY")
            rest.destroy(job)
            wait_for("boards off", lambda: not any(self.power(machine).values()))
            job = rest.create(3)
            rest.wait(job, "POWER")
            self.assertFalse(any(self.power(machine).values()))
            daemon.restart()
            self.assertIn(rest.state(job), ("POWER", "READY"))
            rest.wait(job, "READY")
            self.settle(machine, daemon)
            self.assertEqual(sum(self.power(machine).values()), 3)

    def test_killed_while_boards_are_switched_on(self):
        # They are on, and the service has not yet looked whether they came up well.
        with self.service(power={"off-wait": 0, "settle": 1}) as (machine, daemon, rest):
            job = rest.create(3)
            wait_for("boards on", lambda: all(self.power(machine).values()))
            self.assertEqual(rest.state(job), "POWER")
            daemon.restart()
            rest.wait(job, "READY")
            self.settle(machine, daemon)
            # And again, but this time the job ends while they come up.
            rest.destroy(job)
            wait_for("boards off", lambda: not any(self.power(machine).values()))
            job = rest.create(3)
            wait_for("boards on", lambda: all(self.power(machine).values()))
            rest.destroy(job)
            daemon.restart()
            self.assertEqual(rest.state(job), "DESTROYED")
            wait_for("boards off", lambda: not any(self.power(machine).values()))
            self.settle(machine, daemon)

    def test_killed_right_after_a_destroy(self):
        with self.service() as (machine, daemon, rest):
            for _ in range(5):
                job = rest.create(3)
                rest.wait(job, "READY")
                rest.destroy(job)
                daemon.restart()
                self.assertEqual(rest.state(job), "DESTROYED")
                self.assertEqual(rest.job(job)["reason"], "test")
                wait_for("boards off", lambda: not any(self.power(machine).values()))
                self.settle(machine, daemon)

    def test_killed_at_any_moment(self):
        """A user at work, and a service that dies every now and then: what was answered is true."""
        chance = random.Random(17)
        with self.service(power={"off-wait": 0, "settle": 0.05}) as (machine, daemon, rest):
            live, over = set(), set()
            for _ in range(8):
                for _ in range(chance.randrange(1, 5)):
                    if live and chance.random() < 0.4:
                        job = chance.choice(sorted(live))
                        live.remove(job)
                        over.add(job)
                        rest.destroy(job)
                    else:
                        job = rest.create(chance.choice((1, 1, 2, 3)))
                        self.assertNotIn(job, live | over)
                        live.add(job)
                # At any point of what these have set going.
                time.sleep(chance.random() * 0.3)
                daemon.kill()
                self.check_consistent(daemon)
                daemon.start()
                self.assertEqual(rest.live_jobs(), live)
                for job in over:
                    self.assertEqual(rest.state(job), "DESTROYED")
            self.settle(machine, daemon)
            # In their turn all get what they asked for.
            for job in sorted(live):
                rest.wait(job, "READY")
                self.settle(machine, daemon)
                rest.destroy(job)
            wait_for("boards off", lambda: not any(self.power(machine).values()))
            self.settle(machine, daemon)

    def test_asked_to_stop_it_leaves_jobs_alone(self):
        with self.service() as (machine, daemon, rest):
            job = rest.create(1)
            rest.wait(job, "READY")
            self.assertEqual(daemon.stop(), 0)
            with self.assertRaises(requests.ConnectionError):
                rest.state(job)
            self.assertEqual(sum(self.power(machine).values()), 1)
            daemon.start()
            self.assertEqual(rest.state(job), "READY")
            self.settle(machine, daemon)


if __name__ == "__main__":
    unittest.main(verbosity=2)
