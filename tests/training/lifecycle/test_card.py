"""A model card in a real browser: phone and desktop size, light and dark, and no request to another address."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_repo.home import Home
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
from training.models.base import Model
from training.pipeline.models import run_model

pytest.importorskip("selenium", reason="no selenium: make setup")
pytestmark = [pytest.mark.journeys, pytest.mark.skipif(not (BROWSER and DRIVER), reason=NO_BROWSER)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def _check_card(browser: Any, card: Path, headings: set[str]) -> None:
    for size in (PHONE, DESK):
        for dark in (False, True):
            resize(browser, size, dark)
            browser.get(card.as_uri())
            assert illegible_parts(browser) == []
            assert console_warnings(browser) == []
    page_headings = browser.execute_script("return [...document.querySelectorAll('h2')].map(node => node.innerText)")
    assert headings <= set(page_headings)
    assert all(url == card.as_uri() for url in requested_urls(browser))


COMMON = {"Gates", "How good it is", "Data", "About, and its limits", "Where it came from"}


def test_the_card_of_a_family(browser: Any, world: Home) -> None:
    _check_card(browser, world.bundles("recommendation") / "1" / "card.html", COMMON | {"For whom"})


def test_the_card_of_a_model_of_rows(browser: Any, own_model: Model, own_world: Home) -> None:
    run_model(own_world, own_model)
    extra_headings = {"For whom", "Calibration", "What moves its answers"}
    _check_card(browser, own_world.bundles("own_model") / "1" / "card.html", COMMON | extra_headings)
    from selenium.webdriver.common.by import By

    text = browser.find_element(By.TAG_NAME, "body").text
    assert "95 % intervals by bootstrap" in text
    assert "skip_rate" in text
    cells = browser.execute_script(
        "return [...document.querySelectorAll('td:first-child span')].map(one => one.innerText)"
    )
    assert set(cells) <= {"passed", "failed", "note"}
    assert "passed" in cells
