"""Events that no account can cause are marked or quarantined by imports, each with its reason, and nothing else is."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from feature_repo.definitions.events.plays import plays
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.plausibility import AccountLimits, limits_of
from feature_repo.windows import EventSource
from inference.security.audit import acts
from refrain.cli import app
from tests.projects import write_project
from transforms.raw.implausible import beyond_days, beyond_hours
from transforms.raw.ingest import Batch, ingest
from transforms.raw.plausibility_review import review
from transforms.raw.read import scan

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LIMITS = AccountLimits(at_once=1.5, devices=2, events=4, day=3, loop=2)
MINUTE_MS = 60_000

Play = tuple[int, str, str, int | None, str | None, int | None, bool]
"""Minute, user, track, minutes played, device, precision in seconds, whether it is new."""
PLAYS = st.lists(
    st.tuples(
        st.integers(0, 26 * 60),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(["t", "v"]),
        st.sampled_from([None, 0, 1, 20, 50, 120]),
        st.sampled_from([None, "phone", "car", "web"]),
        st.sampled_from([None, None, 60, 3_600, 86_400]),
        st.booleans(),
    ),
    max_size=30,
)


def frame(events: Sequence[Play]) -> pl.DataFrame:
    rows = {
        "event_timestamp": [NOON + timedelta(minutes=event[0]) for event in events],
        "user_id": [event[1] for event in events],
        "track_id": [event[2] for event in events],
        "artist_id": None,
        "ms_played": [None if event[3] is None else event[3] * MINUTE_MS for event in events],
        "skipped": None,
        "context": None,
        "device": [event[4] for event in events],
        "precision_s": [event[5] for event in events],
    }
    types = {"event_timestamp": pl.Datetime("us", "UTC"), "ms_played": pl.Int64, "precision_s": pl.Int64}
    return (
        pl.DataFrame(rows, schema_overrides=types, height=len(events))
        if events
        else pl.DataFrame(schema={name: types.get(name, pl.String) for name in rows})
    )


def hours_naively(events: Sequence[Play]) -> list[str | None]:
    """Judges one event after the other by going through all that were accepted before it."""
    reasons: list[str | None] = [None] * len(events)
    accepted = [place for place, event in enumerate(events) if not event[6]]
    for place in sorted(range(len(events)), key=lambda place: (events[place][0], place)):
        minute, user, _, played, device, precision, is_new = events[place]
        if not is_new or (precision or 1) > 3_600:
            continue
        same = [
            events[k]
            for k in accepted
            if events[k][1] == user and events[k][0] // 60 == minute // 60 and (events[k][5] or 1) <= 3_600
        ]
        devices = {other[4] for other in same} - {None}
        if len(same) >= 4:
            reasons[place] = "events"
        elif same and sum(min(other[3] or 0, 60) for other in same) + min(played or 0, 60) > 90:
            reasons[place] = "hours"
        elif device is not None and device not in devices and len(devices) >= 2:
            reasons[place] = "devices"
        else:
            accepted.append(place)
    return reasons


def days_naively(events: Sequence[Play]) -> list[str | None]:
    reasons: list[str | None] = []
    for place, (minute, user, track, *_) in enumerate(events):
        day = (minute + 12 * 60) // 1_440
        before = [
            event
            for other, event in enumerate(events)
            if event[1] == user and (event[0] + 12 * 60) // 1_440 == day and (event[0], other) < (minute, place)
        ]
        total = sum(event[3] or 0 for event in before)
        of_track = sum(event[3] or 0 for event in before if event[2] == track)
        reasons.append("user_id" if total > 180 else "track_id" if of_track > 120 else None)
    return reasons


@settings(deadline=None, max_examples=60)
@given(PLAYS)
def test_an_import_is_judged_as_one_event_after_the_other(events: list[Play]) -> None:
    rows, is_new = frame(events), pl.Series([event[6] for event in events], dtype=pl.Boolean)
    by_hour = beyond_hours(plays, LIMITS, rows, is_new).to_list()
    assert [None if reason is None else reason.split()[4] for reason in by_hour] == hours_naively(events)
    by_day = beyond_days(plays, LIMITS, rows).to_list()
    assert [None if reason is None else reason.split()[6] for reason in by_day] == days_naively(events)


def test_without_columns_of_lengths_and_devices_events_are_counted() -> None:
    limits, alone = replace(LIMITS, duration="", device=""), [True] * 7
    rows = frame([(minute, "ann", "t", 120, f"device {minute}", None, True) for minute in range(7)])
    reasons = beyond_hours(plays, limits, rows, pl.Series(alone)).to_list()
    assert [reason is None for reason in reasons] == [True] * 4 + [False] * 3
    assert beyond_days(plays, limits, rows).to_list() == [None] * 7


def batch(*rows: dict[str, object]) -> Batch:
    return Batch("plays", pl.DataFrame(rows, infer_schema_length=None))


def flood(user: str, count: int, ms: int = 1_800_000) -> list[dict[str, object]]:
    """Plays of half an hour each, begun within minutes."""
    return [
        {
            "user_id": user,
            "track_id": f"t{number}",
            "event_timestamp": NOON + timedelta(minutes=number),
            "ms_played": ms,
        }
        for number in range(count)
    ]


@pytest.fixture
def judging(home: Home, tmp_path: Path) -> Home:
    """A data folder of a project that quarantines what no account can cause."""
    text = 'name = "refrain"\nextends = ["music"]\n[plausibility.plays]\nimports = "quarantine"\n'
    return Home(home.root, project_folder=write_project(tmp_path / "project", {"refrain.toml": text}))


REASON = "implausible: more than 4 hours of one user_id within an hour"


def test_by_default_all_is_stored_and_what_is_hardly_possible_is_marked(home: Home) -> None:
    report = ingest(home, "a", [batch(*flood("ann", 10), *flood("bob", 8))]).tables["plays"]
    assert (report.added, report.quarantined, report.marked) == (18, 0, {REASON: 2})
    again = ingest(home, "a", [batch(*flood("ann", 10), *flood("bob", 8))]).tables["plays"]
    assert (again.added, again.marked) == (0, {})
    reviews = review(home, "plays")
    assert [(line.account, line.reason, line.events, line.first) for line in reviews] == [
        ("ann", REASON, 2, NOON + timedelta(minutes=8))
    ]


def test_where_it_is_declared_they_are_quarantined_with_the_reason_however_often_they_come(judging: Home) -> None:
    rows = batch(*flood("ann", 10), *flood("bob", 8))
    report = ingest(judging, "a", [rows]).tables["plays"]
    assert (report.added, report.quarantined, report.reasons, report.marked) == (16, 2, {REASON: 2}, {})
    assert report.known == 0
    stored = scan(judging, "plays").collect()
    files = {path: path.stat().st_mtime_ns for path in (judging.root / "raw").rglob("*.parquet")}
    quarantined = pl.read_parquet(judging.quarantine("plays") / "*.parquet")
    assert quarantined["reason"].to_list() == [REASON] * 2
    assert all('"ann"' in row for row in quarantined["row"])
    again = ingest(judging, "a", [rows]).tables["plays"]
    assert (again.added, again.quarantined, again.known) == (0, 2, 16)
    assert scan(judging, "plays").collect().equals(stored)
    assert {path: path.stat().st_mtime_ns for path in (judging.root / "raw").rglob("*.parquet")} == files
    part = ingest(judging, "b", [batch(*flood("ann", 12)[10:])]).tables[
        "plays"
    ]  # an hour is judged with what is stored
    assert (part.added, part.quarantined) == (0, 2)
    corrected = [{**row, "skipped": True, "created_timestamp": NOON + timedelta(days=1)} for row in flood("ann", 8)]
    assert ingest(judging, "c", [batch(*corrected)]).tables["plays"].quarantined == 0  # no event is more than one
    assert scan(judging, "plays").collect()["skipped"].sum() == 8


def test_what_the_stream_accepted_is_stored(judging: Home) -> None:
    report = ingest(judging, "stream", [batch(*flood("ann", 10))], judged=True).tables["plays"]
    assert (report.added, report.quarantined, report.marked) == (10, 0, {REASON: 2})


def test_a_known_source_is_read_again_when_the_limits_have_changed(home: Home, judging: Home) -> None:
    rows = batch(*flood("ann", 10))
    ingest(home, "a", [rows], content="1")
    assert ingest(home, "a", [rows], content="1").tables["plays"].known == 10
    assert ingest(judging, "a", [rows], content="1").tables["plays"].known == 10  # what is stored stays
    assert ingest(home, "a", [], content="1").tables == {}  # the note was of the other limits


def test_a_review_names_long_days_loops_and_plays_longer_than_their_track(home: Home) -> None:
    hour = 3_600_000
    looped = [
        {**row, "track_id": "loop", "event_timestamp": NOON - timedelta(hours=2 * number)}
        for number, row in enumerate(flood("ann", 7, 2 * hour))
    ]
    busy = [
        {**row, "event_timestamp": NOON + timedelta(minutes=number)}
        for number, row in enumerate(flood("bob", 4, 20 * hour))
    ]
    tracks = [{"track_id": "t0", "event_timestamp": NOON - timedelta(days=9), "duration_ms": hour}]
    ingest(home, "a", [batch(*looped, *busy), Batch("tracks", pl.DataFrame(tracks))])
    assert {(line.account, line.reason, line.events) for line in review(home, "plays")} == {
        ("ann", "more than 8 hours of one track_id by one user_id within a day", 2),
        ("bob", "more than 24 hours of one user_id within a day", 2),
        ("bob", "longer than 2 times its track", 1),
    }


def test_kinds_that_are_not_judged_are_an_error_that_names_the_others(home: Home) -> None:
    assert review(home, "episode_plays") == []
    for kind in ("logins", "vinyl"):
        with pytest.raises(InputError, match="episode_plays, plays"):
            review(home, kind)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('[plausibility.plays]\nduration = "device"', "whole milliseconds .* found device, of the type String"),
        ('[plausibility.plays]\nlengths = "tracks:title"', "numbers of milliseconds .* found tracks:title"),
        ("[plausibility.play]", r"kind of events: .*plays.* found \[plausibility.play\]"),
    ],
)
def test_a_section_that_cannot_be_judged_by_is_an_error(home: Home, tmp_path: Path, section: str, message: str) -> None:
    ingest(home, "a", [batch(*flood("ann", 1))])
    text = f'name = "refrain"\nextends = ["music"]\n{section}\n'
    judging = Home(home.root, project_folder=write_project(tmp_path / "project", {"refrain.toml": text}))
    with pytest.raises(InputError, match=message):
        review(judging, "plays")


def test_events_of_a_kind_whose_lengths_are_no_whole_numbers_are_not_judged() -> None:
    for dtype in ("String", "Float64"):
        source = EventSource("visits", columns={"user_id": "String", "ms_played": dtype}, key=("user_id",))
        assert limits_of(source, {}) is None


def test_a_length_below_zero_makes_no_room_for_others() -> None:
    rows = frame([(minute, "ann", "t", played, None, None, True) for minute, played in enumerate([-1_000, 50, 50])])
    reason = "implausible: more than 1.5 hours of one user_id within an hour"
    assert beyond_hours(plays, LIMITS, rows, pl.Series([True] * 3)).to_list() == [None, None, reason]


def test_the_command_says_whose_they_are_and_is_in_the_audit_log(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    runner = CliRunner()
    assert runner.invoke(app, ["plausibility"]).output == "no account of plays has such events\n"
    ingest(home, "a", [batch(*flood("ann", 10), *flood("=cmd()\x1b[31m", 9))])
    shown = runner.invoke(app, ["plausibility", "plays", "--most", "1"]).output
    first, more = shown.splitlines()
    assert first.split()[:3] == ["ann", "2", "2026-01-05"]
    assert first.endswith(REASON)
    assert more == "… and 1 more; next: refrain plausibility plays --most 2"
    assert "\x1b" not in runner.invoke(app, ["plausibility"]).output
    whole = json.loads(runner.invoke(app, ["plausibility", "--json"]).output)
    assert [line["events"] for line in whole["accounts"]] == [2, 1]
    entries = [act for act in acts(home) if act["act"] == "plausibility reviewed"]
    assert [entry["keys"]["user_id"][0] for entry in entries] == ["ann"] * 3
    assert "refrain plausibility episode_plays" in runner.invoke(app, ["plausibility", "logins"]).output
