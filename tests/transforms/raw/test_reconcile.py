"""A play that several forms of export report is one play, in whatever order and parts the reports are imported."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.home import Home
from tests.oracles.same_plays import PAYLOAD, Report, stored_plays
from transforms import parquet
from transforms.raw import commit
from transforms.raw.ingest import Batch, TableReport, ingest
from transforms.raw.read import scan

MIDNIGHT = datetime(2024, 3, 2, tzinfo=UTC)
COLUMNS = ("event_timestamp", "created_timestamp", "user_id", "track_id", *PAYLOAD)
SCHEMA = {"ms_played": pl.Int64, "precision_s": pl.Int64, "skipped": pl.Boolean} | dict.fromkeys(
    ("artist_id", "context", "device", "recording", "reported_by"), pl.String
)


def report(form: str | None, seconds: float, **more: Any) -> Report:
    """A report of a play that started ``seconds`` after midnight; minutes are cut."""
    precision = {"spotify account data": 60, "lastfm csv": 60}.get(form or "")
    cut = seconds - seconds % 60 if precision else seconds
    moment = MIDNIGHT + timedelta(seconds=cut)
    row = dict.fromkeys(COLUMNS) | {"user_id": "ann", "track_id": form or "live", "recording": "song"}
    row |= {"event_timestamp": moment, "created_timestamp": moment, "reported_by": form, "precision_s": precision}
    return row | more


def import_reports(home: Home, *reports: Report) -> TableReport:
    rows = pl.DataFrame(list(reports), schema_overrides=SCHEMA, infer_schema_length=None)
    return ingest(home, "test", [Batch("plays", rows)]).tables["plays"]


def stored(home: Home) -> list[Report]:
    order = ["event_timestamp", "user_id", "track_id"]
    return scan(home, "plays").select(COLUMNS).collect().sort(order).to_dicts()


def files(home: Home) -> dict[str, bytes]:
    folder = home.raw("plays")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob(parquet.PART))}


def minutes(*seconds: float, **more: Any) -> list[Report]:
    """Reports of Spotify's account data, which moves equal rows apart by a microsecond."""
    rows = [report("spotify account data", at, **more) for at in seconds]
    for number, row in enumerate(rows):
        for name in ("event_timestamp", "created_timestamp"):
            row[name] -= timedelta(microseconds=number)
    return rows


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Report], list[int], int]:
    """Reports in an order, where they are divided into imports, and the size of groups of days."""
    forms = ["spotify account data", "lastfm csv", "listenbrainz", "spotify extended history", None]
    second = st.integers(-30, 30).map(lambda steps: 7 * steps) | st.integers(-4, 2).map(lambda part: part * 43_170)
    reports = draw(
        st.lists(
            st.builds(
                report,
                st.sampled_from(forms),
                second,
                user_id=st.sampled_from(["ann", "ann", "ann", "bob"]),
                track_id=st.sampled_from(["t", "t", "u", "v"]),
                recording=st.sampled_from(["song", "song", "song", "other", None]),
                ms_played=st.sampled_from([None, None, 0, 4_000, 4_600, 200_000]),
            ),
            min_size=1,
            max_size=14,
        )
    )
    cuts = draw(st.lists(st.integers(0, len(reports)), max_size=3))
    return draw(st.permutations(reports)), sorted(cuts), draw(st.sampled_from([1, 1_000]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries())
def test_any_delivery_stores_what_pairs_of_reports_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: tuple[list[Report], list[int], int]
) -> None:
    reports, cuts, group_rows = delivery
    monkeypatch.setattr(commit, "GROUP_ROWS", group_rows)
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    home, added = Home(tmp_path / "home"), 0
    for start, end in zip([0, *cuts], [*cuts, len(reports)], strict=True):
        if start < end:
            added += import_reports(home, *reports[start:end]).added
    expected = stored_plays(reports)
    assert stored(home) == expected
    assert added == len(expected)
    before = files(home)
    again = import_reports(home, *reports)
    assert (again.added, again.days_touched, files(home)) == (0, 0, before)
