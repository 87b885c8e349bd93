# SPDX-License-Identifier: Apache-2.0
"""Starts `spinnaker-sim` for a test, and stops it: virtual boards on loopback, by UDP, with no service between."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from demo_service import ROOT, STOP_LIMIT

START_LIMIT = 60.0


def binary():
    """The built `spinnaker-sim`: SPINNAKER_SIM, else the release build, else the debug one."""
    named = os.environ.get("SPINNAKER_SIM")
    candidates = [named] if named else [
        os.path.join(ROOT, ".build", kind, "spinnaker-sim") for kind in ("release", "debug")]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    sys.exit("no spinnaker-sim binary: run `make build` first")


class Simulator:
    """A running machine."""

    def __init__(self, ready):
        self.ready = ready
        self.boards = [board["address"] for board in ready["boards"]]
        self.bmp = ready["bmps"][0]["address"]
        self.control = ready["control"]

    def tell(self, *words):
        """What `spinnaker-sim tell` prints; an error of the simulator is an exception."""
        done = subprocess.run(
            [binary(), "tell", self.control, *words], capture_output=True, text=True, timeout=STOP_LIMIT)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def board_states(self):
        """off, on or booted, by board."""
        return [line.split()[4] for line in self.tell("boards").splitlines()[1:]]


@contextlib.contextmanager
def simulator(*options):
    """A machine at addresses of its own, without waiting for boots; gone when the scope ends."""
    with tempfile.TemporaryDirectory(prefix="spinnaker-sim-") as directory:
        path = os.path.join(directory, "ready.json")
        with open(os.path.join(directory, "log"), "w+") as log:
            process = subprocess.Popen(
                [binary(), *options, "--base", "auto", "--boot-time-scale", "0", "--json", path,
                 "--control", os.path.join(directory, "control"), "--quiet"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield Simulator(_wait_until_ready(process, path, log))
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(STOP_LIMIT)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise RuntimeError("the simulator did not stop when asked to") from None
        if process.returncode != 130:
            raise RuntimeError(f"the simulator ended with {process.returncode}, not as Ctrl-C would have it")


def _wait_until_ready(process, path, log):
    limit = time.monotonic() + START_LIMIT
    while True:
        with contextlib.suppress(FileNotFoundError):
            with open(path, "r") as text:
                return json.load(text)
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError("the simulator ended before it was ready:\n" + log.read())
        if time.monotonic() > limit:
            raise RuntimeError("the simulator was not ready in time")
        time.sleep(0.02)


# An image of a program that virtual boards have built in (VirtualApplication.swift).
def built_in(name, *words):
    return bytearray(b"VSPINAPP" + name.encode().ljust(16, b"\0") + b"".join(word.to_bytes(4, "little") for word in words))


# A binary that nobody knows: it "runs" for a second and finishes.
OPAQUE = bytearray((7 * i + i // 256) & 0xFF for i in range(1, 10_001))
