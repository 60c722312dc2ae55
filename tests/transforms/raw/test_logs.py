"""Log lines: parsed, grouped into templates, and stored as events."""

import csv
import os
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.ingest import ingest
from transforms.raw.logs.formats import attempt, parse, years
from transforms.raw.logs.templates import MOST, Templates
from transforms.raw.read import scan


def read(home: Home, path: Path) -> None:
    ingest(home, f"logs:{path.name}", FORMATS["logs"].read(path))


@pytest.mark.parametrize(("system", "published"), [("Apache", 1.0), ("OpenSSH", 0.788), ("Linux", 0.69)])
def test_templates_group_lines_as_drain_was_published_to(real_data: Path, system: str, published: float) -> None:
    """Grouping accuracy: share of lines whose group equals the true group (J. Zhu and others, ICSE-SEIP 2019)."""
    path = real_data / "loghub" / system / f"{system}_2k.log_structured.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    templates = Templates()
    for row in rows:
        templates.learn(row["Content"])
    lines_of_template, lines_of_event = defaultdict(set), defaultdict(set)
    for number, row in enumerate(rows):
        lines_of_template[templates.match(row["Content"])].add(number)
        lines_of_event[row["EventId"]].add(number)
    true_groups = list(lines_of_event.values())
    accuracy = sum(len(group) for group in lines_of_template.values() if group in true_groups) / len(rows)
    assert accuracy == pytest.approx(published, abs=0.005)


def test_a_template_keeps_what_all_its_lines_share() -> None:
    templates = Templates()
    lines = [f"Accepted password for {user} from 10.0.0.{n} port {n} ssh2" for n, user in enumerate(("ann", "bob"))]
    for line in lines:
        templates.learn(line)
    assert {templates.match(line) for line in lines} == {"Accepted password for <*> from <*> port <*> ssh2"}
    assert templates.match("Accepted password for cy from 1.2.3.4 port 7 ssh2") == templates.match(lines[0])
    assert templates.match("something else entirely") == "something else entirely"


def test_templates_are_bounded() -> None:
    templates = Templates()
    for number in range(MOST + 50):
        templates.learn(f"same start word{chr(97 + number % 26)}{'x' * (number // 26)} q{'y' * number}")
    assert max(len(groups) for groups in templates._groups.values()) <= MOST


@pytest.mark.parametrize(
    ("text", "program", "host", "message"),
    [
        ("Dec 10 06:55:46 LabSZ sshd[24200]: hello there", "sshd", "LabSZ", "hello there"),
        ("Jun  9 06:06:01 combo su(pam_unix)[21416]: opened", "su(pam_unix)", "combo", "opened"),
        ("Jun  9 06:06:01 combo syslogd 1.4.1: restart.", "syslog", "combo", "syslogd 1.4.1: restart."),
        ("[Sun Dec 04 04:47:44 2005] [notice] up", "apache", None, "up"),
    ],
)
def test_formats(text: str, program: str, host: str | None, message: str) -> None:
    line = parse(text, 2024)
    assert line is not None
    assert (line.program, line.host, line.message) == (program, host, message)


@pytest.mark.parametrize(
    "text", ["", "no log at all", "Foo 99 99:99:99 a b: c", "Feb 30 01:01:01 a b: c", "[x] [y] z", "\x00\x1b[31m"]
)
def test_what_is_no_log_is_none(text: str) -> None:
    assert parse(text, 2024) is None


def test_years_go_back_at_new_year() -> None:
    assert years([12, 12, 1, 2, 12, 1], 2026) == [2024, 2024, 2025, 2025, 2025, 2026]


@pytest.mark.parametrize(
    ("message", "user", "success", "times"),
    [
        ("Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2", "webmaster", False, 1),
        ("Failed password for root from 1.2.3.4 port 1 ssh2", "root", False, 1),
        ("Accepted password for fztu from 119.137.62.142 port 49116 ssh2", "fztu", True, 1),
        ("message repeated 5 times: [ Failed password for root from 5.36.59.76 port 42393 ssh2]", "root", False, 5),
        (
            "message repeated 99999999 times: [ Failed password for root from 5.6.7.8 port 4 ssh2]",
            "root",
            False,
            10_000,
        ),
    ],
)
def test_attempts_to_log_in(message: str, user: str, success: bool, times: int) -> None:
    line = parse(f"Dec 10 06:55:46 LabSZ sshd[24200]: {message}", 2024)
    assert line is not None
    login = attempt(line)
    assert login is not None
    assert (login.user, login.success, login.times) == (user, success, times)


def test_sshd_becomes_logins_and_importing_again_adds_nothing(home: Home, real_data: Path) -> None:
    path = real_data / "loghub" / "OpenSSH" / "OpenSSH_2k.log"
    if not path.is_file():
        pytest.skip(f"no {path}")
    read(home, path)
    lines, logins = scan(home, "log_lines").collect(), scan(home, "logins").collect()
    assert lines.height == 2_000
    text = path.read_text()
    assert logins.filter("success").height == text.count("Accepted password")
    repeated = sum(
        int(line.split("message repeated ")[1].split()[0]) - 1 for line in text.splitlines() if "repeated" in line
    )
    attempts = len(re.findall(r"(?:Failed|Accepted) \S+ for ", text))
    assert logins.height == attempts + repeated
    report = ingest(home, "logs", FORMATS["logs"].read(path))
    assert [table.added for table in report.tables.values()] == [0, 0]


def test_bad_lines_are_quarantined_and_the_rest_goes_on(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    good_line = b"[Sun Dec 04 04:47:44 2005] [error] mod_jk child 6 in error state\n"
    path.write_bytes(good_line + b"\xff\xfe broken\nwhat is this\n\n" + good_line)
    report = ingest(home, "logs", FORMATS["logs"].read(path))
    counts = report.tables["log_lines"]
    assert (counts.added, counts.quarantined) == (2, 2)
    assert set(counts.reasons) == {"not UTF-8", "of no known log format"}
    rows = scan(home, "log_lines").collect()
    assert rows["number"].to_list() == [0, 1]
    assert rows["host_id"].unique().to_list() == ["web"]
    assert rows["level"].unique().to_list() == ["error"]


def test_a_file_without_any_log_and_an_empty_folder_are_errors(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "poem.log"
    path.write_text("shall I compare thee\n")
    with pytest.raises(InputError, match="no line of a known format"):
        read(home, path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"\*\.log"):
        read(home, tmp_path / "empty")


def test_the_year_is_that_of_the_file_and_never_the_future(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "sys.log"
    path.write_text("Dec 31 23:59:59 a b: old\nJan  1 00:00:01 a b: new\n")
    os.utime(path, (datetime(2023, 1, 2, tzinfo=UTC).timestamp(),) * 2)
    read(home, path)
    times = scan(home, "log_lines").collect().sort("event_timestamp")["event_timestamp"].to_list()
    assert [(moment.year, moment.month) for moment in times] == [(2022, 12), (2023, 1)]
