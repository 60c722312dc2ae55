"""Whose an export is: accounts, shared plays, and when the person has to say it."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import START
from transforms.raw.importers.export_listeners import Export, listener_ids
from transforms.raw.ingest import Batch, ingest


def plays(*minutes: int, track: str = "t") -> pl.DataFrame:
    rows = [(f"{track}{n}", START + timedelta(minutes=n), "tidal") for n in minutes]
    return pl.DataFrame(rows, schema=["track_id", "event_timestamp", "reported_by"], orient="row")


def export(*minutes: int, account: str = "", track: str = "t") -> Export:
    return Export(account, lambda: plays(*minutes, track=track))


def ids(home: Home, user: str | None = None, **exports: Export) -> dict[str, str]:
    return listener_ids("tidal", Path("/x/tidal"), home, user, exports)


def store(home: Home, user: str, *minutes: int) -> None:
    ingest(home, "tidal", [Batch("plays", plays(*minutes).with_columns(user_id=pl.lit(user)))])


def test_the_only_export_is_of_me(home: Home) -> None:
    assert ids(home, mira=export(1, 2)) == {"mira": "tidal:me"}
    assert ids(home, mira=export(1, 2, account="17")) == {"mira": "tidal:17"}
    assert ids(home, "Mira", mira=export(1, 2)) == {"mira": "Mira"}


def test_exports_of_other_plays_at_the_same_time_are_of_two(home: Home) -> None:
    exports = {"mira": export(1, 3, 5), "tomas": export(2, 3, 4, track="x")}
    assert ids(home, **exports) == {"mira": "tidal:mira", "tomas": "tidal:tomas"}
    with pytest.raises(InputError, match="those of several"):
        ids(home, "Mira", **exports)


def test_exports_with_the_same_plays_are_of_one(home: Home) -> None:
    exports = {"older": export(1, 3, 5), "newer": export(3, 5, 7)}
    assert len(set(ids(home, **exports).values())) == 1
    assert ids(home, "Mira", **exports) == {"older": "Mira", "newer": "Mira"}


def test_stored_plays_say_whose_a_newer_export_is(home: Home) -> None:
    store(home, "Mira", 1, 3, 5)
    assert ids(home, x=export(3, 5, 7)) == {"x": "Mira"}
    assert ids(home, x=export(3, 5, 7, account="17")) == {"x": "Mira"}
    assert ids(home, x=export(2, 4, track="y")) == {"x": "tidal:x"}


def test_where_no_time_is_shared_the_person_has_to_say_it(home: Home) -> None:
    store(home, "tidal:me", 1, 3, 5)
    with pytest.raises(InputError, match="--user NAME"):
        ids(home, x=export(100, 200))
    assert ids(home, "tidal:me", x=export(100, 200)) == {"x": "tidal:me"}
