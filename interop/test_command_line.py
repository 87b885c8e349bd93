# SPDX-License-Identifier: Apache-2.0
"""`spalloc` and `spallocd` as a person has them: what they print, their exit codes, Ctrl-C, and that nothing is left behind."""
import contextlib
import errno
import json
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from demo_service import STOP_LIMIT, binary, demo_service
from spallocd import LIMIT, daemon_binary, free_port, wait_for

# A password that would be seen if it were printed.
WRONG = "xyzzy-17"


def run(*words, env=None, program=None):
    """A whole run: its exit code, what it wrote, and what it complained about."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SPALLOC")}
    return subprocess.run(
        [program or binary(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * LIMIT,
        env={**clean, **(env or {})})


class Running:
    """A command in a process group of its own, whose output can be waited for line by line."""

    def __init__(self, *words, env=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SPALLOC")}
        self.process = subprocess.Popen(
            [binary(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**clean, **(env or {})}, start_new_session=True)
        self.text = ""

    def wait_for_text(self, text):
        limit = time.monotonic() + LIMIT
        while text not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, limit - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                raise AssertionError(f"\"{text}\" was not said:\n{self.text}")
            self.text += piece.decode()

    def interrupt(self, whole_group=True, number=signal.SIGINT):
        """Ctrl-C, which a terminal sends to all processes of the group."""
        (os.killpg if whole_group else os.kill)(self.process.pid, number)

    def end(self):
        try:
            rest, _ = self.process.communicate(timeout=STOP_LIMIT)
            self.text += rest.decode()
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            raise AssertionError(f"it did not end:\n{self.text}") from None
        return self.process.returncode

    def group_is_gone(self):
        """Whether no process that it started is left, not even a zombie's child."""
        try:
            os.killpg(self.process.pid, 0)
        except OSError as error:
            return error.errno == errno.ESRCH
        return False


