# SPDX-License-Identifier: Apache-2.0
"""schemathesis, which reads the service's OpenAPI document, against the service: requests that are right by the document and requests
that are wrong, by an administrator, a user and a reader. Whatever it sends, each answer is one that the document has, nothing is a 500,
and nothing that was there before is lost."""
import contextlib
import random
import re
import tempfile
import time
import unittest

import hypothesis
import schemathesis
from schemathesis import GenerationMode, checks

from simulator import simulator
from spallocd import Daemon, Rest, USER, wait_for

SEED = 61474
# For each operation, user and mode; and how long all of it may take.
EXAMPLES = 12
TIME = 60.0
CHECKS = [
    checks.status_code_conformance, checks.content_type_conformance, checks.response_headers_conformance,
    checks.response_schema_conformance]
USERS = [(USER, "USER"), ("root", "ADMIN"), ("rita", "READER")]


class OpenAPITest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._scope = contextlib.ExitStack()
        try:
            directory = cls._scope.enter_context(tempfile.TemporaryDirectory(prefix="spalloc-openapi-"))
            cls.machine = cls._scope.enter_context(simulator("2x2"))
            cls.daemon = Daemon(
                directory, cls.machine.ready, timings={"long-poll": 0.05}, **{
                    "maximum-body": 65536, "emergency-stop-code": "not to be guessed",
                    "users": [{"name": name, "password": name, "trust-level": level} for name, level in USERS]})
            cls._scope.callback(cls.daemon.kill)
            cls.daemon.start()
            cls.rest = {name: Rest(cls.daemon.url, name, name) for name, _ in USERS}
            cls.schema = schemathesis.openapi.from_url(cls.daemon.url + "srv/openapi.json")
            cls.operations = [result.ok() for result in cls.schema.get_all_operations()]
            # One job whose board is booted, for memory; nothing else is done with it.
            cls.mine = []
            cls.booted = cls.rest[USER].create(1)
            cls.rest[USER].wait(cls.booted, "READY")
            cls.boot(cls.rest[USER].machine(cls.booted)["connections"][0][1])
        except BaseException:
            cls._scope.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls._scope.close()

    @staticmethod
    def boot(address):
        from spinn_utilities.config_holder import set_config
        from spinnman.config_setup import unittest_setup
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        from spinnman.transceiver import create_transceiver_from_hostname
        unittest_setup()
        set_config("Machine", "version", "5")
        SpiNNManDataWriter.mock()
        create_transceiver_from_hostname(address, ensure_board_is_ready=True).close()

    def aim(self, case, chance):
        """Most of what is made up is about something that is there: a job in any state, the machine, a chip of the booted board."""
        memory = case.path.endswith(("/memory", "/router"))
        if "name" in case.path_parameters and chance.random() < 0.8:
            case.path_parameters["name"] = "sim"
        if "id" in case.path_parameters and (memory or chance.random() < 0.9 or case.path_parameters["id"] == self.booted):
            case.path_parameters["id"] = self.booted if memory else chance.choice(self.jobs_of_the_user())
        if case.operation.label == "POST /srv/spalloc/jobs" and isinstance(case.body, dict) and chance.random() < 0.7:
            # What is made up is never the name of a user or a machine.
            for name in ("owner", "machine-name", "tags", "group", "nmpi-collab"):
                case.body.pop(name, None)
            case.body["keepalive-interval"] = chance.choice(("PT60S", 120, "PT2M0.5S", 300.0))
        if memory and "address" in [parameter.name for parameter in case.operation.query]:
            # Elsewhere a board may well fall silent, as hardware does.
            if re.fullmatch(r"[-+]?\d+", str(case.query.get("address", 0))):
                case.query["address"] = 0x6000_0000 + chance.randrange(1 << 20)
            if chance.random() < 0.7:
                case.query.update(x=chance.randrange(4), y=chance.randrange(4))

    def jobs_of_the_user(self):
        """One that has boards, one that waits, and whatever others there are; but not the one that is booted."""
        rest, live = self.rest[USER], self.rest["root"].live_jobs()
        self.mine = [job for job in self.mine if job in live]
        if len(self.mine) < 2:
            self.mine = [rest.create(1), rest.create(11)]
        return self.mine

    def attack(self, user, mode, limit):
        """Every operation, so often as there is time; gives the number of requests by status."""
        rest, chance, seen = self.rest[user], random.Random(SEED), {}
        for operation in self.operations:
            with self.subTest(user=user, mode=mode.name, operation=operation.label):
                @hypothesis.seed(SEED)
                @hypothesis.settings(
                    max_examples=EXAMPLES, deadline=None, database=None, derandomize=False,
                    phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck))
                @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
                def run(case):
                    if time.monotonic() > limit:
                        return
                    self.aim(case, chance)
                    # The session goes before whatever the generator has made up.
                    case.cookies.clear()
                    case.headers.pop("Authorization", None)
                    case.headers["X-CSRF-TOKEN"] = rest.http.headers["X-CSRF-TOKEN"]
                    reply = case.call(session=rest.http, timeout=30)
                    seen[reply.status_code] = seen.get(reply.status_code, 0) + 1
                    case.validate_response(reply, checks=CHECKS)
                    allowed = (502, 504) if operation.path.endswith(("/memory", "/router")) else ()
                    self.assertTrue(
                        reply.status_code < 500 or reply.status_code in allowed, f"{case.as_curl_command()}\n{reply.text}")
                    if reply.status_code >= 400:
                        self.assertRegex(reply.text, r"\A[^\n]+\n\Z", "one line that says why")
                try:
                    run()
                except hypothesis.errors.Unsatisfiable:
                    # Nothing about this operation can be wrong.
                    self.assertEqual(mode, GenerationMode.NEGATIVE)
        return seen

    def test_whatever_is_sent(self):
        kept = [self.rest["root"].create(1), self.booted]
        before = [self.rest["root"].job(job)["original-request"] for job in kept]
        started = time.monotonic()
        limit = started + TIME
        total = {}
        for user, _ in USERS:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                for status, count in self.attack(user, mode, limit).items():
                    total[status] = total.get(status, 0) + count
        print(f"{sum(total.values())} requests in {time.monotonic() - started:.0f} s: {dict(sorted(total.items()))}")
        for status in (200, 201, 202, 204, 400, 403, 404):
            self.assertIn(status, total, "the requests are not of all kinds")
        # All that was there is there: jobs may have ended, and none is forgotten.
        after = [self.rest["root"].job(job)["original-request"] for job in kept]
        self.assertEqual(after, before)
        self.assertEqual(self.daemon.query("PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(self.daemon.query(
            "SELECT board_id FROM job_board WHERE released_at IS NULL GROUP BY board_id HAVING count(*) > 1"), [])
        with open(f"{self.daemon.directory}/log-1") as log:
            self.assertNotIn("unexpected error", log.read())

    def test_nobody_is_let_in(self):
        """Without a login, whatever is sent is a 401; but for the document."""
        chance = random.Random(SEED)
        for operation in self.operations:
            with self.subTest(operation=operation.label):
                @hypothesis.seed(SEED)
                @hypothesis.settings(
                    max_examples=4, deadline=None, database=None, phases=[hypothesis.Phase.generate],
                    suppress_health_check=list(hypothesis.HealthCheck))
                @hypothesis.given(case=operation.as_strategy())
                def run(case):
                    case.cookies.clear()
                    case.headers.pop("Authorization", None)
                    if "id" in case.path_parameters:
                        case.path_parameters["id"] = chance.choice((self.booted, 1, 999_999))
                    reply = case.call(timeout=30)
                    if operation.path == "/srv/openapi.json":
                        self.assertEqual(reply.status_code, 200)
                    elif operation.path.startswith("/proxy/"):
                        # No upgrade: nothing is there.
                        self.assertEqual(reply.status_code, 404)
                    else:
                        self.assertEqual(reply.status_code, 401)
                        self.assertIn("www-authenticate", reply.headers)
                run()


if __name__ == "__main__":
    unittest.main(verbosity=2)
