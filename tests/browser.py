"""Chromium without a screen, for tests of pages: what it asks for is written down."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
NONE = "no browser: apt-get install chromium chromium-driver"
PHONE, DESK = (390, 844), (1280, 900)

# relative luminance and contrast of the Web Content Accessibility Guidelines 2.1
CONTRAST = """
const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = ([r, g, b]) => { const f = [r, g, b].map(linear);
  return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] };
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const behind = node => { for (; node; node = node.parentElement) {
  const told = rgb(getComputedStyle(node).backgroundColor);
  if (told.length < 4 || told[3] > 0) return told } return [255, 255, 255] };
return [...document.querySelectorAll('p, td, th, a, li, label, h1, h2, span, code, figcaption, button')]
  .filter(node => node.innerText && node.offsetParent)
  .map(node => { const a = light(rgb(getComputedStyle(node).color)), b = light(behind(node));
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.outerHTML.slice(0, 80)] })
  .filter(([ratio]) => ratio < 4.5)
"""


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A browser with a profile of its own."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for told in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(told)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.implicitly_wait(10)  # an answer to a form takes its time
    try:
        yield driver
    finally:
        driver.quit()


def sized(browser: Any, size: tuple[int, int], dark: bool = False) -> None:
    """As on a phone or a desk, by day or by night."""
    told = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", told)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


def asked(browser: Any) -> set[str]:
    """Addresses that pages asked for."""
    told = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"}
    return {url for url in urls if not url.startswith(("data:", "chrome", "about:"))}


def unreadable(browser: Any) -> list[Any]:
    """Texts whose contrast is too small; and how much wider than the window the page is."""
    wide = browser.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    return [*browser.execute_script(CONTRAST), *([wide] if wide[0] > wide[1] else [])]


def complaints(browser: Any) -> list[Any]:
    """What the browser warned of."""
    return [one for one in browser.get_log("browser") if one["level"] in ("WARNING", "SEVERE")]