class WithoutAService(unittest.TestCase):
    def test_help_of_everything(self):
        root = run("--help")
        self.assertEqual((root.returncode, root.stderr), (0, ""))
        self.assertIn("EXIT CODES", root.stdout)
        listed = root.stdout.split("SUBCOMMANDS:")[1]
        names = re.findall(r"^  ([a-z][a-z-]*)(?: \(default\))? ", listed, re.MULTILINE)
        for expected in ("demo", "create", "jobs", "job", "hold", "power", "destroy", "where-is", "machines", "version"):
            self.assertIn(expected, names)
        for name in names:
            with self.subTest(name):
                told = run(name, "--help")
                self.assertEqual((told.returncode, told.stderr), (0, ""))
                self.assertIn(f"USAGE: spalloc {name}", told.stdout)
                self.assertIn("OVERVIEW: ", told.stdout)

    def test_wrong_usage(self):
        for words in (("creat",), ("create", "0"), ("create", "1x"), ("power", "sideways", "1"), ("demo", "--machine", "0x1"),
                      ("jobs", "--limit", "0"), ("where-is", "--chip", "0,0"), ("machines",)):
            with self.subTest(words):
                told = run(*words)
                self.assertEqual((told.returncode, told.stdout), (2, ""), told.stderr)
                self.assertTrue(told.stderr.startswith("Error: "), told.stderr)

    def test_a_service_that_is_down(self):
        port = free_port()
        told = run("machines", env={
            "SPALLOC_URL": f"http://localhost:{port}/spalloc/", "SPALLOC_USER": "me", "SPALLOC_PASSWORD": WRONG})
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertEqual(len(told.stderr.splitlines()), 1, told.stderr)
        self.assertIn(f"localhost:{port}", told.stderr)
        self.assertNotIn(WRONG, told.stderr)

    def test_no_password_over_a_network_in_clear(self):
        told = run("machines", env={
            "SPALLOC_URL": "http://192.0.2.1/spalloc/", "SPALLOC_USER": "me", "SPALLOC_PASSWORD": WRONG})
        self.assertEqual((told.returncode, told.stdout), (2, ""))
        self.assertIn("plain http", told.stderr)

    def test_demo_twice_in_a_row(self):
        for _ in range(2):
            told = run("demo")
            self.assertEqual((told.returncode, told.stderr), (0, ""), told.stdout)
            self.assertIn("8388608 bytes are equal", told.stdout)
            self.assertNotIn("✗", told.stdout)
            self.assertNotIn("\x1b", told.stdout)

    def test_demo_stopped_by_ctrl_c_at_any_step(self):
        with tempfile.TemporaryDirectory(prefix="spalloc-demo-") as state:
            for step in ("virtual machine", "service", "log in", "create a job", "wait for the boards",
                         "open the websocket proxy", "boot the boards", "discover the machine", "write 8 MiB"):
                with self.subTest(step):
                    demo = Running("demo", "--state", state)
                    demo.wait_for_text(step)
                    demo.interrupt()
                    self.assertEqual(demo.end(), 130, demo.text)
                    self.assertTrue(demo.group_is_gone())
                    self.assertNotIn("Done in", demo.text)
                    self.check_no_job(state)
            # Nothing of all that is in the way of the next.
            told = run("demo", "--state", state)
            self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
            self.check_no_job(state)

    def test_demo_stopped_at_its_very_start(self):
        for delay in (0, 0.01, 0.03, 0.1):
            demo = Running("demo")
            time.sleep(delay)
            demo.interrupt()
            # Before main has begun, it dies of the signal as any program.
            self.assertIn(demo.end(), (130, -signal.SIGINT), demo.text)
            self.assertTrue(demo.group_is_gone())

    def check_no_job(self, state):
        path = os.path.join(state, "spalloc.sqlite")
        if not os.path.exists(path):
            return
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'job'").fetchall()
            if tables:
                live = database.execute("SELECT id, state FROM job WHERE state <> 'DESTROYED'").fetchall()
                self.assertEqual(live, [])

    def test_demo_on_a_terminal_and_a_real_ctrl_c(self):
        with tempfile.TemporaryDirectory(prefix="spalloc-demo-") as state:
            child, terminal = pty.fork()
            if child == 0:
                try:
                    os.execv(binary(), [binary(), "demo", "--state", state])
                finally:
                    os._exit(127)
            text = ""
            limit = time.monotonic() + LIMIT
            interrupted = False
            while True:
                self.assertLess(time.monotonic(), limit, text)
                if not select.select([terminal], [], [], 1)[0]:
                    continue
                try:
                    piece = os.read(terminal, 65536).decode(errors="replace")
                except OSError:
                    piece = ""
                if not piece:
                    break
                text += piece
                # In the middle of the transfer, when the bar moves.
                if not interrupted and re.search(r"write 8 MiB .*█", text):
                    interrupted = True
                    os.write(terminal, b"\x03")
            os.close(terminal)
            _, status = os.waitpid(child, 0)
            self.assertTrue(interrupted, text)
            self.assertEqual(os.waitstatus_to_exitcode(status), 130, text)
            self.check_no_job(state)

    def test_demo_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            told = run("demo", "--port", str(port))
            self.assertEqual(told.returncode, 1)
            self.assertEqual(told.stderr, f"spalloc: cannot listen on 127.0.0.1:{port}: the port is in use\n")

    def test_demo_state_of_another_size(self):
        with tempfile.TemporaryDirectory(prefix="spalloc-demo-") as state:
            self.assertEqual(run("demo", "--state", state).returncode, 0)
            told = run("demo", "--state", state, "--machine", "2x1")
            self.assertEqual((told.returncode, len(told.stderr.splitlines())), (1, 1), told.stderr)
            self.assertIn("1x1", told.stderr)


