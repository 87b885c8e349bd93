# SPDX-License-Identifier: Apache-2.0
"""Who may what: the stock SpiNNMan client with a bearer token, a group that runs out while that client holds a job, and the
administration's resources, with nothing but `requests`."""
import contextlib
import os
import tempfile
import unittest

import requests

import nginx
from demo_service import trust
from issuer import issuer
from simulator import simulator
from spallocd import Daemon, PASSWORD, Rest, USER, wait_for

LIMIT = 60.0
ROOT = {"name": "root", "password": "root's password", "trust-level": "ADMIN"}
ALICE = {"name": USER, "password": PASSWORD}


class RightsTest(unittest.TestCase):
    @contextlib.contextmanager
    def service(self, **settings):
        """By TLS, which the stock client needs."""
        with tempfile.TemporaryDirectory(prefix="spalloc-rights-") as directory, simulator() as machine:
            chain, key = nginx.certificate(directory)
            daemon = Daemon(
                directory, machine.ready, **{
                    "tls": {"certificate-chain": chain, "private-key": key}, "users": [ALICE, ROOT],
                    "timings": {"long-poll": 1}, **settings})
            daemon.url = f"https://127.0.0.1:{daemon.port}/spalloc/"
            trust({"ca_file": chain})
            daemon.start()
            try:
                yield daemon
            finally:
                daemon.kill()

    @contextlib.contextmanager
    def with_issuer(self, **settings):
        with issuer() as tokens:
            with self.service(oidc={"issuer": tokens.url, "audience": "spalloc", **settings}) as daemon:
                yield daemon, tokens

    def spinnman(self, *arguments, **options):
        from spinn_utilities.config_holder import set_config
        from spinnman.config_setup import unittest_setup
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        from spinnman.spalloc import SpallocClient
        unittest_setup()
        set_config("Machine", "version", "5")
        SpiNNManDataWriter.mock().set_n_required(1, None)
        return SpallocClient(*arguments, **options)

    def bearer(self, daemon, token, path="machines"):
        return requests.get(
            daemon.url + "srv/spalloc/" + path, headers={"Authorization": f"Bearer {token}"}, timeout=LIMIT)

    # Tokens

    def test_the_stock_client_with_a_token(self):
        with self.with_issuer() as (daemon, tokens):
            with self.spinnman(daemon.url, bearer_token=tokens.token("ada")) as client:
                self.assertEqual(list(client.list_machines()), ["sim"])
                with client.create_job() as job:
                    job.wait_until_ready()
                    transceiver = job.create_transceiver()
                    try:
                        data = bytes(i * 7 & 0xFF for i in range(10_000))
                        transceiver.write_memory(0, 0, 0x60240000, data)
                        self.assertEqual(bytes(transceiver.read_memory(0, 0, 0x60240000, len(data))), data)
                    finally:
                        transceiver.close()
            self.assertEqual(
                daemon.query("SELECT user.name, job.state FROM job JOIN user ON user.id = owner_id"),
                [("openid.ada", "DESTROYED")])
            self.assertEqual(len(tokens.requests), 2, "the keys are fetched once")
            with open(os.path.join(daemon.directory, "log-1")) as log:
                self.assertNotIn("eyJ", log.read(), "no token is logged")

    def test_tokens_that_are_no_good(self):
        with self.with_issuer() as (daemon, tokens):
            good = tokens.token("ada")
            head, claims, signature = good.split(".")
            other = tokens.token("eve").split(".")[1]
            for token in (tokens.token("ada", life=-100), tokens.token("ada", aud="another"),
                          tokens.token("ada", iss="https://eve.example.org"), f"{head}.{other}.{signature}",
                          f"{head}.{claims}.", "x"):
                reply = self.bearer(daemon, token)
                self.assertEqual(reply.status_code, 401, token)
                self.assertIn("Bearer realm=", reply.headers["www-authenticate"])
                with self.assertRaises(Exception):
                    self.spinnman(daemon.url, bearer_token=token)
            self.assertEqual(self.bearer(daemon, good).status_code, 200)
            self.assertEqual(daemon.query("SELECT count(*) FROM user WHERE external"), [(1,)])

    def test_an_issuer_of_a_private_authority(self):
        with tempfile.TemporaryDirectory(prefix="spalloc-issuer-") as directory:
            tls = nginx.certificate(directory)
            with issuer(tls=tls) as tokens:
                for settings, status in (({}, 503), ({"ca-file": tls[0]}, 200)):
                    with self.subTest(**settings), self.service(
                            oidc={"issuer": tokens.url, "audience": "spalloc", **settings}) as daemon:
                        self.assertEqual(self.bearer(daemon, tokens.token("ada")).status_code, status)

    def test_sessions_of_tokens_outlive_a_restart_and_groups_follow_tokens(self):
        with self.with_issuer(**{"collaboratory-claim": "roles.team"}) as (daemon, tokens):
            token = tokens.token("ada", roles={"team": ["collab-brain-editor"]})
            client = self.spinnman(daemon.url, bearer_token=token)
            daemon.restart()
            self.assertEqual(list(client.list_machines()), ["sim"])
            groups = self.bearer(daemon, token, "groups").json()["groups"]
            self.assertEqual(
                [(group["name"], group["type"], group["left"]) for group in groups],
                [("brain", "COLLABRATORY", 3_600_000), ("private-ada", "COLLABRATORY", 3_600_000)])
            with client.create_job() as job:
                job.wait_until_ready()
            self.assertEqual(
                daemon.query("SELECT user_group.name FROM job JOIN user_group ON user_group.id = group_id"), [("private-ada",)])
            client.close()

    # Quotas

    def test_a_group_runs_out_while_the_stock_client_holds_a_job(self):
        with self.service(groups=[{"name": "lab", "board-hours": 1, "members": [USER]}]) as daemon:
            root = Rest(daemon.url, ROOT["name"], ROOT["password"])
            from spinnman.spalloc import SpallocState
            with self.spinnman(daemon.url, USER, PASSWORD) as client:
                job = client.create_job()
                job.wait_until_ready()
                url = root.call("GET", "admin/groups").json()["lab"]
                root.call("PUT", url.removeprefix(root.url), json={"quota": 10})
                wait_for("the job to end", lambda: job.get_state() == SpallocState.DESTROYED)
                self.assertEqual(daemon.query("SELECT reason FROM job"), [("quota exceeded",)])
                with self.assertRaises(ValueError) as refused:
                    client.create_job()
                self.assertIn("board-seconds left", str(refused.exception))
                job.destroy()
            entries = root.call("GET", "groups/lab/account").json()["entries"]
            self.assertEqual([entry["balance"] for entry in entries], [0, 10, 3600], "what was given, taken, and used")
            self.assertEqual((entries[0]["job"], entries[0]["amount"]), (1, -10))

    # Administration

    def test_the_administration_by_requests(self):
        with self.service() as daemon:
            root = Rest(daemon.url, ROOT["name"], ROOT["password"])
            made = root.call("POST", "admin/users", json={
                "user-name": "bob", "password": "bob's password", "internal": True, "trust-level": "USER"})
            self.assertEqual(made.status_code, 201)
            self.assertTrue(made.headers["location"].startswith(daemon.url + "srv/spalloc/admin/users/"))
            bob = Rest(daemon.url, "bob", "bob's password")
            self.assertEqual(bob.http.get(bob.url + "admin/users", timeout=LIMIT).status_code, 403)

            # A board out of service is given to nobody, at once.
            board = {"machine": "sim", "x": 0, "y": 0, "z": 0}
            self.assertEqual(root.call("GET", "admin/board", params=board).text.strip(), "true")
            root.call("PUT", "admin/board", params=board, data="false", headers={"Content-Type": "text/plain"})
            down = bob.call("GET", "machines/sim").json()["down-boards"]
            self.assertEqual([(one["x"], one["y"], one["z"]) for one in down], [(0, 0, 0)])
            refused = bob.http.post(
                bob.url + "jobs", json={"keepalive-interval": 60, "board": {"x": 0, "y": 0, "z": 0}, "machine-name": "sim"},
                timeout=LIMIT)
            self.assertTrue(refused.status_code == 400 or bob.state(refused.json()["job-id"]) == "QUEUED", refused.text)

            # Disabled is out, with the session that is open.
            disabled = root.http.put(made.headers["location"], json={"enabled": False}, timeout=LIMIT)
            self.assertEqual((disabled.status_code, disabled.json()["enabled"]), (200, False), disabled.text)
            self.assertEqual(bob.http.get(bob.url + "machines", timeout=LIMIT).status_code, 401)


if __name__ == "__main__":
    unittest.main(verbosity=2)
