# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for a test: log in, look, and keep pictures of what was seen."""
import base64
import contextlib
import os
import tempfile
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from demo_service import ROOT

LIMIT = 60.0
SCREENSHOTS = os.path.join(ROOT, ".artifacts", "screenshots")
PHONE, DESKTOP = (360, 740), (1280, 800)


class BrowserTest(unittest.TestCase):
    """Tests that share a service and a browser: what the class enters is left after its last test, or when it cannot begin."""

    @classmethod
    def enter(cls, scope):
        value = scope.__enter__()
        cls.addClassCleanup(scope.__exit__, None, None, None)
        return value


class Browser:
    """One window, with a session of its own."""

    def __init__(self, driver, url):
        self.driver = driver
        self.base = url + "system/"

    def size(self, size, dark=False):
        width, height = size
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 2 if width < 500 else 1, "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def open(self, path):
        self.driver.get(self.base + path)

    def log_in(self, user, password):
        self.driver.delete_all_cookies()
        self.open("login.html")
        self.type("username", user)
        self.type("password", password)
        self.press("Log in")
        self.wait("the first page", lambda: "login" not in self.driver.current_url and "perform" not in self.driver.current_url)

    def type(self, name, text):
        field = self.driver.find_element(By.ID, name)
        field.clear()
        field.send_keys(text)

    def press(self, label):
        self.driver.find_element(By.XPATH, f"//button[normalize-space()={label!r}]").click()

    def wait(self, what, condition):
        return WebDriverWait(self.driver, LIMIT, poll_frequency=0.05).until(lambda _: condition(), what)

    def script(self, text):
        return self.driver.execute_script(text)

    def text(self):
        """What somebody reads."""
        return self.script("return document.body ? document.body.innerText : ''")

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def complaints(self):
        """What the browser has said since the last time: errors of scripts, what the policy forbade, what was not found."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self, name):
        os.makedirs(SCREENSHOTS, exist_ok=True)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": {
            "x": 0, "y": 0, "scale": 1, "width": self.script("return document.documentElement.clientWidth"),
            "height": min(self.script("return document.documentElement.scrollHeight"), 4000)}})
        with open(os.path.join(SCREENSHOTS, name + ".png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def browser(url):
    """Debian's Chromium and its driver, in a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="spalloc-browser-") as profile:
        # In a container the sandbox has no user namespaces, and /dev/shm is small. The only pages are ours.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
                         "--force-color-profile=srgb", "--no-first-run", "--disable-background-networking",
                         f"--user-data-dir={profile}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))
        try:
            driver.set_page_load_timeout(LIMIT)
            yield Browser(driver, url)
        finally:
            driver.quit()
