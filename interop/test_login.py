# SPDX-License-Identifier: Apache-2.0
"""Logins at an issuer of another site, in Chromium: what its cookies, redirects and content-security policy make of them."""
import os
import tempfile
import unittest

from selenium.webdriver.common.by import By

from browser import DESKTOP, PHONE, BrowserTest, browser
from issuer import Issuer, issuer
from simulator import simulator
from spallocd import Daemon, wait_for

# To the browser another site than the service's 127.0.0.1.
ISSUER_HOST = "127.0.0.3"


class LoginTest(BrowserTest):
    """One service, issuer and browser for all tests."""

    @classmethod
    def setUpClass(cls):
        directory = cls.enter(tempfile.TemporaryDirectory(prefix="spalloc-login-"))
        machine = cls.enter(simulator())
        cls.issuer = cls.enter(issuer(ISSUER_HOST))
        with open(os.path.join(directory, "oidc.secret"), "w") as text:
            text.write(Issuer.SECRET + "\n")
        cls.daemon = Daemon(directory, machine.ready, oidc={
            "issuer": cls.issuer.url, "audience": "spalloc", "login": {
                "client-id": Issuer.CLIENT, "client-secret-file": "oidc.secret", "display-name": "The Lab",
                "scopes": ["openid", "profile"]}})
        cls.addClassCleanup(cls.daemon.kill)
        cls.daemon.start()
        cls.browser = cls.enter(browser(cls.daemon.url))

    def setUp(self):
        self.issuer.lies = {}
        self.browser.size(DESKTOP)
        self.browser.open("login.html")
        self.browser.driver.delete_all_cookies()
        self.browser.complaints()

    def at_issuer(self, page="login.html"):
        """From the service's form to the issuer's."""
        self.browser.open(page)
        self.browser.driver.find_element(By.LINK_TEXT, "Log in with The Lab").click()
        self.browser.wait("the issuer", lambda: self.browser.driver.current_url.startswith(self.issuer.url))

    def answer(self, button="I am that", user="ada"):
        self.browser.type("user", user)
        self.browser.press(button)

    def link_back(self):
        return self.browser.wait("the link back", lambda: self.browser.driver.find_elements(By.LINK_TEXT, "back"))[0]

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self.browser.driver.get_cookies()}

    def expect_form(self, text):
        self.browser.wait("the form again", lambda: "/system/login.html?error=true" in self.browser.driver.current_url)
        self.assertIn(text, self.browser.text())
        self.browser.open("")
        self.assertIn("/login.html", self.browser.driver.current_url, "nobody is logged in")

    def test_there_and_back_to_the_page_that_was_asked_for(self):
        self.at_issuer("list_jobs")
        before = self.cookies()
        self.answer()
        self.browser.wait("the page", lambda: self.browser.driver.current_url == self.browser.base + "list_jobs")
        self.assertIn("openid.ada", self.browser.text())
        session = self.cookies()["JSESSIONID"]
        self.assertTrue(session["httpOnly"] and session["sameSite"] == "Lax")
        self.assertNotIn("JSESSIONID", before, "cookies of the service are not the issuer's")
        self.assertEqual(self.browser.complaints(), [])
        # It is a session like any other: its forms work, the last one too.
        self.browser.press("Log out")
        self.browser.wait("the form", lambda: "login.html" in self.browser.driver.current_url)
        self.browser.open("list_jobs")
        self.assertIn("/login.html", self.browser.driver.current_url)
        self.assertEqual(
            self.daemon.query("SELECT subject, external, password FROM user WHERE name = 'openid.ada'"), [("id of ada", 1, None)])

    def test_no_is_said_in_the_form(self):
        self.at_issuer()
        self.answer("No")
        self.expect_form("The Lab did not let you in.")

    def test_an_answer_is_of_no_use_in_another_browser(self):
        self.at_issuer()
        self.answer("Show me", "eve")
        link = self.link_back().get_attribute("href")
        # Another browser has none of these cookies.
        self.browser.open("login.html")
        self.browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.browser.driver.get(link)
        self.expect_form("was begun in another browser")
        self.assertEqual(self.daemon.query("SELECT count(*) FROM user WHERE name = 'openid.eve'"), [(0,)])

    def test_going_back_does_not_log_in_twice(self):
        self.at_issuer()
        self.answer("Show me")
        link = self.link_back()
        url = link.get_attribute("href")
        link.click()
        self.browser.wait("the first page", lambda: self.browser.driver.current_url == self.browser.base)
        self.browser.driver.get(url)
        self.browser.wait("the form again", lambda: "/system/login.html?error=true" in self.browser.driver.current_url)

    def test_lies_are_seen(self):
        for lie in ({"nonce": "another"}, {"aud": "spalloc"}, {"iss": "http://127.0.0.4/"}, {"exp": 1_600_000_000}):
            with self.subTest(**lie):
                self.issuer.lies = lie
                self.at_issuer()
                self.answer(user="mallory")
                self.expect_form("cannot be trusted")
        self.assertEqual(self.daemon.query("SELECT count(*) FROM user WHERE name = 'openid.mallory'"), [(0,)])

    def test_nothing_secret_is_in_the_log(self):
        self.at_issuer()
        self.answer("Show me")
        code = self.link_back().get_attribute("href").split("code=")[1]
        self.issuer.codes.clear()
        self.link_back().click()
        self.expect_form("The Lab could not be asked")

        def log():
            with open(os.path.join(self.daemon.directory, "log-1")) as text:
                return text.read()
        wait_for("the reason", lambda: "invalid_grant" in log())
        for secret in (code, Issuer.SECRET, "eyJ", "Basic "):
            self.assertNotIn(secret, log())

    def test_the_form_with_both_ways_fits(self):
        for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
            self.browser.size(size)
            self.browser.open("login.html")
            self.assertLessEqual(self.browser.overflow(), 0)
            self.browser.picture(f"login-issuer-{width}-light")
        self.assertEqual(self.browser.complaints(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
