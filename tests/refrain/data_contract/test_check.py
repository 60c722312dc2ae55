"""Each kind of check fails where the data break it, and passes where they keep it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.home import Home
from refrain.cli import app
from refrain.data_contract.check import check
from refrain.data_contract.result import Result
from tests.refrain.data_contract.conftest import START, Edit, column, plays
from transforms import parquet
from transforms.data_contracts.document import Column, Rule
from transforms.data_contracts.row_rules import RowRule, _of_column, is_counted
from transforms.raw.ingest import Batch, ingest

Agreed = Callable[..., Path]


def bad(results: list[Result]) -> list[tuple[str, str, str]]:
    """Check, column and status of what is not fine."""
    return [(one.check, one.column, one.status) for one in results if one.status in ("violated", "warning")]


def _quality(name: str | None, **rule: Any) -> Edit:
    def edit(contract: dict[str, Any]) -> None:
        place = contract["schema"][0] if name is None else column(contract, name)
        place["quality"] = [rule]

    return edit


def _sla(**level: Any) -> Edit:
    return lambda contract: contract.update(slaProperties=[level])


def test_data_as_declared_are_fine(filled: Home, agreed: Agreed) -> None:
    agreed()
    assert bad(check(filled)) == []


CASES: list[tuple[Edit, Edit, tuple[str, str]]] = [
    (
        lambda contract: column(contract, "ms_played")["logicalTypeOptions"].update(maximum=1_040),
        lambda contract: column(contract, "ms_played")["logicalTypeOptions"].update(maximum=1_049),
        ("ranges", "ms_played"),
    ),
    (
        lambda contract: column(contract, "artist_id").update(required=True),
        lambda contract: column(contract, "device").update(required=True),
        ("nulls", "artist_id"),
    ),
    (
        _quality("device", metric="invalidValues", mustBe=0, arguments={"validValues": ["phone", "tv"]}),
        _quality("device", metric="invalidValues", mustBe=0, arguments={"validValues": ["phone", "web"]}),
        ("ranges", "device"),
    ),
    (
        _quality("device", metric="invalidValues", unit="percent", mustBeLessThan=50, arguments={"pattern": "^p"}),
        _quality("device", metric="invalidValues", unit="percent", mustBeLessThan=51, arguments={"pattern": "^p"}),
        ("metric", "device"),
    ),
    (
        _quality("artist_id", metric="nullValues", unit="percent", mustBeLessThan=100),
        _quality("artist_id", metric="nullValues", unit="percent", mustBeBetween=[99.5, 100]),
        ("metric", "artist_id"),
    ),
    (
        _quality(None, metric="rowCount", mustBeGreaterThan=2_000),
        _quality(None, metric="rowCount", mustBeBetween=[2_000, 2_000]),
        ("metric", ""),
    ),
    (
        _quality(None, metric="duplicateValues", mustBe=0, arguments={"properties": ["user_id"]}),
        _quality(None, metric="duplicateValues", mustBe=1_993, arguments={"properties": ["user_id"]}),
        ("metric", ""),
    ),
    (
        lambda contract: column(contract, "user_id").update(unique=True),
        lambda contract: column(contract, "track_id").update(unique=True),
        ("keys", "user_id"),
    ),
    (
        _sla(property="freshness", value=80, unit="min"),
        _sla(property="latency", value=82, unit="min", element="plays.event_timestamp"),
        ("freshness", "event_timestamp"),
    ),
    (
        _sla(property="retention", value=19, unit="d"),
        _sla(property="retention", value=20, unit="d"),
        ("retention", "event_timestamp"),
    ),
    (
        _sla(property="frequency", value=22, unit="h"),
        _sla(property="frequency", value=1, unit="d"),
        ("frequency", "event_timestamp"),
    ),
]


@pytest.mark.parametrize(("broken", "kept", "place"), CASES, ids=[f"{check}-{name}" for _, _, (check, name) in CASES])
def test_what_the_data_break_is_found(
    filled: Home, agreed: Agreed, broken: Edit, kept: Edit, place: tuple[str, str]
) -> None:
    agreed(broken)
    assert bad(check(filled)) == [(*place, "violated")]
    agreed(kept)
    assert bad(check(filled)) == []


def test_a_day_with_few_rows_is_found(filled: Home, agreed: Agreed, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed(_quality(None, type="custom", engine="refrain", implementation={"check": "volume", "days": 7}))
    assert bad(check(filled)) == []
    ingest(filled, "more", [Batch("plays", plays(1, 20, first=20)), Batch("plays", plays(1, 1, first=21))])
    monkeypatch.setenv(clock.NOW, (START + timedelta(days=22)).isoformat())
    (result,) = [one for one in check(filled) if one.check == "volume"]
    assert (result.status, "20 on 2026-01-21" in result.summary) == ("violated", True), result


def test_drift_of_the_newest_days_is_found(filled: Home, agreed: Agreed) -> None:
    rule = {"check": "drift", "days": 7, "columns": ["ms_played", "device"]}
    agreed(_quality(None, type="custom", engine="refrain", implementation=rule))
    assert bad(check(filled)) == []
    ingest(filled, "longer", [Batch("plays", plays(7, 100, first=20, ms=5_000))])
    assert bad(check(filled)) == [("drift", "ms_played", "violated")]


def test_a_file_of_another_tool_with_other_columns_is_found(filled: Home, agreed: Agreed) -> None:
    agreed()
    path = filled.raw("plays") / "date=2026-01-05" / parquet.PART
    rows = pl.read_parquet(path)
    rows.drop("user_id").with_columns(ms_played=pl.lit("long")).write_parquet(path)
    assert bad(check(filled)) == [("schema", "user_id", "violated"), ("schema", "ms_played", "violated")]


def test_a_draft_warns_and_a_retired_contract_is_not_checked(filled: Home, agreed: Agreed) -> None:
    broken = _quality(None, metric="rowCount", mustBe=1)
    agreed(lambda contract: (broken(contract), contract.update(status="draft")))  # type: ignore[func-returns-value]
    assert bad(check(filled)) == [("metric", "", "warning")]
    assert CliRunner().invoke(app, ["contract", "check"]).exit_code == 0
    agreed(lambda contract: (broken(contract), contract.update(status="retired")))  # type: ignore[func-returns-value]
    assert [one.status for one in check(filled)] == ["not checked"]


def test_a_rule_of_low_severity_only_warns(filled: Home, agreed: Agreed) -> None:
    agreed(_quality("device", metric="invalidValues", mustBe=0, severity="warning", arguments={"validValues": ["tv"]}))
    assert bad(check(filled)) == [("metric", "device", "warning")]


def test_what_others_run_is_said_to_be_unchecked(filled: Home, agreed: Agreed) -> None:
    agreed(_quality(None, type="sql", query="SELECT 1", mustBe=1))
    assert [(one.check, one.status) for one in check(filled)][-1] == ("sql", "not checked")


def test_a_table_without_rows_is_not_checked_unless_rows_are_asked_for(home: Home, agreed: Agreed) -> None:
    agreed()
    assert bad(check(home)) == []
    agreed(_sla(property="freshness", value=1, unit="d"))
    assert bad(check(home)) == [("freshness", "event_timestamp", "violated")]
    agreed(_quality(None, metric="rowCount", mustBeGreaterThan=0))
    assert bad(check(home)) == [("metric", "", "violated")]


def test_the_command_reports_for_people_and_programs(filled: Home, agreed: Agreed, tmp_path: Path) -> None:
    agreed(_quality(None, metric="rowCount", mustBe=1))
    result = CliRunner().invoke(app, ["contract", "check", "--report", str(tmp_path / "report.html")])
    assert result.exit_code == 1
    assert "rowCount exactly 1, there are 2,000" in result.output
    assert "rowCount exactly 1" in (tmp_path / "report.html").read_text()
    result = CliRunner().invoke(app, ["contract", "check", "plays", "--json"])
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert content["violations"] == 1
    assert "u1" not in result.stdout  # no value of a row
    agreed()
    result = CliRunner().invoke(app, ["contract", "check", "--all"])
    assert result.exit_code == 0 and "ok          keys" in result.output


def _naive(option: str, limit: float, value: float | None) -> bool:
    if value is None:
        return False
    return {
        "minimum": value < limit,
        "maximum": value > limit,
        "exclusiveMinimum": value <= limit,
        "exclusiveMaximum": value >= limit,
    }[option]


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(-5, 5), min_size=1, max_size=20),
    limits=st.dictionaries(
        st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), st.integers(-5, 5)
    ),
    required=st.booleans(),
)
def test_rules_of_rows_equal_a_loop_over_the_rows(
    values: list[int | None], limits: dict[str, int], required: bool
) -> None:
    rules: list[RowRule] = list(_of_column(Column("n", "integer", required=required, options=limits)))
    rows = pl.DataFrame({"n": values}, schema={"n": pl.Int64})
    for rule in rules:
        verdicts = rows.select(rule.is_violated.alias("bad"))["bad"].to_list()
        if rule.check == "nulls":
            assert verdicts == [value is None for value in values]
    by_loop = [sum(_naive(option, limit, value) for option, limit in limits.items()) for value in values]
    ranges = [rule.is_violated for rule in rules if rule.check == "ranges"]
    counted = rows.select(pl.sum_horizontal(ranges).alias("n"))["n"].to_list() if ranges else [0] * len(values)
    assert counted == by_loop


@given(values=st.lists(st.none() | st.sampled_from(["", "a", "N/A", "b"]), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_metrics_of_values_equal_a_loop(values: list[str | None]) -> None:
    rows = pl.DataFrame({"c": values}, schema={"c": pl.String})

    def count(kind: str, **arguments: Any) -> int:
        return int(rows.select(is_counted(Rule(kind, "c", arguments=arguments)).sum()).item())

    assert count("nullValues") == values.count(None)
    assert count("missingValues", missingValues=["", "N/A"]) == sum(one in (None, "", "N/A") for one in values)
    assert count("invalidValues", validValues=["a"]) == sum(one not in (None, "a") for one in values)
    assert count("invalidValues", pattern="^[ab]$") == sum(one not in (None, "a", "b") for one in values)
