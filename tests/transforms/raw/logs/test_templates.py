"""Log lines grouped into templates."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from transforms.raw.logs.templates import MOST, Templates


@pytest.mark.parametrize(("system", "published"), [("Apache", 1.0), ("OpenSSH", 0.788), ("Linux", 0.69)])
def test_templates_group_lines_as_drain_was_published_to(real_data: Path, system: str, published: float) -> None:
    """Grouping accuracy: share of lines whose group equals the true group (J. Zhu and others, ICSE-SEIP 2019)."""
    path = real_data / "loghub" / system / f"{system}_2k.log_structured.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    templates = Templates().learn(row["Content"] for row in rows)
    lines_of_template, lines_of_event = defaultdict(set), defaultdict(set)
    for number, row in enumerate(rows):
        lines_of_template[templates[number]].add(number)
        lines_of_event[row["EventId"]].add(number)
    true_groups = list(lines_of_event.values())
    accuracy = sum(len(group) for group in lines_of_template.values() if group in true_groups) / len(rows)
    assert accuracy == pytest.approx(published, abs=0.005)


def test_a_template_keeps_what_all_its_lines_share() -> None:
    templates = Templates()
    lines = [f"Accepted password for {user} from 10.0.0.{n} port {n} ssh2" for n, user in enumerate(("ann", "bob"))]
    shared = "Accepted password for <*> from <*> port <*> ssh2"
    assert templates.learn(lines) == [shared, shared]
    later = ["Accepted password for cy from 1.2.3.4 port 7 ssh2", "something else entirely"]
    assert templates.learn(later) == [shared, "something else entirely"]


def test_templates_are_bounded() -> None:
    templates = Templates()
    templates.learn(
        f"same start word{chr(97 + number % 26)}{'x' * (number // 26)} q{'y' * number}" for number in range(MOST + 50)
    )
    assert max(len(groups) for groups in templates._groups.values()) <= MOST
