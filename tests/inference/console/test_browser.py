"""The console in a real browser: usable on a phone, by keyboard and by ear, and nothing is asked of anybody else."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from feature_repo.home import Home
from inference.console.pages import LINKS
from tests.serving import serving

webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: make setup")
BROWSER, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no browser: apt-get install chromium chromium-driver")

PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def address(world: Home) -> Iterator[str]:
    """A server of its own process."""
    with serving(world) as (client, _):
        yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a screen; what it asks for is written down."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for told in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(told)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def _size(browser: Any, size: tuple[int, int]) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE},
    )


def _asked(browser: Any) -> set[str]:
    """Addresses that pages asked for."""
    told = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"}
    return {url for url in urls if not url.startswith(("data:", "chrome", "about:"))}


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


@pytest.mark.parametrize("dark", [False, True], ids=["day", "night"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_can_be_read(browser: Any, address: str, size: tuple[int, int], dark: bool) -> None:
    _size(browser, size)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    for path in (*(path for path, _ in LINKS), "/console/recommend?user=u000007&count=5", "/console/login"):
        browser.get(address + path)
        wide = browser.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], (path, wide)
        assert browser.execute_script(CONTRAST) == [], path
        told = [one for one in browser.get_log("browser") if one["level"] in ("WARNING", "SEVERE")]
        assert told == [], path
    assert all(url.startswith(address) for url in _asked(browser))


def test_every_control_has_a_name(browser: Any, address: str) -> None:
    """What a screen reader says of it, by the browser's own accessibility tree."""
    for path in (*(path for path, _ in LINKS), "/console/login"):
        browser.get(address + path)
        nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        told = [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored") and "role" in node
        ]
        controls = [
            one for one in told
            if one[0] in ("textbox", "button", "link", "combobox", "spinbutton", "image", "region", "navigation")
        ]  # fmt: skip
        assert controls
        assert all(name for _, name in controls), (path, controls)
        roles = [role for role, _ in told]
        assert roles.count("main") == 1
        assert "heading" in roles


def test_by_keyboard(browser: Any, address: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    _size(browser, DESK)
    browser.get(address + "/console/recommend")
    page = browser.find_element(By.TAG_NAME, "body")
    page.send_keys(Keys.TAB)
    first = browser.switch_to.active_element
    assert first.text == "To the content"
    assert first.rect["x"] >= 0  # it shows itself when it is reached
    for _ in range(len(LINKS) + 1):
        browser.switch_to.active_element.send_keys(Keys.TAB)
    field = browser.switch_to.active_element
    assert field.get_attribute("name") == "user"
    field.send_keys("u000007", Keys.ENTER)
    assert len(browser.find_elements(By.CSS_SELECTOR, "ol.tracks li")) == 10


def test_a_sound_and_a_score(browser: Any, address: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    at = np.arange(4 * 22_050) / 22_050
    song = tmp_path / "song.wav"
    soundfile.write(song, np.where(at % 0.5 < 0.01, 0.8, 0.1 * np.sin(2 * np.pi * 220 * at)), 22_050)
    browser.get(address + "/console/sound")
    browser.find_element(By.NAME, "file").send_keys(str(song))
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    assert browser.find_element(By.TAG_NAME, "figcaption").text.startswith("Waveform of 4.0 seconds with")
    assert "a minute" in browser.find_element(By.TAG_NAME, "main").text
    browser.get(address + "/console/anomalies")
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    assert "1 incident" in browser.find_element(By.TAG_NAME, "h2").text
    assert browser.find_elements(By.CSS_SELECTOR, "svg circle")
    assert all(url.startswith(address) for url in _asked(browser))
