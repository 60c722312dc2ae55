"""What counts, what is left to the batch run, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from feature_repo.events import LARGEST, Refused, parse
from feature_repo.windows import plays
from transforms.raw import TABLES
from transforms.raw.validate import validate
from transforms.stream.accept import Accepted, Gate, RawEvent

HOUR = 3_600_000_000
NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)
NOW = int(NOON.timestamp() * 1e6)


def told(minutes: float = 0.0, **more: Any) -> RawEvent:
    at = NOON + timedelta(minutes=minutes)
    event = {"user_id": "u", "track_id": "t", "event_timestamp": at.isoformat(), **more}
    return RawEvent("plays", json.dumps(event).encode())


def accept(*events: RawEvent, gate: Gate | None = None, clock: int = 0) -> Accepted:
    return (gate or Gate(plays, HOUR)).accept(events, clock, NOW, arrived=None)


def test_each_event_counts_once() -> None:
    gate = Gate(plays, HOUR)
    assert accept(told(), told(), told(track_id="other"), told(-1), gate=gate).counts["accepted"] == 3
    again = accept(told(), told(-1, device="tv"), told(1), gate=gate)
    assert (again.counts["duplicate"], again.counts["amended"], again.counts["accepted"]) == (1, 1, 1)
    assert again.to_log().num_rows == 2  # what was told in other words is the batch run's to settle
    assert again.columns["device"] == (None,)


def test_late_is_measured_from_the_newest_event_before() -> None:
    found = accept(told(0), told(-60), told(-59.9), told(3), told(-58), told(-56.9))
    assert [(at - NOW) / 60e6 for at in found.time] == pytest.approx([0, -59.9, 3, -56.9])
    assert [(row[0] - NOW) / 60e6 for row in found.batch_only] == pytest.approx([-60, -58])
    assert found.counts["late"] == 2
    assert accept(told(), clock=NOW + 2 * HOUR).counts["late"] == 1


def test_a_flood_is_put_aside_and_the_rest_goes_on() -> None:
    gate = Gate(plays, HOUR, flood=10)
    flood = [told(-30 + number / 1_000, track_id=f"t{number}") for number in range(50)]
    found = accept(*flood, told(-30, user_id="v"), told(-28), gate=gate)
    assert found.counts == {"accepted": 12, "refused": 40}
    assert {dead.reason for dead in found.dead} == {"flood: more than 10 events of one user_id a minute"}


def test_nothing_is_known_after_the_last_moment() -> None:
    last = "9999-12-31T23:59:59.999999"
    assert parse("plays", told(created_timestamp=last).payload, NOW)[2] == 253_402_300_799_999_999
    with pytest.raises(Refused, match="created_timestamp after the year 9999"):
        parse("plays", told(created_timestamp=f"{last}-05:00").payload, NOW)


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
        ("plays", told(user_id=7).payload, "user_id: expected str, got int"),
        ("plays", told(track_id=None).payload, "track_id: expected str, got null"),
        ("plays", told(ms_played=1.5).payload, "ms_played: expected int | null, got float"),
        ("plays", told(ms_played=10**30).payload, "ms_played"),
        ("plays", told(event_timestamp="31 March").payload, "event_timestamp: invalid RFC3339 encoded datetime"),
        ("plays", told(event_timestamp="2024-02-30T00:00:00Z").payload, "event_timestamp"),
        ("plays", told(event_timestamp="0001-01-01T00:00:00Z").payload, "event_timestamp before 1970"),
        ("plays", told(event_timestamp="9999-12-31T23:59:59Z").payload, "event_timestamp in the future"),
        ("plays", told(6).payload, "event_timestamp in the future"),
        ("plays", told(created_timestamp=(NOON - timedelta(1)).isoformat()).payload, "created_timestamp before event"),
    ],
)
def test_bad_events_are_refused_with_a_reason(kind: str, payload: bytes, reason: str) -> None:
    found = accept(RawEvent(kind, payload), told())
    assert found.counts == {"accepted": 1, "refused": 1}
    assert found.dead[0].reason.startswith(reason)


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
    payload = json.dumps({n: v.isoformat() if isinstance(v, datetime) else v for n, v in zoned.items()}).encode()
    try:
        parse("plays", payload, NOW)
    except Refused:
        assert accepted.is_empty()
    else:
        assert accepted.height == 1
