"""What no account can do within an hour is refused with a reason, whenever a reader is started, and nothing else."""

import json
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.definitions.events.plays import plays
from feature_repo.errors import InputError
from feature_repo.plausibility import AccountLimits
from transforms.pure.account_hours import AccountHours
from transforms.stream.accept import Accepted, Gate, RawEvent

ZERO = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000_000
LIMITS = AccountLimits(at_once=1.5, devices=2, events=5)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2 * 60 - 1),  # minute
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([None, 0, 60_000, 1_200_000, 7_200_000]),
        st.sampled_from([None, "phone", "car", "web"]),
    ),
    max_size=25,
    unique_by=lambda event: event[:2],
)


def _raw(events: list[tuple[int, str, int | None, str | None]]) -> list[RawEvent]:
    return [
        RawEvent(
            "plays",
            json.dumps(
                {
                    "user_id": user,
                    "track_id": "t",
                    "ms_played": ms,
                    "device": device,
                    "event_timestamp": datetime.fromtimestamp(ZERO / 1e6 + minute * 60, UTC).isoformat(),
                }
            ).encode(),
        )
        for minute, user, ms, device in events
    ]


def _accept(gate: Gate, events: list[tuple[int, str, int | None, str | None]]) -> Accepted:
    return gate.accept(_raw(events), ZERO, ZERO + 10 * HOUR, arrived=None)


def _gate() -> Gate:
    return Gate(plays, 6 * HOUR, limits=LIMITS)


def _plausible(events: list[tuple[int, str, int | None, str | None]]) -> list[int]:
    """Places of the plausible events, counted naively: each is judged with all that were accepted before it."""
    kept: list[int] = []
    for place, (minute, user, ms, device) in enumerate(events):
        same = [events[k] for k in kept if events[k][1] == user and events[k][0] // 60 == minute // 60]
        hours = sum(min(other[2] or 0, 3_600_000) for other in same) + min(ms or 0, 3_600_000)
        devices = {other[3] for other in same} - {None}
        is_first = not same
        too_many = len(same) >= 5 or hours > 1.5 * 3_600_000
        if is_first or not (too_many or (device is not None and device not in devices and len(devices) >= 2)):
            kept.append(place)
    return kept


@settings(deadline=None)
@given(EVENTS, st.integers(0, 25))
def test_a_reader_that_starts_again_decides_as_one_that_did_not(
    events: list[tuple[int, str, int | None, str | None]], stop: int
) -> None:
    whole = _accept(_gate(), events)
    kept = _plausible(events)
    assert len(whole.time) == len(kept)
    assert list(zip(whole.time, whole.columns["user_id"], strict=True)) == [
        (ZERO + events[place][0] * 60_000_000, events[place][1]) for place in kept
    ]
    assert whole.counts["accepted"] + len(whole.dead) == len(events)  # nothing is dropped
    first = _accept(_gate(), events[:stop])
    again = _gate()
    again.remember(first.reported())
    second = _accept(again, events[stop:])
    assert first.time + second.time == whole.time
    assert [dead.event for dead in (*first.dead, *second.dead)] == [dead.event for dead in whole.dead]


def test_each_reason_says_what_is_not_plausible() -> None:
    reasons = defaultdict(list)
    streams = {
        "hours": [(minute, "ann", 1_200_000, "phone") for minute in range(5)],
        "devices": [(minute, "ann", 1, f"device {minute}") for minute in range(4)],
        "events": [(minute, "ann", 1, "phone") for minute in range(7)],
    }
    for name, events in streams.items():
        out = _accept(_gate(), events)
        reasons[name] = [dead.reason for dead in out.dead]
    assert reasons == {
        "hours": ["implausible: more than 1.5 hours of one user_id within an hour"],
        "devices": ["implausible: more than 2 devices of one user_id within an hour"] * 2,
        "events": ["implausible: more than 5 events of one user_id within an hour"] * 2,
    }


def test_without_limits_nothing_is_judged() -> None:
    events = [(minute, "ann", 86_000_000, f"device {minute}") for minute in range(50)]
    gate = Gate(plays, 6 * HOUR)
    assert gate.accept(_raw(events), ZERO, ZERO + 10 * HOUR, arrived=None).dead == []


def test_hours_that_are_over_are_forgotten() -> None:
    accounts = AccountHours(plays, LIMITS)
    values = ["ann", "t", None, 60_000, None, None, "phone"]
    for hour in range(10):
        accounts.add(ZERO + hour * HOUR, values)
    accounts.forget(ZERO + 8 * HOUR)
    assert len(accounts._hours) == 3  # the hour that just ended, too: its events may come yet


@pytest.mark.parametrize("section", [{"event": 5}, {"events": 0}, {"events": 1.5}, {"device": 7}, {"at_once": True}, 7])
def test_a_section_with_a_mistake_is_refused(section: object) -> None:
    with pytest.raises(InputError, match=r"\[plausibility.plays\]"):
        AccountLimits.read("plays", section)


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="'ms'"):
        AccountHours(plays, AccountLimits(duration="ms"))
