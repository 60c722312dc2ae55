"""An example is checked against its table when it is declared."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from feature_repo.contract import contract_of
from feature_repo.definitions.windowed.user_artist_affinity import user_artist_affinity
from feature_repo.definitions.windowed.user_session import user_session
from feature_repo.errors import InputError
from feature_repo.example import Example, example
from feature_repo.home import Home

PLAY = {"user_id": "ann", "track_id": "t1", "event_timestamp": "2026-01-01T10:00:00Z"}


def declared(**changes: Any) -> Example:
    options: dict[str, Any] = {"events": [PLAY], "at": "2026-01-02", "expect": {"plays_1d": 1}}
    return example(user_session, **{**options, **changes})


def test_times_are_in_utc() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    one = declared(events=[{**PLAY, "event_timestamp": noon, "created_timestamp": datetime(2026, 1, 1, 12)}])
    assert one.at == datetime(2026, 1, 2, tzinfo=UTC)
    assert one.events[0]["event_timestamp"] == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert one.events[0]["created_timestamp"] == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_key_is_that_of_the_events_or_given() -> None:
    assert declared().key == {"user_id": "ann"}
    bob = {**PLAY, "user_id": "bob"}
    assert declared(events=[PLAY, bob], key={"user_id": "bob"}).key == {"user_id": "bob"}
    assert declared(events=[], key={"user_id": "bob"}).key == {"user_id": "bob"}
    events = [{**PLAY, "artist_id": "x"}, PLAY]
    with pytest.raises(InputError, match="2 keys in the events"):
        example(user_artist_affinity, events=events, at="2026-01-02", expect={"plays_28d": 1})


def test_names_differ_unless_the_examples_are_alike() -> None:
    names = {declared(expect={"plays_1d": count}).name for count in range(5)}
    assert len(names) == 5
    assert declared().name == declared().name
    assert declared(name="an evening").name == "an evening"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expect": {"play_1d": 1}}, "expected columns of user_session in expect.*plays_1h.*found 'play_1d'"),
        ({"expect": {}}, "found none"),
        ({"events": [{**PLAY, "trak": "t"}]}, "expected columns of plays in event 1.*found 'trak'"),
        ({"events": [PLAY, {"user_id": "ann"}]}, "expected an event_timestamp in event 2"),
        ({"events": [{**PLAY, "ms_played": "long"}]}, "expected Int64 as ms_played of event 1.*found 'long'"),
        ({"events": [{**PLAY, "ms_played": True}]}, "expected Int64 as ms_played of event 1.*found True"),
        ({"events": [{**PLAY, "event_timestamp": "yesterday"}]}, "as event_timestamp of event 1.*found 'yesterday'"),
        ({"at": "01/02/2026"}, "as at, in the example of user_session.*found '01/02/2026'"),
        ({"at": 7}, "found 7"),
        ({"key": {"track_id": "t"}}, r"expected the join keys \['user_id'\] in key"),
        ({"events": [PLAY, {**PLAY, "user_id": "bob"}]}, "found 2 keys in the events"),
        ({"events": []}, "found 0 keys in the events"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        declared(**changes)


def test_features_of_the_moment_can_be_expected() -> None:
    assert declared(expect={"idle_seconds": 50_400.0}).expect == {"idle_seconds": 50_400.0}


def test_bundled_examples_are_found() -> None:
    assert {"an evening", "the next morning"} <= set(contract_of(Home(".")).examples)
    assert all(re.fullmatch(r"[^\n]+", name) for name in contract_of(Home(".")).examples)
