"""Hostile names, notes and ids leave as texts: on pages, in cards, tables, reports, and on a terminal."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from feature_repo.command_line import command_line, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.csv_text import read_back
from inference.anomaly import page as incidents_page
from inference.anomaly.observation import Detections, IncidentReport
from inference.security.audit import AuditLog
from refrain.cli import app
from refrain.compliance.check import Judgement, Report
from refrain.compliance.report import as_json, as_junit
from refrain.compliance.rule import Breach, Rule
from refrain.data_contract import report as contract_report
from refrain.data_contract.result import Result as Contracted
from refrain.lineage import page as lineage_page
from refrain.lineage.graph import Edge, Lineage, Node
from refrain.own_file.page import html, markdown, write_answers
from refrain.own_file.result import Result, Section, Table, Verdict
from tests.hostile import HOSTILE, acts_in_markdown, acts_on_a_page, acts_on_a_terminal
from tests.training.lifecycle.test_promotion import _register
from training import promotions
from training.cards.write import write
from training.reviews import review

LARGEST_PAGE = 200_000
"""Characters of a page or an answer that shows a few texts, however long they are."""


@pytest.fixture(params=HOSTILE)
def text(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


def _result(text: str) -> Result:
    answers = pl.DataFrame({text[:50]: [text, "b"], "share": [float("nan"), 1.0], "plays": [-1, 2]})
    section = Section(text, [text], Table([text, "n"], [[text, 1]], (1,)))
    return Result(text, [text], Verdict("pass", text), [section], answers)


def test_pages_of_a_file(text: str) -> None:
    page = html(_result(text))
    assert not acts_on_a_page(page)
    card = markdown(_result(text))
    assert not acts_in_markdown(card)
    assert len([line for line in card.splitlines() if line.startswith("## ")]) == 2
    assert len(card) < LARGEST_PAGE


def test_answers_as_csv(text: str, tmp_path: Path) -> None:
    write_answers(_result(text).answers, tmp_path / "answers.csv")
    content = (tmp_path / "answers.csv").read_bytes().decode()
    head, first, second = csv.reader(io.StringIO(content, newline=""))
    assert head[0][:1] not in "=+-@"
    assert first[0][:1] not in "=+-@"
    assert first[1:] == ["", "-1"]
    assert second[0] == "b"
    if text.isascii() and text.isprintable() and len(text) < 100:
        assert read_back(first[0]) == text


def test_pages_of_incidents_contracts_and_lineage(text: str) -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    incident = IncidentReport("i", text, start, start + timedelta(minutes=1), 1, 0.001, {text: 0.5})
    detections = Detections("system", text, [], [incident], text)
    assert not acts_on_a_page(incidents_page.page([], detections, [incident]))
    assert not acts_on_a_page(contract_report.page([Contracted("raw", text, text, text, "violated", text)]))
    nodes = [Node("table", text), Node("view", text)]
    lineage = Lineage(nodes, [Edge(*nodes, "value")], {nodes[1]: {text: text}})
    page = lineage_page.draw(lineage, nodes[1])
    assert not acts_on_a_page(page)
    assert len(page) < 10 * LARGEST_PAGE


def test_a_line_of_a_terminal(text: str) -> None:
    shown = command_line("")

    @shown.command()
    def one() -> None:
        say(text)

    @shown.command()
    def other() -> None:
        raise InputError(expected=text, found=text, next_command=text)

    for name in ("one", "other"):
        output = CliRunner().invoke(shown, [name]).output
        assert not acts_on_a_terminal(output)
        assert name == "one" or len(output) < 15_000


def test_arguments_of_commands(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path))
    for arguments in (
        ["signing", "trust", text[:500]],
        ["model", "verify", text[:500]],
        ["keys", "revoke", text[:500]],
    ):
        output = CliRunner().invoke(app, arguments).output
        assert not acts_on_a_terminal(output), arguments


def test_junit_and_json_of_rules(text: str) -> None:
    rule = Rule("a_rule", text, lambda facts: iter([]))
    breach = Breach(text, text, text)
    report = Report({"a_rule": rule}, (Judgement(rule, breach, "error", text),))
    ElementTree.fromstring(as_junit(report))
    assert json.loads(as_json(report))["breaches"][0]["problem"] == text


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("hostile") / "data").ensure()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        _register(home, 0.5)
    return home


def test_cards_of_a_version(registered: Home) -> None:
    for text in HOSTILE.values():
        said = text[:150]
        if said.isprintable():  # others are refused
            review(registered, "made_up:1", by=said, note=said, owner=said)
    promotions.promote(registered, "made_up", 1, reason=" ".join(text[:150] for text in HOSTILE.values()))
    card = write(registered, "made_up", 1, "md")
    yaml.safe_load(card.split("---\n")[1])
    assert not acts_in_markdown(card)
    assert not acts_in_markdown(write(registered, "made_up", 1, "annex-iv"))
    assert not acts_on_a_page(write(registered, "made_up", 1, "html"))
    assert not acts_on_a_terminal(write(registered, "made_up", 1, "json"))


def test_the_audit_log_as_csv_and_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "data").ensure()
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    log = AuditLog(home)
    for text in HOSTILE.values():
        log.put("refused", key=text[:2_000], reason=text[:2_000], path=text[:2_000], address=text[:2_000])
    log.flush()
    lines = CliRunner().invoke(app, ["audit", "show"]).output
    assert not acts_on_a_terminal(lines)
    table = CliRunner().invoke(app, ["audit", "show", "--csv"]).stdout
    rows = list(csv.reader(io.StringIO(table)))
    assert len(rows) == 1 + len(HOSTILE)
    assert not {cell[:1] for row in rows for cell in row} & set("=+-@")
