"""The console in a real browser: usable on a phone, by keyboard and with a screen reader, without foreign requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from feature_repo.home import Home
from inference.console.pages import LINKS
from tests.browser import (
    BROWSER,
    DESK,
    DRIVER,
    NO_BROWSER,
    PHONE,
    chromium,
    console_warnings,
    illegible_parts,
    requested_urls,
    resize,
)
from tests.serving import serving, wait_until

pytest.importorskip("selenium", reason="no selenium: make setup")
pytestmark = [pytest.mark.journeys, pytest.mark.skipif(not (BROWSER and DRIVER), reason=NO_BROWSER)]


CONTROLS = {"textbox", "button", "link", "combobox", "spinbutton", "image", "region", "navigation"}


def roles_and_names(browser: Any) -> list[tuple[str, str]]:
    """Role and name of everything in the accessibility tree."""
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        if not node.get("ignored") and "role" in node
    ]


@pytest.fixture(scope="module")
def address(world: Home) -> Iterator[str]:
    """The address of a server in its own process."""
    with serving(world) as (client, _):
        yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.mark.parametrize("dark", [False, True], ids=["day", "night"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_can_be_read(browser: Any, address: str, size: tuple[int, int], dark: bool) -> None:
    resize(browser, size, dark)
    for path in (*(path for path, _ in LINKS), "/console/recommend?user=u000007&count=5", "/console/login"):
        browser.get(address + path)
        assert illegible_parts(browser) == [], path
        assert console_warnings(browser) == [], path
    assert all(url.startswith(address) for url in requested_urls(browser))


def test_every_control_has_a_name(browser: Any, address: str) -> None:
    """Every control has a role and a name in the browser's accessibility tree, which screen readers use."""
    for path in (*(path for path, _ in LINKS), "/console/login"):
        browser.get(address + path)
        wait_until(lambda: "main" in dict(roles_and_names(browser)))  # the browser builds the tree after the page
        nodes = roles_and_names(browser)
        controls = [(role, name) for role, name in nodes if role in CONTROLS]
        assert controls
        assert all(name for _, name in controls), (path, controls)
        roles = [role for role, _ in nodes]
        assert roles.count("main") == 1
        assert "heading" in roles


def test_by_keyboard(browser: Any, address: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    resize(browser, DESK)
    browser.get(address + "/console/recommend")
    page = browser.find_element(By.TAG_NAME, "body")
    page.send_keys(Keys.TAB)
    skip_link = browser.switch_to.active_element
    assert skip_link.text == "To the content"
    assert skip_link.rect["x"] >= 0  # the link becomes visible when it has the focus
    for _ in range(len(LINKS) + 1):
        browser.switch_to.active_element.send_keys(Keys.TAB)
    field = browser.switch_to.active_element
    assert field.get_attribute("name") == "user"
    field.send_keys("u000007", Keys.ENTER)
    wait_until(lambda: len(browser.find_elements(By.CSS_SELECTOR, "ol.tracks li")) == 10)


def test_a_sound_and_a_score(browser: Any, address: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    times = np.arange(4 * 22_050) / 22_050
    song = tmp_path / "song.wav"
    soundfile.write(song, np.where(times % 0.5 < 0.01, 0.8, 0.1 * np.sin(2 * np.pi * 220 * times)), 22_050)
    browser.get(address + "/console/sound")
    browser.find_element(By.NAME, "file").send_keys(str(song))
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    wait_until(lambda: "Waveform of 4.0 seconds with" in browser.page_source)
    assert "a minute" in browser.find_element(By.TAG_NAME, "main").text
    browser.get(address + "/console/anomalies")
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    wait_until(lambda: "1 incident" in browser.page_source)
    assert browser.find_elements(By.CSS_SELECTOR, "svg circle")
    assert all(url.startswith(address) for url in requested_urls(browser))
