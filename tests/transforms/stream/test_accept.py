"""Acceptance of events: counted, left to the batch run, or refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from feature_repo.definitions.events.plays import plays
from feature_repo.events import LARGEST, Refused, parse
from tests.music import TABLES
from transforms.raw.validate import validate
from transforms.stream.accept import Accepted, Gate, RawEvent

HOUR = 3_600_000_000
NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)
NOW = int(NOON.timestamp() * 1e6)


def play_event(minutes: float = 0.0, **fields: Any) -> RawEvent:
    time = NOON + timedelta(minutes=minutes)
    event = {"user_id": "u", "track_id": "t", "event_timestamp": time.isoformat(), **fields}
    return RawEvent("plays", json.dumps(event).encode())


def accept(*events: RawEvent, gate: Gate | None = None, clock: int = 0) -> Accepted:
    return (gate or Gate(plays, HOUR)).accept(events, clock, NOW, arrived=None)


def test_each_event_counts_once() -> None:
    gate = Gate(plays, HOUR)
    assert (
        accept(play_event(), play_event(), play_event(track_id="other"), play_event(-1), gate=gate).counts["accepted"]
        == 3
    )
    second = accept(play_event(), play_event(-1, device="tv"), play_event(1), gate=gate)
    assert (second.counts["duplicate"], second.counts["amended"], second.counts["accepted"]) == (1, 1, 1)
    assert second.to_log().num_rows == 2  # an amended event is left to the batch run
    assert second.columns["device"] == (None,)


def test_late_is_measured_from_the_newest_event_before() -> None:
    accepted = accept(
        play_event(0), play_event(-60), play_event(-59.9), play_event(3), play_event(-58), play_event(-56.9)
    )
    assert [(time - NOW) / 60e6 for time in accepted.time] == pytest.approx([0, -59.9, 3, -56.9])
    assert [(row[0] - NOW) / 60e6 for row in accepted.batch_only] == pytest.approx([-60, -58])
    assert accepted.counts["late"] == 2
    assert accept(play_event(), clock=NOW + 2 * HOUR).counts["late"] == 1


def test_a_flood_is_put_aside_and_the_rest_goes_on() -> None:
    gate = Gate(plays, HOUR, flood=10)
    flood = [play_event(-30 + number / 1_000, track_id=f"t{number}") for number in range(50)]
    accepted = accept(*flood, play_event(-30, user_id="v"), play_event(-28), gate=gate)
    assert accepted.counts == {"accepted": 12, "refused": 40}
    assert {dead.reason for dead in accepted.dead} == {"flood: more than 10 events of one user_id a minute"}


def test_nothing_is_known_after_the_last_moment() -> None:
    last_time = "9999-12-31T23:59:59.999999"
    assert parse(plays, play_event(created_timestamp=last_time).payload, NOW)[2] == 253_402_300_799_999_999
    with pytest.raises(Refused, match="created_timestamp after the year 9999"):
        parse(plays, play_event(created_timestamp=f"{last_time}-05:00").payload, NOW)


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("likes", b"{}", "unknown kind 'likes', not one of"),
        ("plays", b"", "malformed JSON"),
        ("plays", b"not json", "malformed JSON"),
        ("plays", b"\xff\xfe\x00", "malformed JSON"),
        ("plays", b'{"user_id": "\xed\xa0\x80"}', "malformed JSON"),
        ("plays", b"[" * 60_000, "expected object, got array"),
        ("plays", b'{"more": ' + b"[" * 60_000, "malformed JSON"),
        ("plays", b"{}" + b" " * LARGEST, "larger than 65,536 bytes"),
        ("plays", b"[]", "expected object, got array"),
        ("plays", b'{"user_id": "u", "track_id": "t"}', "object missing required field event_timestamp"),
        ("plays", play_event(user_id=7).payload, "user_id: expected str, got int"),
        ("plays", play_event(track_id=None).payload, "track_id: expected str, got null"),
        ("plays", play_event(ms_played=1.5).payload, "ms_played: expected int | null, got float"),
        ("plays", play_event(ms_played=10**30).payload, "ms_played"),
        ("plays", play_event(event_timestamp="31 March").payload, "event_timestamp: invalid RFC3339 encoded datetime"),
        ("plays", play_event(event_timestamp="2024-02-30T00:00:00Z").payload, "event_timestamp"),
        ("plays", play_event(event_timestamp="0001-01-01T00:00:00Z").payload, "event_timestamp before 1970"),
        ("plays", play_event(event_timestamp="9999-12-31T23:59:59Z").payload, "event_timestamp in the future"),
        ("plays", play_event(6).payload, "event_timestamp in the future"),
        (
            "plays",
            play_event(created_timestamp=(NOON - timedelta(1)).isoformat()).payload,
            "created_timestamp before event",
        ),
    ],
)
def test_bad_events_are_refused_with_a_reason(kind: str, payload: bytes, reason: str) -> None:
    accepted = accept(RawEvent(kind, payload), play_event())
    assert accepted.counts == {"accepted": 1, "refused": 1}
    assert accepted.dead[0].reason.startswith(reason)


@settings(max_examples=200, deadline=None)
@given(
    event=st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["u", "", None]),
            "track_id": st.sampled_from(["t", "", None]),
            "event_timestamp": st.datetimes(datetime(1969, 12, 31), datetime(2024, 3, 31)),
        },
        optional={
            "artist_id": st.sampled_from(["a", "", None]),
            "ms_played": st.one_of(st.none(), st.integers(-2, 2), st.integers(86_399_998, 86_400_003)),
            "skipped": st.sampled_from([True, False, None]),
            "created_timestamp": st.datetimes(datetime(1969, 12, 31), datetime(2024, 3, 31)),
        },
    )
)
def test_the_stream_takes_what_the_raw_table_takes(event: dict[str, Any]) -> None:
    table = TABLES["plays"]
    zoned = {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in event.items()}
    overrides = {name: dtype for name, dtype in table.columns.items() if name in event}
    accepted, _ = validate(table, pl.DataFrame([zoned], schema_overrides=overrides))
    payload = json.dumps(
        {field: content.isoformat() if isinstance(content, datetime) else content for field, content in zoned.items()}
    ).encode()
    try:
        parse(plays, payload, NOW)
    except Refused:
        assert accepted.is_empty()
    else:
        assert accepted.height == 1
