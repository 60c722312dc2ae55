"""Links, line lengths and banned phrases of the Markdown pages. ``make lint`` runs these tests as well."""

import re

from feature_repo.home import REPOSITORY
from tests.repository import PAGES


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)\)", (REPOSITORY / page).read_text()):
            if "://" not in link:
                assert ((REPOSITORY / page).parent / link).exists(), (page, link)


def test_lines_of_prose_fit_a_screen() -> None:
    """Tables and code may be wider."""
    for page in PAGES:
        is_code = False
        for number, line in enumerate((REPOSITORY / page).read_text().splitlines(), 1):
            is_code ^= line.lstrip().startswith("```")
            assert len(line) <= 120 or is_code or line.startswith("|"), (page, number)


def test_prose_has_none_of_the_glossarys_banned_phrases() -> None:
    glossary = (REPOSITORY / "docs" / "glossary.md").read_text()
    banned = re.findall(r"^\| (.+?) \|", glossary.partition("## Words that we do not use")[2], re.M)[1:]
    phrases = re.compile(r"\b(" + "|".join(map(re.escape, banned)) + r")\b", re.I)
    assert len(banned) > 5
    for page in PAGES:
        if page != "docs/glossary.md":
            for number, line in enumerate((REPOSITORY / page).read_text().splitlines(), 1):
                assert not phrases.search(line), (page, number, line)
