# SPDX-License-Identifier: Apache-2.0
"""Starts `spallocd` before boards of a simulator, kills it, and starts it again on the same database; and a client in plain REST."""
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time

import requests

from demo_service import START_LIMIT, STOP_LIMIT, binary

USER, PASSWORD = "alice", "alice's password"
# Until something is as it is to be: this computer may be busy.
LIMIT = 60.0


def daemon_binary():
    """`spallocd`, beside the `spalloc` that is tested."""
    return os.path.join(os.path.dirname(binary()), "spallocd")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition):
    """Looks until `condition` gives something, and gives that."""
    limit = time.monotonic() + LIMIT
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.02)


def machine_file(ready):
    """A simulator's machine, as the reference's machine files have it."""
    locations, addresses = {}, {}
    for board in ready["boards"]:
        x, y, z = board["board"]
        cabinet, frame, slot = board["physical"]
        locations[f"[x:{x},y:{y},z:{z}]"] = f"[c:{cabinet},f:{frame},b:{slot}]"
        addresses[f"[x:{x},y:{y},z:{z}]"] = board["address"]
    bmps = {f"[c:{bmp['cabinet']},f:{bmp['frame']}]": bmp["address"] for bmp in ready["bmps"]}
    width, height = (int(side) for side in ready["machine"].split("x"))
    return {"machines": [{
        "name": "sim", "tags": ["default"], "width": width, "height": height, "dead-boards": [], "dead-links": {},
        "board-locations": locations, "bmp-ips": bmps, "spinnaker-ips": addresses}]}


class Daemon:
    """One configuration and database, and the process that serves them now."""

    def __init__(self, directory, ready, **settings):
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/spalloc/"
        self.process = None
        self.starts = 0
        self.config = os.path.join(directory, "spallocd.json")
        self.database = os.path.join(directory, "spalloc.sqlite")
        with open(os.path.join(directory, "machines.json"), "w") as text:
            json.dump(machine_file(ready), text)
        settings = {"power": {"off-wait": 0}, **settings}
        with open(self.config, "w") as text:
            json.dump({
                "host": "127.0.0.1", "port": self.port, "database": "spalloc.sqlite", "machine-files": ["machines.json"],
                "users": [{"name": USER, "password": PASSWORD}], **settings}, text)

    def start(self):
        self.starts += 1
        log = os.path.join(self.directory, f"log-{self.starts}")
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [daemon_binary(), "--config", self.config], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        limit = time.monotonic() + START_LIMIT
        while True:
            with open(log, "r") as text:
                if "spallocd is ready" in (said := text.read()):
                    return
            if self.process.poll() is not None:
                raise RuntimeError("spallocd ended before it was ready:\n" + said)
            if time.monotonic() > limit:
                raise RuntimeError("spallocd was not ready in time:\n" + said)
            time.sleep(0.02)

    def kill(self):
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError("spallocd did not stop when asked to") from None

    def query(self, sql):
        """What is in its file."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(sql).fetchall()


class Rest:
    """A user's session, by nothing but HTTP: it knows no service that has died meanwhile, and outlives it."""

    def __init__(self, url, user=USER, password=PASSWORD):
        self.url = url + "srv/spalloc/"
        self.http = requests.Session()
        page = self.http.get(url + "system/login.html", timeout=LIMIT)
        token = re.search(r'<input type="hidden" name="_csrf" value="(.*)" />', page.text).group(1)
        reply = self.http.post(
            url + "system/perform_login", allow_redirects=False, timeout=LIMIT,
            data={"_csrf": token, "username": user, "password": password, "submit": "submit"})
        assert reply.status_code < 400 and "error" not in reply.headers.get("location", ""), reply.text
        self.http.headers["X-CSRF-TOKEN"] = self.http.get(self.url, timeout=LIMIT).json()["csrf-token"]

    def call(self, method, path, **options):
        reply = self.http.request(method, self.url + path, timeout=LIMIT, **options)
        assert reply.status_code < 400, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply

    def create(self, boards):
        reply = self.call(
            "POST", "jobs/", json={"num-boards": boards, "keepalive-interval": "PT300S", "tags": ["default"]})
        return int(reply.headers["location"].rstrip("/").split("/")[-1])

    def job(self, job):
        return self.call("GET", f"jobs/{job}").json()

    def state(self, job):
        return self.job(job)["state"]

    def machine(self, job):
        """Its boards and connections; None while it has none."""
        reply = self.call("GET", f"jobs/{job}/machine")
        return reply.json() if reply.status_code == 200 else None

    def live_jobs(self):
        return {int(url.rstrip("/").split("/")[-1]) for url in self.call("GET", "jobs").json()["jobs"]}

    def destroy(self, job):
        self.call("DELETE", f"jobs/{job}", params={"reason": "test"})

    def wait(self, job, *states):
        return wait_for(f"job {job} {' or '.join(states)}", lambda: self.state(job) in states)

    def cookies(self):
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies)