class WithAService(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._scope = demo_service("--boot-time-scale", "0")
        cls.demo = cls._scope.__enter__()
        cls.env = {
            "SPALLOC_URL": cls.demo["url"], "SPALLOC_USER": cls.demo["user"], "SPALLOC_PASSWORD": cls.demo["password"],
            "SPALLOC_CA_FILE": cls.demo["ca_file"]}

    @classmethod
    def tearDownClass(cls):
        cls._scope.__exit__(None, None, None)

    def spalloc(self, *words, **env):
        return run(*words, env={**self.env, **env})

    def jobs(self):
        told = self.spalloc("jobs", "-q")
        self.assertEqual(told.returncode, 0, told.stderr)
        return told.stdout.split()

    def tearDown(self):
        self.assertEqual(self.jobs(), [], "a job is left")

    def test_looking_around(self):
        told = self.spalloc("machines", "--json")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertEqual([machine["name"] for machine in json.loads(told.stdout)], ["virtual"])
        check = self.spalloc("login-check")
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertNotIn(self.demo["password"], check.stdout + check.stderr)
        self.assertEqual(self.spalloc("job", "4711").returncode, 1)

    def test_a_wrong_password(self):
        told = self.spalloc("machines", SPALLOC_PASSWORD=WRONG)
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertEqual(len(told.stderr.splitlines()), 1, told.stderr)
        self.assertTrue(told.stderr.startswith("spalloc: "))
        self.assertNotIn(WRONG, told.stderr)
        loud = self.spalloc("machines", "--verbose")
        self.assertNotIn(self.demo["password"], loud.stderr)

    def test_an_unknown_certificate_authority(self):
        told = self.spalloc("machines", SPALLOC_CA_FILE="")
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertEqual(len(told.stderr.splitlines()), 1, told.stderr)
        self.assertIn("certificate", told.stderr)
        self.assertNotIn(self.demo["password"], told.stderr)

    def test_too_large(self):
        told = self.spalloc("create", "4")
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertIn("4 boards", told.stderr)

    def test_a_command_has_the_job_and_the_job_ends_with_it(self):
        script = ("import json, os, sys; "
                  "print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('SPALLOC_')})); sys.exit(7)")
        told = self.spalloc("create", "3", "--command", sys.executable, "-c", script)
        self.assertEqual(told.returncode, 7, told.stderr)
        seen = json.loads(told.stdout)
        self.assertEqual(seen["SPALLOC_MACHINE"], "virtual")
        self.assertIn(seen["SPALLOC_HOST"], self.demo["boards"])
        connections = dict(item.split("=") for item in seen["SPALLOC_CONNECTIONS"].split())
        self.assertEqual(set(connections), {"0,0", "8,4", "4,8"})
        self.assertEqual(set(connections.values()), set(self.demo["boards"]))
        self.assertTrue(seen["SPALLOC_JOB_URL"].startswith(self.demo["url"]))
        told = self.spalloc("job", seen["SPALLOC_JOB"], "--json")
        self.assertEqual(json.loads(told.stdout)["state"].upper(), "DESTROYED")

    def test_a_command_that_is_none(self):
        told = self.spalloc("create", "1", "--command", "/no/such/program")
        self.assertEqual(told.returncode, 1)
        self.assertIn("/no/such/program", told.stderr)

    def test_ctrl_c_while_it_is_held(self):
        held = Running("create", "1", env=self.env)
        held.wait_for_text("kept until Ctrl-C")
        self.assertEqual(len(self.jobs()), 1)
        held.interrupt()
        self.assertEqual(held.end(), 130, held.text)
        self.assertTrue(held.group_is_gone())

    def test_sigterm_too(self):
        held = Running("create", "1", env=self.env)
        held.wait_for_text("kept until Ctrl-C")
        held.interrupt(number=signal.SIGTERM)
        self.assertEqual(held.end(), 143, held.text)

    def test_ctrl_c_in_the_queue_and_at_any_moment_before(self):
        first = Running("create", "3", env=self.env)
        first.wait_for_text("kept until Ctrl-C")
        try:
            second = Running("create", "3", env=self.env)
            second.wait_for_text("QUEUED")
            self.assertEqual(len(self.jobs()), 2)
            second.interrupt()
            self.assertEqual(second.end(), 130, second.text)
            self.assertEqual(len(self.jobs()), 1)
            for delay in (0.02, 0.05, 0.1, 0.2, 0.4):
                early = Running("create", "3", env=self.env)
                time.sleep(delay)
                early.interrupt()
                self.assertIn(early.end(), (130, -signal.SIGINT), early.text)
                self.assertEqual(len(self.jobs()), 1)
        finally:
            first.interrupt()
            self.assertEqual(first.end(), 130, first.text)

    def test_not_to_be_had_now_is_its_own_exit_code(self):
        first = Running("create", "3", env=self.env)
        first.wait_for_text("kept until Ctrl-C")
        try:
            told = self.spalloc("create", "1", "--queue-timeout", "0")
            self.assertEqual(told.returncode, 3, told.stderr)
        finally:
            first.interrupt()
            first.end()

    def test_ctrl_c_while_a_command_runs(self):
        # Once as a terminal does it, and once to us alone: the command ends in both.
        for whole_group in (True, False):
            with self.subTest(whole_group=whole_group):
                script = "import os, time; print('pid', os.getpid(), 'end', flush=True); time.sleep(600)"
                busy = Running("create", "1", "--command", sys.executable, "-c", script, env=self.env)
                busy.wait_for_text(" end")
                child = int(re.search(r"pid (\d+) end", busy.text).group(1))
                self.assertEqual(os.getpgid(child), busy.process.pid)
                busy.interrupt(whole_group)
                self.assertEqual(busy.end(), 130, busy.text)
                self.assertTrue(busy.group_is_gone())
                self.assertEqual(self.jobs(), [])

    def test_destroyed_elsewhere(self):
        held = Running("create", "1", env=self.env)
        held.wait_for_text("kept until Ctrl-C")
        job, = self.jobs()
        self.assertEqual(self.spalloc("destroy", job, "--reason", "wanted no more").returncode, 0)
        # Found at the next keepalive, which is a third of its interval away: not waited for here.
        held.interrupt()
        held.end()
        told = self.spalloc("job", job, "--json")
        self.assertEqual(json.loads(told.stdout)["reason"], "wanted no more")


class DaemonTest(unittest.TestCase):
    def configuration(self, directory, **settings):
        path = os.path.join(directory, "spallocd.json")
        with open(path, "w") as text:
            json.dump({"port": 0, "database": "spalloc.sqlite", **settings}, text)
        return path

    def refused(self, *words):
        told = run(*words, program=daemon_binary())
        self.assertEqual((told.returncode, told.stdout), (1, ""), told.stderr)
        # One line of ours; what was logged before is not it.
        last = told.stderr.splitlines()[-1]
        self.assertTrue(last.startswith("spallocd: "), told.stderr)
        return last

    def test_help_and_usage(self):
        told = run("--help", program=daemon_binary())
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertIn("--config", told.stdout)
        self.assertEqual(run(program=daemon_binary()).returncode, 2)

    def test_an_unknown_key(self):
        with tempfile.TemporaryDirectory() as directory:
            said = self.refused("--config", self.configuration(directory, prot=8080))
            self.assertIn("\"prot\"", said)
            self.assertIn("port", said.replace("\"prot\"", ""))
            said = self.refused("--check", "--config", self.configuration(directory, power={"off-wiat": 1}))
            self.assertIn("off-wait", said)
            self.assertEqual(os.listdir(directory), ["spallocd.json"], "it began something")

    def test_missing_files(self):
        self.assertIn("/no/such/file.json", self.refused("--config", "/no/such/file.json"))
        with tempfile.TemporaryDirectory() as directory:
            said = self.refused("--config", self.configuration(directory, **{"machine-files": ["gone.json"]}))
            self.assertIn("gone.json", said)

    def test_port_in_use(self):
        with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = self.refused("--config", self.configuration(directory, port=port))
            self.assertEqual(said, f"spallocd: cannot listen on 127.0.0.1:{port}: the port is in use")

    def test_check_says_what_there_is(self):
        with tempfile.TemporaryDirectory() as directory:
            path = self.configuration(directory, users=[{"name": "alice", "password": WRONG}])
            told = run("--check", "--config", path, program=daemon_binary())
            self.assertEqual((told.returncode, told.stderr), (0, ""))
            self.assertIn("0 machines, 0 boards, 1 users", told.stdout)
            self.assertNotIn(WRONG, told.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
