"""Every rule of the semantics page names a test that exists."""

import re

from feature_repo.home import REPOSITORY

PAGE = (REPOSITORY / "docs" / "semantics.md").read_text()


def test_every_rule_names_its_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| rule", "|--"))]
    assert len(rows) > 40
    for row in rows:
        references = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert references, row
        for path, name in references:
            assert f"def {name}(" in (REPOSITORY / path).read_text(), (path, name)


def test_every_section_has_rules() -> None:
    for section in PAGE.split("\n## ")[1:]:
        assert "\n| rule | test |\n" in section, section.splitlines()[0]
