# SPDX-License-Identifier: Apache-2.0
"""The stock spalloc 7.4.1 library and its command lines against our legacy port, unchanged."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from demo_service import demo_service

# Programs that are started here are interrupted here; a shell that runs the tests in the background would have them deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)

LIMIT = 60.0
# Its programs and our Python are in the same directory.
PROGRAMS = os.path.dirname(sys.executable)


class V1Test(unittest.TestCase):
    """One service for all; each test leaves it without jobs."""

    @classmethod
    def setUpClass(cls):
        cls._scope = demo_service("--v1", "--machine", "3x2", "--boot-time-scale", "0")
        cls.demo = cls._scope.__enter__()
        cls.port = cls.demo["v1_port"]
        # No configuration of whoever runs this.
        cls._home = tempfile.TemporaryDirectory(prefix="spalloc-v1-")
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_CONFIG_DIRS"] = cls._home.name
        os.environ["PATH"] = PROGRAMS + os.pathsep + os.environ["PATH"]

    @classmethod
    def tearDownClass(cls):
        cls._home.cleanup()
        cls._scope.__exit__(None, None, None)

    def tearDown(self):
        with self.client() as client:
            for job in client.list_jobs(timeout=LIMIT):
                client.destroy_job(job["job_id"], timeout=LIMIT)

    def client(self):
        from spalloc_client import ProtocolClient
        return ProtocolClient("localhost", self.port, timeout=LIMIT)

    def job(self, *what, **options):
        from spalloc_client import Job
        if "resume_job_id" not in options:
            options = {"owner": "tester", **options}
        return Job(*what, hostname="localhost", port=self.port, timeout=LIMIT, config_filenames=[], **options)

    def start(self, program, *arguments, **options):
        return subprocess.Popen(
            [os.path.join(PROGRAMS, program), "--hostname", "localhost", "--port", str(self.port), *map(str, arguments)],
            stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            **options)

    def run_program(self, program, *arguments, status=0, **options):
        process = self.start(program, *arguments, **options)
        out, err = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, status, out + err)
        return out, err


class ProtocolClientTest(V1Test):
    """Each of the seventeen commands, as the library sends it."""

    def create(self, client, *what, **options):
        options = {"owner": "tester", "keepalive": 60.0, "min_ratio": 0.333, "require_torus": False, **options}
        return client.create_job(LIMIT, *what, **options)

    def wait(self, client, job, state):
        client.notify_job(job, timeout=LIMIT)
        limit = time.monotonic() + LIMIT
        while client.get_job_state(job, timeout=LIMIT)["state"] != state:
            client.wait_for_notification(max(0.1, limit - time.monotonic()))

    def test_version_is_one_that_every_release_takes(self):
        with self.client() as client:
            version = tuple(map(int, client.version().split(".")))
            self.assertTrue((0, 4, 0) <= version < (2, 0, 0), version)

    def test_from_creation_to_destruction(self):
        from spalloc_client import JobState
        with self.client() as client:
            job = self.create(client, 2, 1)
            self.assertIsInstance(job, int)
            self.wait(client, job, JobState.ready)
            state = client.get_job_state(job)
            self.assertEqual(
                set(state), {"state", "power", "keepalive", "reason", "start_time", "keepalivehost"})
            self.assertIs(state["power"], True)
            self.assertEqual(state["keepalive"], 60.0)
            self.assertEqual(state["keepalivehost"], "127.0.0.1")
            self.assertLess(abs(state["start_time"] - time.time()), 60)

            info = client.get_job_machine_info(job)
            self.assertEqual((info["width"], info["height"]), (28, 16))
            self.assertEqual(info["machine_name"], "virtual")
            self.assertEqual(len(info["boards"]), 6)
            connections = {(x, y): host for (x, y), host in info["connections"]}
            self.assertEqual(set(connections), {(0, 0), (8, 4), (4, 8), (12, 0), (20, 4), (16, 8)})
            self.assertLessEqual(set(connections.values()), set(self.demo["boards"]))

            self.assertIsNone(client.job_keepalive(job))
            self.assertIsNone(client.power_off_job_boards(job))
            self.wait(client, job, JobState.ready)
            self.assertIs(client.get_job_state(job)["power"], False)
            self.assertIsNone(client.power_on_job_boards(job))
            self.wait(client, job, JobState.ready)
            self.assertIs(client.get_job_state(job)["power"], True)

            self.assertIsNone(client.destroy_job(job, "all done"))
            self.assertEqual(client.get_job_state(job), {
                "state": JobState.destroyed, "power": None, "keepalive": None, "reason": "all done", "start_time": None,
                "keepalivehost": None})

    def test_nothing_but_an_owner(self):
        # All else goes as null; the original server fails at this.
        with self.client() as client:
            job = client.create_job(LIMIT, 3, owner="tester")
            self.wait(client, job, 3)
            self.assertIsNone(client.get_job_state(job)["keepalive"])

    def test_unknown_jobs(self):
        with self.client() as client:
            self.assertEqual(client.get_job_state(9999)["state"], 0)
            self.assertEqual(set(client.get_job_machine_info(9999).values()), {None})
            for command in (client.job_keepalive, client.power_on_job_boards, client.power_off_job_boards, client.destroy_job):
                self.assertIsNone(command(9999))
            self.assertIsNone(client.where_is(9999, 0, 0))

    def test_refusals_leave_the_connection(self):
        from spalloc_client import SpallocServerException
        with self.client() as client:
            for call in (
                    lambda: client.call("create_job", LIMIT, 1),
                    lambda: client.call("create_job", LIMIT, 1, owner="me", tags=["default"], machine="virtual"),
                    lambda: client.call("create_job", LIMIT, 1, owner="me", colour="red"),
                    lambda: client.call("create_job", LIMIT, 1, owner="me", require_torus=True),
                    lambda: client.call("where_is", LIMIT, machine="virtual"),
                    lambda: client.call("get_job_state", LIMIT),
                    lambda: client.call("version", LIMIT, 1, 2, 3)):
                with self.assertRaises(SpallocServerException):
                    call()
            self.assertEqual(client.list_jobs(), [])
            self.assertTrue(client.version())

    def test_what_can_never_be_is_over_at_once(self):
        with self.client() as client:
            job = self.create(client, 19)
            state = client.get_job_state(job)
            self.assertEqual((state["state"], state["reason"]), (4, "Cancelled: No suitable machines available."))

    def test_a_gibbering_peer_is_hung_up_on(self):
        for text in (b"what?\n", b"{}\n", b'{"command": "make_tea"}\n', b"\xff\xfe\n"):
            with socket.create_connection(("localhost", self.port), LIMIT) as peer:
                peer.sendall(text)
                self.assertEqual(peer.recv(100), b"")
        with self.client() as client:
            self.assertTrue(client.version())

    def test_lists(self):
        with self.client() as client:
            machine, = client.list_machines()
            self.assertEqual(machine, {
                "name": "virtual", "tags": ["default"], "width": 3, "height": 2, "dead_boards": [], "dead_links": []})
            first = self.create(client, 3, 2, owner="a", keepalive=None)
            self.wait(client, first, 3)
            second = self.create(client, 4, owner="b", max_dead_boards=0)
            jobs = client.list_jobs()
            self.assertEqual([job["job_id"] for job in jobs], [first, second])
            self.assertEqual([job["owner"] for job in jobs], ["a", "b"])
            self.assertEqual([job["state"] for job in jobs], [3, 1])
            self.assertEqual([job["power"] for job in jobs], [True, None])
            self.assertEqual([job["keepalive"] for job in jobs], [None, 60.0])
            self.assertEqual([job["args"] for job in jobs], [[3, 2], [4]])
            self.assertEqual([job["allocated_machine_name"] for job in jobs], ["virtual", None])
            self.assertEqual(len(jobs[0]["boards"]), 18)
            self.assertIsNone(jobs[1]["boards"])
            self.assertEqual(jobs[1]["kwargs"], {
                "machine": None, "tags": None, "min_ratio": 0.333, "max_dead_boards": 0, "max_dead_links": None,
                "require_torus": False})

    def test_places(self):
        with self.client() as client:
            for board in ([0, 0, 0], [2, 1, 2]):
                place = client.get_board_position("virtual", *board)
                self.assertEqual(client.get_board_at_position("virtual", *place), board)
            self.assertIsNone(client.get_board_position("virtual", 3, 0, 0))
            self.assertIsNone(client.get_board_at_position("elsewhere", 0, 0, 0))
            job = self.create(client, 1, 1, 2)
            self.wait(client, job, 3)
            of_job = client.where_is(job, 3, 4)
            self.assertEqual(of_job["logical"], [1, 1, 2])
            self.assertEqual((of_job["board_chip"], of_job["job_chip"], of_job["job_id"]), ([3, 4], [3, 4], job))
            cabinet, frame, board = of_job["physical"]
            x, y = of_job["chip"]
            self.assertEqual(client.call("where_is", LIMIT, machine="virtual", chip_x=x, chip_y=y), of_job)
            for asked in ({"x": 1, "y": 1, "z": 2}, {"cabinet": cabinet, "frame": frame, "board": board}):
                place = client.call("where_is", LIMIT, machine="virtual", **asked)
                self.assertEqual((place["logical"], place["job_id"], place["job_chip"]), ([1, 1, 2], job, [0, 0]))
            self.assertIsNone(client.where_is(job, 9, 9))

    def test_notifications(self):
        from spalloc_client import ProtocolTimeoutError
        with self.client() as watcher, self.client() as client:
            watcher.notify_machine("virtual", timeout=LIMIT)
            job = self.create(client)
            self.assertEqual(watcher.wait_for_notification(LIMIT), {"machines_changed": ["virtual"]})
            watcher.no_notify_machine("virtual", timeout=LIMIT)
            self.wait(client, job, 3)
            watcher.notify_job(job, timeout=LIMIT)
            client.destroy_job(job)
            while watcher.wait_for_notification(LIMIT) != {"jobs_changed": [job]}:
                pass
            watcher.no_notify_job(timeout=LIMIT)
            watcher.no_notify_machine(timeout=LIMIT)
            self.create(client)
            while watcher.wait_for_notification(-1) is not None:
                pass
            with self.assertRaises(ProtocolTimeoutError):
                watcher.wait_for_notification(0.2)

    def test_notifications_do_not_stall(self):
        """The original's 40 ms between a reply and its notification."""
        with self.client() as client:
            client.notify_job(timeout=LIMIT)
            times = []
            for _ in range(15):
                job = self.create(client, 3, 2)
                self.wait(client, job, 3)
                start = time.monotonic()
                client.destroy_job(job)
                while {"jobs_changed": [job]} != client.wait_for_notification(LIMIT):
                    pass
                times.append(time.monotonic() - start)
            self.assertLess(sorted(times)[len(times) // 2], 0.035)

    def test_keepalive(self):
        with self.client() as client:
            short = self.create(client, keepalive=0.5)
            kept = self.create(client, keepalive=0.5)
            client.notify_job(short)
            limit = time.monotonic() + LIMIT
            while any(job["job_id"] == short for job in client.list_jobs()):
                self.assertLess(time.monotonic(), limit)
                client.job_keepalive(kept)
                time.sleep(0.05)
            self.assertEqual(client.get_job_state(short)["reason"], "Job timed out.")
            self.assertNotEqual(client.get_job_state(kept)["state"], 4)

    def test_thirty_threads(self):
        errors = []

        def work():
            try:
                with self.client() as client:
                    for _ in range(3):
                        job = self.create(client)
                        self.wait(client, job, 3)
                        client.destroy_job(job)
            except BaseException as error:  # pylint: disable=broad-except
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        with self.client() as client:
            self.assertEqual(client.list_jobs(), [])


class JobTest(V1Test):
    """The library's Job, with its keepalive process."""

    def test_as_a_scope(self):
        from spalloc_client import JobState
        with self.job(4) as job:
            self.assertEqual(job.state, JobState.ready)
            self.assertIs(job.power, True)
            self.assertIsNone(job.reason)
            self.assertIn(job.hostname, self.demo["boards"])
            self.assertEqual(job.hostname, job.connections[0, 0])
            self.assertGreaterEqual(len(job.boards), 4)
            self.assertEqual(len(job.boards), len(job.connections))
            self.assertEqual({job.width, job.height}, {16, 28})
            self.assertEqual(job.machine_name, "virtual")
            self.assertEqual(len(job.where_is_machine(0, 0)), 3)
            job.set_power(False)
            job.wait_until_ready(timeout=LIMIT)
            self.assertIs(job.power, False)
            job.reset()
            job.wait_until_ready(timeout=LIMIT)
            self.assertIs(job.power, True)
            number = job.id
        with self.client() as client:
            self.assertEqual(client.get_job_state(number)["state"], JobState.destroyed)

    def test_a_whole_machine_is_a_torus(self):
        with self.job(3, 2, require_torus=True) as job:
            self.assertEqual((job.width, job.height), (36, 24))
            self.assertEqual(len(job.boards), 18)

    def test_what_can_never_be(self):
        from spalloc_client import JobDestroyedError
        with self.assertRaises(JobDestroyedError) as caught:
            with self.job(100):
                self.fail("it can not be")
        self.assertIn("No suitable machines available.", str(caught.exception))

    def test_the_queue(self):
        from spalloc_client import JobState, StateChangeTimeoutError
        first = self.job(3, 2)
        second = self.job(3, 2)
        try:
            first.wait_until_ready(timeout=LIMIT)
            self.assertEqual(second.state, JobState.queued)
            with self.assertRaises(StateChangeTimeoutError):
                second.wait_until_ready(timeout=0.3)
            first.destroy("make room")
            second.wait_until_ready(timeout=LIMIT)
            self.assertEqual(len(second.boards), 18)
        finally:
            second.destroy()

    def test_the_keepalive_process_keeps_it_alive(self):
        with self.job(keepalive=1.0) as job:
            number = job.id
            time.sleep(2.5)
            with self.client() as client:
                self.assertEqual([entry["job_id"] for entry in client.list_jobs()], [number])

    def test_resuming(self):
        from spalloc_client import JobDestroyedError
        job = self.job(keepalive=30.0)
        job.wait_until_ready(timeout=LIMIT)
        hosts = job.connections
        job.close()
        again = self.job(resume_job_id=job.id)
        self.assertEqual(again.connections, hosts)
        again.destroy("enough")
        with self.assertRaises(JobDestroyedError) as caught:
            self.job(resume_job_id=job.id)
        self.assertIn("enough", str(caught.exception))


class ProgramTest(V1Test):
    """spalloc, spalloc-ps, spalloc-job, spalloc-machine and spalloc-where-is, as users type them."""

    def test_spalloc_runs_a_command(self):
        out, err = self.run_program("spalloc", "--owner", "tester", 3, 2, "-c", "echo", "{}", "{w}", "{h}", "{id}")
        host, width, height, number = out.split()
        self.assertIn(host, self.demo["boards"])
        # All of the machine: it wraps around.
        self.assertEqual((width, height), ("36", "24"))
        self.assertIn(f"Job {number}: Ready!", err)
        with self.client() as client:
            self.assertEqual(client.get_job_state(int(number))["state"], 4)

    def test_spalloc_gives_the_status_of_the_command(self):
        self.run_program("spalloc", "--owner", "tester", "-q", "-c", "false", status=1)

    def test_spalloc_waits_for_enter(self):
        out, _ = self.run_program("spalloc", "--owner", "tester", 4)
        self.assertRegex(out, r"Hostname: 127\.")
        self.assertIn("Num boards: 4", out)
        self.assertIn("Running on: virtual", out)

    def test_spalloc_that_can_not_be_served(self):
        _, err = self.run_program("spalloc", "--owner", "tester", 100, "-c", "true", status=1)
        self.assertIn("Destroyed: Cancelled: No suitable machines available.", err)

    def test_spalloc_interrupted_in_the_queue(self):
        with self.job(3, 2):
            process = self.start("spalloc", "--owner", "waiter", 3, 2, "-c", "true")
            limit = time.monotonic() + LIMIT
            with self.client() as client:
                while not any(job["owner"] == "waiter" for job in client.list_jobs()):
                    self.assertLess(time.monotonic(), limit)
                    time.sleep(0.05)
                line = process.stderr.readline()
                self.assertIn("Waiting in queue...", line)
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=LIMIT)
                self.assertEqual(process.returncode, 4)
                self.assertFalse(any(job["owner"] == "waiter" for job in client.list_jobs()))

    def test_no_destroy_and_resume(self):
        out, _ = self.run_program(
            "spalloc", "--owner", "tester", "--keepalive", -1, "--no-destroy", "-q", "-c", "echo", "{id}")
        number = out.strip()
        out, _ = self.run_program("spalloc", "--resume", number, "-q", "-c", "echo", "{id}")
        self.assertEqual(out.strip(), number)
        with self.client() as client:
            self.assertEqual(client.list_jobs(), [])

    def test_ps(self):
        with self.job(2, owner="somebody") as job:
            out, _ = self.run_program("spalloc-ps")
            self.assertRegex(
                out, rf"(?m)^ *{job.id}  ready  on +2  virtual +\d\d/\d\d/\d{{4}} \d\d:\d\d:\d\d +60\.0 +somebody \(127\.0\.0\.1\)$")
            out, _ = self.run_program("spalloc-ps", "--owner", "nobody")
            self.assertNotIn("somebody", out)
            out, _ = self.run_program("spalloc-ps", "--machine", "virtual")
            self.assertIn("somebody", out)

    def test_ps_that_watches(self):
        process = self.start("spalloc-ps", "--watch", env={**os.environ, "PYTHONUNBUFFERED": "1"})
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(process.stdout))
        reader.start()
        try:
            limit = time.monotonic() + LIMIT
            while not seen:
                self.assertLess(time.monotonic(), limit)
                time.sleep(0.05)
            with self.job(owner="watched"):
                while not any(re.search(r"ready.*watched", line) for line in list(seen)):
                    self.assertLess(time.monotonic(), limit)
                    time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(LIMIT)
            reader.join()
            process.stdout.close()
            process.stderr.close()

    def test_job(self):
        with self.job(3, owner="somebody") as job:
            out, _ = self.run_program("spalloc-job", job.id)
            for text in (f"Job ID: {job.id}", "Owner: somebody", "State: ready", "Keepalive: 60.0", "Request: Job(3,",
                         f"Hostname: {job.hostname}", "Num boards: 3", "Board power: on", "Running on: virtual"):
                self.assertIn(text, out)
            # By its owner, who has only this one.
            out, _ = self.run_program("spalloc-job", "--owner", "somebody", "--ethernet-ips")
            lines = out.splitlines()
            self.assertEqual(lines[0], "x,y,hostname")
            self.assertEqual(lines[1], f"0,0,{job.hostname}")
            self.assertEqual(len(lines), 4)
            self.run_program("spalloc-job", job.id, "--power-off")
            self.assertIs(job.power, False)
            self.run_program("spalloc-job", job.id, "--power-on")
            self.assertIs(job.power, True)
            self.run_program("spalloc-job", job.id, "--owner", "boss", "--destroy")
            self.assertEqual(job.reason, "Destroyed by boss")
            out, _ = self.run_program("spalloc-job", job.id)
            self.assertIn("State: destroyed", out)
            self.assertIn("Reason: Destroyed by boss", out)
        self.run_program("spalloc-job", "--owner", "somebody", status=3)
        self.run_program("spalloc-job", 99999, "--power-on", status=8)
        self.run_program("spalloc-job", 99999, "--ethernet-ips", status=9)

    def test_machine(self):
        with self.job(3, 1) as job:
            out, _ = self.run_program("spalloc-machine")
            self.assertRegex(out, r"(?m)^virtual +18 +9 +1  default$")
            out, _ = self.run_program("spalloc-machine", "virtual")
            self.assertIn("In-use: 9 of 18", out)
            self.assertEqual(out.count(" A "), 9)
            self.assertIn(f"A:{job.id}", out)
            out, _ = self.run_program("spalloc-machine", "virtual", "--detailed")
            self.assertRegex(out, rf"(?m)^A +{job.id} +9  tester 127\.0\.0\.1$")
        self.run_program("spalloc-machine", "elsewhere", status=6)

    def test_where_is(self):
        # The other forms end in a TypeError in this release, whatever the server.
        with self.job(1, 0, 1) as job:
            out, _ = self.run_program("spalloc-where-is", "--job-chip", job.id, 2, 3)
            for text in ("Machine: virtual", "Board coordinate: (1, 0, 1)", "Coordinates within board: (2, 3)",
                         f"Job using board: {job.id}", "Coordinates within job: (2, 3)"):
                self.assertIn(text, out)
        self.run_program("spalloc-where-is", "--job-chip", job.id, 2, 3, status=4)


# What the three have in common is no test of its own.
del V1Test


if __name__ == "__main__":
    unittest.main(verbosity=2)
