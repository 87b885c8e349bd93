# SPDX-License-Identifier: Apache-2.0
"""`spallocd` as its operator uses it: a password typed at a terminal, machines and users added beside the running service, a reload
while a job lives, a backup that is gone back to, figures for Prometheus."""
import contextlib
import json
import os
import pty
import select
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import requests

from simulator import simulator
from spallocd import Daemon, PASSWORD, Rest, USER, daemon_binary, free_port, wait_for

LIMIT = 60.0


def typed(arguments, *answers):
    """Runs `spallocd` at a terminal and types an answer at each question. Gives all that the terminal showed, and the exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(daemon_binary(), [daemon_binary(), *arguments])
    shown, waiting, limit = b"", list(answers), time.monotonic() + LIMIT
    asked = 0
    try:
        while time.monotonic() < limit:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if waiting and shown.count(b": ") > asked and shown.endswith(b": "):
                asked = shown.count(b": ")
                os.write(terminal, waiting.pop(0).encode() + b"\n")
        return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(terminal)


class OperatorTest(unittest.TestCase):
    @contextlib.contextmanager
    def service(self, **settings):
        with tempfile.TemporaryDirectory(prefix="spalloc-operator-") as directory, simulator() as machine:
            daemon = Daemon(directory, machine.ready, **settings)
            daemon.start()
            try:
                yield daemon, Rest(daemon.url)
            finally:
                daemon.kill()

    def command(self, daemon, *arguments, code=0, text=None):
        done = subprocess.run(
            [daemon_binary(), *arguments, "--config", daemon.config], input=text, capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def status(self, daemon, user, password):
        return requests.get(daemon.url + "srv/spalloc/machines", auth=(user, password), timeout=LIMIT).status_code

    def log(self, daemon):
        with open(os.path.join(daemon.directory, f"log-{daemon.starts}")) as text:
            return text.read()

    def test_a_password_at_a_terminal_is_not_shown(self):
        with self.service() as (daemon, _):
            shown, code = typed(["user", "add", "ada", "--config", daemon.config], "hunter2", "hunter2")
            self.assertEqual(code, 0, shown)
            self.assertIn("Password of ada: ", shown)
            self.assertNotIn("hunter2", shown)
            self.assertEqual(self.status(daemon, "ada", "hunter2"), 200)
            shown, code = typed(["user", "password", "ada", "--config", daemon.config], "one", "two")
            self.assertEqual(code, 1, shown)
            self.assertIn("the two passwords differ", shown)
            self.assertEqual(self.status(daemon, "ada", "hunter2"), 200)

    def test_users_come_and_go_beside_the_service(self):
        with self.service() as (daemon, _):
            self.command(daemon, "user", "add", "ada", "--trust-level", "ADMIN", text="first\n")
            self.assertEqual(self.status(daemon, "ada", "first"), 200)
            self.command(daemon, "user", "password", "ada", text="second\n")
            self.assertEqual(self.status(daemon, "ada", "first"), 401)
            self.assertEqual(self.status(daemon, "ada", "second"), 200)
            self.command(daemon, "user", "disable", "ada")
            self.assertEqual(self.status(daemon, "ada", "second"), 401)
            users = json.loads(self.command(daemon, "user", "list", "--json"))
            self.assertEqual({user["name"]: user["state"] for user in users}, {"ada": "disabled", USER: "enabled"})
            self.assertIn("in the configuration file", self.command(daemon, "user", "password", USER, code=1, text="x\n"))

    def test_a_reload_keeps_jobs_and_names_what_waits(self):
        with self.service() as (daemon, rest):
            job = rest.create(1)
            rest.wait(job, "READY")
            with open(daemon.config) as text:
                settings = json.load(text)
            settings["port"] = free_port()
            settings["users"].append({"name": "bob", "password": "bob's"})
            with open(daemon.config, "w") as text:
                json.dump(settings, text)
            daemon.process.send_signal(signal.SIGHUP)
            wait_for("bob to be let in", lambda: self.status(daemon, "bob", "bob's") == 200)
            wait_for("the log to say so", lambda: "waits for a restart" in self.log(daemon))
            self.assertIn("setting=port", self.log(daemon))
            self.assertEqual(rest.state(job), "READY")
            with open(daemon.config, "w") as text:
                text.write('{"databse": "x"}')
            daemon.process.send_signal(signal.SIGHUP)
            wait_for("the mistake in the log", lambda: 'did you mean "database"' in self.log(daemon))
            self.assertEqual(rest.state(job), "READY")
            self.assertIsNone(daemon.process.poll())

    def test_a_backup_is_gone_back_to(self):
        with self.service() as (daemon, rest):
            job = rest.create(1)
            rest.wait(job, "READY")
            copy = os.path.join(daemon.directory, "copy.sqlite")
            self.command(daemon, "backup", copy)
            self.assertEqual(stat.S_IMODE(os.stat(copy).st_mode), 0o600)
            self.assertIn("exists already", self.command(daemon, "backup", copy, code=1))
            later = rest.create(1)
            daemon.stop()
            for end in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(daemon.database + end)
            os.rename(copy, daemon.database)
            daemon.start()
            rest = Rest(daemon.url)
            self.assertEqual(rest.state(job), "READY")
            self.assertEqual(daemon.query(f"SELECT count(*) FROM job WHERE id = {later}"), [(0,)])

    def test_figures_for_prometheus(self):
        port = free_port()
        with self.service(metrics={"port": port}) as (daemon, rest):
            job = rest.create(1)
            rest.wait(job, "READY")
            page = wait_for("the page", lambda: requests.get(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).text)
            self.assertIn('spalloc_jobs{state="READY"} 1\n', page)
            self.assertIn('spalloc_boards_powered{machine="sim"} 1\n', page)
            root = daemon.url.removesuffix("/spalloc/")
            self.assertEqual(requests.get(root + "/metrics", timeout=LIMIT).status_code, 401)
            self.assertEqual(requests.get(root + "/metrics", auth=(USER, PASSWORD), timeout=LIMIT).status_code, 403)


if __name__ == "__main__":
    unittest.main()
