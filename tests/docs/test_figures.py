"""Every figure of quality says what it was judged on: development data, held-out data, or data never seen."""

import re

import pytest

from benchmarks.__main__ import JUDGED_ON, NAMES, judged_on
from feature_repo.home import REPOSITORY

JUDGED = re.compile(r"development|held.out|never seen", re.IGNORECASE)
QUALITY = [name for name in NAMES if name.startswith("quality_") or name in ("audio", "off_policy")]
PAGES = sorted({*(REPOSITORY / "docs").glob("*.md")} - {REPOSITORY / "docs" / "benchmarks.md"})
NEAR = 6
"""Lines after the name of a program in which a page says what its figures were judged on."""


@pytest.mark.parametrize("name", QUALITY)
def test_a_program_says_what_its_figures_were_judged_on(name: str) -> None:
    basis = judged_on(name)
    assert basis.startswith(JUDGED_ON)
    assert JUDGED.search(basis) or "published figures" in basis


def test_pages_say_it_beside_the_figures() -> None:
    silent = []
    for page in PAGES:
        lines = page.read_text().splitlines()
        for number, line in enumerate(lines):
            program = re.search(r"`python -m benchmarks\.(\w+)`", line)
            if (
                program
                and program[1] in QUALITY
                and not JUDGED.search("\n".join(lines[max(0, number - 2) : number + NEAR]))
            ):
                silent.append(f"{page.name}:{number + 1} {program[1]}")
    assert not silent


def test_the_readme_says_it() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    quality = readme[readme.index("\nQuality.") :].split("\n\n")[0]
    assert {match.lower() for match in JUDGED.findall(quality)} == {"held out", "development", "never seen"}
