# SPDX-License-Identifier: Apache-2.0
"""The web pages in Chromium, as people use them: at a desk, on a phone, without colours, and with names that mean harm."""
import json
import os
import socket
import tempfile
import unittest

from selenium.webdriver.common.by import By

from browser import DESKTOP, PHONE, BrowserTest, browser
from simulator import simulator
from spallocd import Daemon, Rest, free_port, wait_for

# To a browser the quote that an accent follows is a quote.
NASTY = "\"\u0301><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>'&"
LONG = "a-reason-without-any-blank-that-goes-on-and-on-" * 4


class PagesTest(BrowserTest):
    """One service and one browser for all tests."""

    @classmethod
    def setUpClass(cls):
        directory = cls.enter(tempfile.TemporaryDirectory(prefix="spalloc-pages-"))
        machine = cls.enter(simulator("3x2", "--dead-board", "2,1,2"))
        cls.v1_port = free_port()
        cls.nasty_user = "n" + NASTY
        cls.daemon = Daemon(directory, machine.ready, v1={"enabled": True, "port": cls.v1_port}, users=[
            {"name": "alice", "password": "alice's password"},
            {"name": "root", "password": "root's password", "trust-level": "ADMIN"},
            {"name": cls.nasty_user, "password": "p"}],
            groups=[{"name": "lab", "board-hours": 500, "members": ["alice"]}])
        cls.addClassCleanup(cls.daemon.kill)
        cls.daemon.start()
        cls.alice = Rest(cls.daemon.url)
        cls.root = Rest(cls.daemon.url, "root", "root's password")
        cls.browser = cls.enter(browser(cls.daemon.url))

    def setUp(self):
        self.browser.size(DESKTOP)
        self.browser.log_in("alice", "alice's password")
        self.browser.complaints()

    def tearDown(self):
        for job in self.root.live_jobs():
            self.root.destroy(job)
        self.wait_free()
        for board in ("0,0,2", "2,0,1"):
            self.put(board, True)

    def wait_free(self):
        wait_for("all boards to be off", lambda: self.daemon.query(
            "SELECT count(*) FROM job_board WHERE released_at IS NULL") == [(0,)])

    def put(self, board, in_service, reason=""):
        """In service or out of it, as an administrator does."""
        self.root.http.post(self.daemon.url + "system/admin/boards", timeout=60, data={
            "_csrf": self.root.http.headers["X-CSRF-TOKEN"], "machine": "sim", "where": board,
            "enabled": "true" if in_service else "false", "reason": reason}).raise_for_status()

    def ready(self, rest, boards=3):
        job = rest.create(boards)
        rest.wait(job, "READY")
        return job

    def marks(self):
        """What the map says of each board, in words."""
        return self.browser.script("return [...document.querySelectorAll('svg title')].map((one) => one.textContent)")

    def check_page(self, path):
        """What holds for every page."""
        self.browser.open(path)
        self.assertRegex(self.browser.driver.title, r"^\S.* · Spalloc$", path)
        self.assertEqual(len(self.browser.driver.find_elements(By.TAG_NAME, "h1")), 1, path)
        unnamed = self.browser.script("""
            return [...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
                .filter((one) => one.labels.length === 0).map((one) => one.outerHTML)""")
        self.assertEqual(unnamed, [], path)
        self.assertEqual(self.browser.script("return document.querySelectorAll('[style], main script').length"), 0, path)
        self.assertLessEqual(self.browser.overflow(), 0, f"{path} is to be scrolled sideways")

    # MARK: - Use

    def test_a_wrong_password_is_said_in_the_form(self):
        self.browser.driver.delete_all_cookies()
        self.browser.open("login.html")
        self.browser.type("username", "alice")
        self.browser.type("password", "not it")
        self.browser.press("Log in")
        self.browser.wait("the form again", lambda: "is wrong" in self.browser.text())
        self.browser.type("username", "alice")
        self.browser.type("password", "alice's password")
        self.browser.press("Log in")
        self.browser.wait("the first page", lambda: self.browser.driver.current_url.endswith("/system/"))

    def test_the_map_changes_while_one_looks(self):
        self.browser.open("machine_info/sim")
        self.browser.wait("the stream", lambda: self.browser.script("return document.getElementById('live').textContent")
                          .startswith("Live"))
        before = self.browser.driver.current_url
        self.browser.script("window.stayed = true")
        self.assertFalse(any("of job" in mark for mark in self.marks()))
        job = self.alice.create(3)
        self.browser.wait("the job on the map", lambda: sum(f"of job {job}, on" in mark for mark in self.marks()) == 3)
        self.alice.destroy(job)
        self.browser.wait("free boards", lambda: not any("of job" in mark for mark in self.marks()))
        # It is the same page all the time, not loaded anew.
        self.assertTrue(self.browser.script("return window.stayed === true"))
        self.assertEqual(self.browser.driver.current_url, before)
        self.assertEqual(self.browser.complaints(), [])

    def test_the_list_of_jobs_changes_while_one_looks(self):
        self.browser.open("list_jobs")
        job = self.ready(self.alice, 1)
        self.browser.wait("the job in the list", lambda: f"{job}" in self.browser.text() and "READY" in self.browser.text())

    def test_a_long_list_of_jobs_has_pages_that_stay_what_they_are(self):
        jobs = [self.alice.create(1) for _ in range(102)]
        self.browser.open("list_jobs")
        self.browser.script("document.querySelector('.pages').scrollIntoView()")
        self.browser.driver.find_element(By.LINK_TEXT, "Older jobs").click()
        self.browser.wait("the second page", lambda: "start=100" in self.browser.driver.current_url)
        self.assertIn("101 to 102 of 102", self.browser.text())
        for size, name in ((DESKTOP, "desktop"), (PHONE, "phone")):
            self.browser.size(size)
            self.check_page("list_jobs?start=100")
            self.browser.picture(f"jobs-second-page-{name}-light")
        # What changes shows on this page, which is still the second.
        self.alice.destroy(jobs[-1])
        self.browser.wait("one job less", lambda: "101 to 101 of 101" in self.browser.text())
        self.assertEqual(self.browser.complaints(), [])
        # What is left is on the one page that is tidied up afterwards.
        for job in jobs[:50]:
            self.alice.destroy(job)

    def test_a_change_between_page_and_stream_is_not_lost(self):
        """The page is there, its stream is not yet: what happens then must be seen all the same."""
        self.browser.driver.execute_cdp_cmd("Network.enable", {})
        self.browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/system/resources/live.js*"]})
        self.browser.open("list_jobs")
        job = self.ready(self.alice, 1)
        self.assertNotIn("READY", self.browser.text())
        self.browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        self.browser.complaints()
        self.browser.script("""
            const script = document.createElement('script');
            script.src = document.querySelector('script').src;
            document.head.append(script);""")
        self.browser.wait("the job", lambda: "READY" in self.browser.text() and str(job) in self.browser.text())

    def test_a_job_is_destroyed_by_its_button(self):
        job = self.ready(self.alice)
        self.browser.open(f"job_info/{job}")
        # While the page is still settling, the script may put a new one of these in place of the old.
        self.browser.wait("the form", lambda: self.browser.script("return document.getElementById('live').textContent")
                          .startswith("Live, as of"))
        self.browser.driver.find_element(By.XPATH, "//summary[contains(., 'Destroy')]").click()
        self.browser.type("reason", "seen enough")
        self.browser.press(f"Destroy job {job}")
        self.browser.wait("the end", lambda: "DESTROYED" in self.browser.text())
        self.assertIn("seen enough", self.browser.text())
        self.assertEqual(self.alice.job(job)["reason"], "seen enough")
        self.assertEqual(self.browser.complaints(), [])

    def test_power_is_switched_and_the_page_follows(self):
        job = self.ready(self.alice)
        self.browser.open(f"job_info/{job}")
        for label, power in (("Switch off", "OFF"), ("Switch on", "ON")):
            self.browser.wait(label, lambda: self.browser.driver.find_elements(By.XPATH, f"//button[.='{label}']"))
            self.browser.press(label)
            wait_for(power, lambda: self.alice.call("GET", f"jobs/{job}/machine/power").json()["power"] == power
                     and self.alice.state(job) == "READY")

    def test_keys_alone_are_enough(self):
        """The first key leads past the navigation; the map and its table are reachable."""
        self.browser.open("machine_info/sim")
        self.browser.driver.find_element(By.TAG_NAME, "body").send_keys("\ue004")
        self.assertEqual(self.browser.script("return document.activeElement.textContent"), "Skip to the content")
        self.assertGreaterEqual(self.browser.script("return document.activeElement.getBoundingClientRect().left"), 0)

    # MARK: - Harm

    def test_names_that_mean_harm_are_text(self):
        with socket.create_connection(("127.0.0.1", self.v1_port), timeout=30) as v1:
            v1.sendall(json.dumps(
                {"command": "create_job", "args": [1], "kwargs": {"owner": NASTY, "keepalive": None}}).encode() + b"\n")
            legacy = json.loads(v1.makefile().readline())["return"]
        job = self.root.call("POST", "jobs/", json={
            "owner": self.nasty_user, "num-boards": 1, "keepalive-interval": 60}).json()["job-id"]
        ended = self.root.create(1)
        self.root.call("DELETE", f"jobs/{ended}", params={"reason": NASTY})
        self.root.wait(job, "READY")
        # Out of service, with a reason that an administrator typed.
        self.browser.log_in("root", "root's password")
        self.browser.open("admin/boards?machine=sim&where=0,0,2")
        self.browser.type("reason", NASTY.replace("\u0301", ""))
        self.browser.driver.find_element(By.CSS_SELECTOR, "form[method=post] button:not(.quiet)[type=submit]")
        self.browser.script("document.getElementById('reason').form.requestSubmit()")
        self.browser.wait("out of service", lambda: "out of service" in self.browser.text())
        for path in ("", "list_machines", "machine_info/sim", "list_jobs", f"job_info/{job}", f"job_info/{legacy}",
                     f"job_info/{ended}", "admin/", "admin/users", "admin/machine", "admin/boards?machine=sim&where=0,0,2",
                     "admin/reports"):
            self.check_page(path)
            self.assertNotEqual(self.browser.driver.title, "owned", path)
            self.assertEqual(self.browser.script("return document.querySelectorAll('img').length"), 0, path)
            self.assertEqual(self.browser.complaints(), [], path)
        for one in (job, legacy):
            self.browser.open(f"job_info/{one}")
            self.assertIn("<script>document.title='owned'</script>", self.browser.text())

    # MARK: - Looks

    def test_every_page_at_every_width(self):
        mine = self.ready(self.alice)
        self.ready(self.root, 1)
        dark = self.ready(self.alice, 1)
        self.alice.call("POST", f"jobs/{dark}/machine/power", json={"power": "OFF"})
        wait_for("off", lambda: self.alice.state(dark) == "READY")
        self.put("2,0,1", False, "its fan makes a noise")
        waiting = self.alice.create(12)
        self.alice.call("POST", f"jobs/{mine}/report-issue", json={
            "issue": "does not boot " + LONG, "boards": [{"machine": "sim", "chip": [0, 0]}]})
        ended = self.alice.create(1)
        self.alice.call("DELETE", f"jobs/{ended}", params={"reason": LONG})
        pages = {
            "alice": {
                "start": "", "machines": "list_machines", "machine": "machine_info/sim", "jobs": "list_jobs",
                "job": f"job_info/{mine}", "job-off": f"job_info/{dark}", "job-queued": f"job_info/{waiting}",
                "job-ended": f"job_info/{ended}", "account": "change_password", "not-found": "job_info/999999",
            },
            "root": {
                "admin": "admin/", "admin-users": "admin/users", "admin-machines": "admin/machine",
                "admin-board": "admin/boards?machine=sim&where=0,0,0", "admin-reports": "admin/reports",
                "admin-groups": "admin/groups", "admin-group": "admin/groups/1", "admin-user": "admin/users/1",
                "admin-health": "admin/boards?machine=sim&where=0,0,0&health=true", "admin-machine": "machine_info/sim",
            },
        }
        for user, those in pages.items():
            self.browser.size(DESKTOP)
            self.browser.log_in(user, f"{user}'s password")
            for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
                for theme in ("light", "dark"):
                    self.browser.size(size, dark=theme == "dark")
                    for name, path in those.items():
                        with self.subTest(page=name, width=width, theme=theme):
                            self.check_page(path)
                            # What is not there is to be told so; else nothing is wrong.
                            complaints = [one for one in self.browser.complaints() if "404" not in one or name != "not-found"]
                            self.assertEqual(complaints, [], name)
                            self.browser.picture(f"{name}-{width}-{theme}")
        self.browser.driver.delete_all_cookies()
        for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
            self.browser.size(size)
            self.check_page("login.html")
            self.browser.picture(f"login-{width}-light")


if __name__ == "__main__":
    unittest.main(verbosity=2)
