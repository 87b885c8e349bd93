# SPDX-License-Identifier: Apache-2.0
"""Starts `spalloc demo --serve` for a test, and stops it.

Everything is on loopback. What the service prints about itself comes from its `demo.json`, so nothing here knows a port.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START_LIMIT = 120.0
STOP_LIMIT = 30.0


def binary():
    """The built `spalloc`: SPALLOC_BINARY, else the release build, else the debug one."""
    named = os.environ.get("SPALLOC_BINARY")
    candidates = [named] if named else [
        os.path.join(ROOT, ".build", kind, "spalloc") for kind in ("release", "debug")]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    sys.exit("no spalloc binary: run `make build` first")


@contextlib.contextmanager
def demo_service(*options):
    """Yields the contents of `demo.json` of a running demo; it is gone when the scope ends."""
    with tempfile.TemporaryDirectory(prefix="spalloc-interop-") as state:
        log = open(os.path.join(state, "log"), "wb")
        process = subprocess.Popen(
            [binary(), "demo", "--serve", "--state", state, *options], stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _wait_until_ready(process, state)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise RuntimeError("the demo did not stop when asked to")
            finally:
                log.close()
                if os.environ.get("SPALLOC_INTEROP_LOG"):
                    with open(os.path.join(state, "log"), "r") as text:
                        sys.stderr.write(text.read())


def _wait_until_ready(process, state):
    path = os.path.join(state, "demo.json")
    limit = time.monotonic() + START_LIMIT
    while True:
        if process.poll() is not None:
            with open(os.path.join(state, "log"), "r") as text:
                raise RuntimeError("the demo ended before it was ready:\n" + text.read())
        with contextlib.suppress(FileNotFoundError):
            with open(path, "r") as text:
                return json.load(text)
        if time.monotonic() > limit:
            raise RuntimeError("the demo was not ready in time")
        time.sleep(0.05)


def trust(demo):
    """Makes requests and websocket-client trust the demo's certificate authority. Call before importing them."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE"):
        os.environ[name] = demo["ca_file"]
