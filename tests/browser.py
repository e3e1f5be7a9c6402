"""A headless Chromium for the tests of pages: what is drawn, logged and fetched."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


class Browser:
    """One window on one page."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (*QUIET, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))

    def open(self, page: Path, width: int = 1280, height: int = 800, scheme: str = "light") -> None:
        """Load the page anew and wait until its figures are drawn."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.use_scheme(scheme)
        self.console(), self.fetched()  # of the page before
        self.driver.get(page.as_uri())
        self.until(lambda: self.script("return document.querySelectorAll('.plot .legend').length"))

    def use_scheme(self, scheme: str) -> None:
        """Light or dark, as the reader's system would ask for."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait for what the page does in its own time; an error after a minute."""
        WebDriverWait(self.driver, 60).until(lambda _: condition())

    def script(self, code: str, *arguments):
        return self.driver.execute_script(code, *arguments)

    def all(self, selector: str) -> list:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def console(self) -> list[str]:
        """What the page has logged since it was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def fetched(self) -> list[str]:
        """Every URL asked for since it was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def picture_of(self, element) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(element.screenshot_as_base64))).convert("RGB")
