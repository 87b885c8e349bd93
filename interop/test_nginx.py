# SPDX-License-Identifier: Apache-2.0
"""The service behind nginx with the configuration that we ship: the stock SpiNNMan client and our own command line through it, at the
usual path and at another; links, idle websockets, and whose word counts on who asks."""
import contextlib
import os
import struct
import subprocess
import tempfile
import time
import unittest

import requests
import websocket
from requests.adapters import HTTPAdapter

import nginx
from demo_service import binary, trust
from simulator import simulator
from spallocd import Daemon, PASSWORD, Rest, USER, wait_for

LIMIT = 60.0


class From(HTTPAdapter):
    """Connects from another address of this computer."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


@unittest.skipUnless(nginx.binary(), "nginx is not installed: make setup")
class NginxTest(unittest.TestCase):
    @contextlib.contextmanager
    def service(self, base_path="/spalloc/", timeout="60s", **settings):
        with tempfile.TemporaryDirectory(prefix="spalloc-nginx-") as directory, simulator() as machine:
            daemon = Daemon(
                directory, machine.ready, **{"base-path": base_path, "trusted-proxies": ["127.0.0.1"], **settings})
            daemon.url = f"http://127.0.0.1:{daemon.port}{base_path}"
            daemon.start()
            try:
                with nginx.nginx(directory, daemon.port, base_path, timeout) as (url, authority):
                    trust({"ca_file": authority})
                    yield daemon, url, authority
            finally:
                daemon.kill()

    def spinnman(self, url):
        from spinn_utilities.config_holder import set_config
        from spinnman.config_setup import unittest_setup
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        from spinnman.spalloc import SpallocClient
        unittest_setup()
        set_config("Machine", "version", "5")
        SpiNNManDataWriter.mock().set_n_required(3, None)
        return SpallocClient(url, USER, PASSWORD)

    def use(self, url):
        """A job, boots, memory: all by the stock client, and through nginx."""
        with self.spinnman(url) as client, client.create_job() as job:
            job.wait_until_ready()
            transceiver = job.create_transceiver()
            try:
                self.assertEqual(transceiver.get_machine_details().n_chips, 144)
                data = bytes(i * 7 & 0xFF for i in range(100_000))
                for x, y in ((0, 0), (9, 5), (4, 8)):
                    transceiver.write_memory(x, y, 0x60240000, data)
                    self.assertEqual(bytes(transceiver.read_memory(x, y, 0x60240000, len(data))), data)
            finally:
                transceiver.close()

    def test_the_stock_client(self):
        with self.service() as (daemon, url, _):
            self.use(url)
            self.assertEqual(daemon.query("SELECT state FROM job"), [("DESTROYED",)])

    def test_below_another_path(self):
        with self.service("/tools/spalloc/") as (_, url, _):
            self.assertTrue(url.endswith("/tools/spalloc/"))
            self.use(url)
            document = requests.get(url + "srv/openapi.json", timeout=LIMIT).json()
            self.assertEqual(document["servers"], [{"url": "/tools/spalloc"}])

    def test_our_command_line(self):
        with self.service() as (daemon, url, authority):
            def spalloc(*arguments):
                done = subprocess.run(
                    [binary(), *arguments], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL,
                    env={**os.environ, "SPALLOC_URL": url, "SPALLOC_USER": USER, "SPALLOC_PASSWORD": PASSWORD,
                         "SPALLOC_CA_FILE": authority})
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout
            self.assertIn("sim", spalloc("machines"))
            rest = Rest(daemon.url)
            job = rest.create(1)
            rest.wait(job, "READY")
            self.assertIn(str(job), spalloc("jobs"))

    def test_links_are_as_the_client_reaches_them(self):
        with self.service("/tools/spalloc/") as (_, url, _):
            rest = Rest(url)
            root = rest.call("GET", "").json()
            self.assertEqual(root["jobs-ref"], url + "srv/spalloc/jobs")
            created = rest.call("POST", "jobs", json={"keepalive-interval": 60})
            self.assertTrue(created.headers["location"].startswith(url + "srv/spalloc/jobs/"))
            job = created.json()["job-id"]
            rest.wait(job, "READY")
            described = rest.job(job)
            for name in ("keepalive-ref", "machine-ref", "power-ref", "chip-ref"):
                self.assertTrue(described[name].startswith(f"{url}srv/spalloc/jobs/{job}/"), described[name])
            self.assertEqual(described["proxy-ref"], f"{url}proxy/{job}".replace("https:", "wss:"))
            for cookie in rest.http.cookies:
                self.assertTrue(cookie.secure and cookie.path == "/tools/spalloc/", cookie)
            login = requests.get(url, allow_redirects=False, timeout=LIMIT)
            self.assertTrue(login.headers["location"].startswith(url), login.headers["location"])

    def test_an_idle_websocket_outlives_the_proxys_patience(self):
        # nginx ends what is silent for 3 s; the service's pings come every second.
        timings = {"websocket-ping": 1, "long-poll": 1}
        with self.service(timeout="3s", timings=timings) as (_, url, authority):
            rest = Rest(url)
            job = rest.create(1)
            rest.wait(job, "READY")
            with contextlib.closing(websocket.create_connection(
                    rest.job(job)["proxy-ref"], cookie=rest.cookies(), origin="https://127.0.0.1", timeout=30,
                    sslopt={"ca_certs": authority})) as proxy:
                pings, limit = 0, time.monotonic() + 7
                proxy.settimeout(1)
                while time.monotonic() < limit:
                    with contextlib.suppress(websocket.WebSocketTimeoutException):
                        code, _ = proxy.recv_data(control_frame=True)
                        self.assertEqual(code, websocket.ABNF.OPCODE_PING)
                        pings += 1
                self.assertGreaterEqual(pings, 4)
                proxy.settimeout(30)
                proxy.send_binary(struct.pack("<5I", 0, 7, 0, 0, 17893))
                reply = None
                while not reply:
                    code, data = proxy.recv_data(control_frame=True)
                    reply = data if code == websocket.ABNF.OPCODE_BINARY else None
                self.assertEqual(struct.unpack("<3I", reply)[:2], (0, 7))

    def test_without_pings_it_would_not(self):
        """That the test above tests something."""
        with self.service(timeout="3s", timings={"long-poll": 1}) as (_, url, authority):
            rest = Rest(url)
            job = rest.create(1)
            rest.wait(job, "READY")
            with contextlib.closing(websocket.create_connection(
                    rest.job(job)["proxy-ref"], cookie=rest.cookies(), origin="https://127.0.0.1", timeout=30,
                    sslopt={"ca_certs": authority})) as proxy:
                with self.assertRaises(websocket.WebSocketConnectionClosedException):
                    proxy.recv()

    def test_who_asks(self):
        """nginx says so of its clients. What a client says of itself counts neither there nor before the service."""
        lie = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
        with self.service() as (daemon, url, _):
            for where, scheme in ((url, "https"), (daemon.url, "http")):
                with self.subTest(where):
                    rest = Rest(where)
                    # From an address that is no proxy's.
                    rest.http.mount(where, From("127.0.0.2"))
                    job = rest.call("POST", "jobs", json={"keepalive-interval": 60}, headers=lie).json()["job-id"]
                    described = rest.call("GET", f"jobs/{job}", headers=lie).json()
                    self.assertEqual(described["keepalive-host"], "127.0.0.2")
                    self.assertTrue(described["machine-ref"].startswith(f"{scheme}://"), described["machine-ref"])

    def test_a_long_poll_is_answered(self):
        with self.service() as (_, url, _):
            rest = Rest(url)
            jobs = [rest.create(3), rest.create(3)]
            rest.wait(jobs[0], "READY")
            self.assertEqual(rest.call("GET", f"jobs/{jobs[1]}", params={"wait": "True"}).json()["state"], "QUEUED")
            rest.destroy(jobs[0])
            wait_for("the second", lambda: rest.call(
                "GET", f"jobs/{jobs[1]}", params={"wait": "True"}).json()["state"] == "READY")


if __name__ == "__main__":
    unittest.main(verbosity=2)
