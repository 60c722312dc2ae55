"""Chromium without a screen, for tests of pages: requests are logged."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
NO_BROWSER = "no browser: apt-get install chromium chromium-driver"
PHONE, DESK = (390, 844), (1280, 900)

# relative luminance and contrast of the Web Content Accessibility Guidelines 2.1
CONTRAST = """
const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = ([r, g, b]) => { const f = [r, g, b].map(linear);
  return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] };
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const behind = node => { for (; node; node = node.parentElement) {
  const color = rgb(getComputedStyle(node).backgroundColor);
  if (color.length < 4 || color[3] > 0) return color } return [255, 255, 255] };
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
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.implicitly_wait(10)  # an answer to a form takes its time
    try:
        yield driver
    finally:
        driver.quit()


def resize(browser: Any, size: tuple[int, int], dark: bool = False) -> None:
    """Sets the size of the window, and light or dark colours."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


def requested_urls(browser: Any) -> set[str]:
    """Returns the URLs that pages have requested over the network."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    return {url for url in urls if not url.startswith(("data:", "chrome", "about:"))}


def illegible_parts(browser: Any) -> list[Any]:
    """Returns texts with too little contrast, and the two widths if the page is wider than the window."""
    widths = browser.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    return [*browser.execute_script(CONTRAST), *([widths] if widths[0] > widths[1] else [])]


def console_warnings(browser: Any) -> list[Any]:
    """Returns the warnings and errors in the console of the browser."""
    return [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
