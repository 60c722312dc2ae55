"""Titles are kept for a while: looked up once, asked again where there was none, and shown while Redis is away."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from feature_repo.errors import OnlineUnavailable
from inference.features import OnlineFeatures
from inference.recommend import titles
from inference.recommend.catalogue import Catalogue
from inference.recommend.hidden_facts import ARTIST_ID, ARTIST_NAME, TITLE
from inference.recommend.titles import MAX_AGE_S, TitleLookup

CATALOGUE = cast(Catalogue, SimpleNamespace(place={"a": 0, "b": 1}, artist_ids=["x", None]))


class Store:
    """Rows of tracks in memory, in place of the online lookup."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str | None, str | None, str | None]] = {}
        self.lookups: list[list[str]] = []
        self.is_away = False

    def get(self, keys: Mapping[str, Sequence[str]]) -> Any:
        if self.is_away:
            raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")
        tracks = list(keys["track_id"])
        self.lookups.append(tracks)
        rows = [self.rows.get(track, (None, None, None)) for track in tracks]
        columns = (list(column) for column in zip(*rows, strict=True))
        return SimpleNamespace(values=dict(zip((TITLE, ARTIST_ID, ARTIST_NAME), columns, strict=True)))


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    """A store that knows two tracks."""
    store = Store()
    store.rows = {"a": ("Slow River", "x", "Kalomi"), "b": ("b" * 600, None, None)}
    return store


def lookup_of(store: Store, clock: Clock | None = None) -> TitleLookup:
    return TitleLookup(cast(OnlineFeatures, store), CATALOGUE, clock or Clock())


def test_they_are_looked_up_once_and_again_when_they_are_old(store: Store) -> None:
    clock = Clock()
    lookup = lookup_of(store, clock)
    shown = lookup.of(["a", "b", "a"])
    assert shown.titles == ["Slow River", "b" * 500 + "…", "Slow River"]
    assert shown.artist_ids == ["x", None, "x"]
    assert shown.artist_names == ["Kalomi", None, "Kalomi"]
    store.rows["a"] = ("Quick River", "x", "Kalomi")
    clock.now = MAX_AGE_S
    assert lookup.of(["b", "a"]).titles[1] == "Slow River"
    assert store.lookups == [["a", "b"]]
    clock.now += 1
    assert lookup.of(["a"]).titles == ["Quick River"]


def test_a_track_without_a_title_is_asked_for_again(store: Store) -> None:
    lookup = lookup_of(store)
    assert lookup.of(["a", "new"]).titles == ["Slow River", "new"]
    store.rows["new"] = ("New", "y", "Osuna")
    shown = lookup.of(["a", "new"])
    assert (shown.titles, shown.artist_ids, shown.artist_names) == (
        ["Slow River", "New"],
        ["x", "y"],
        ["Kalomi", "Osuna"],
    )
    assert store.lookups == [["a", "new"], ["new"]]


@pytest.mark.parametrize("reachable", [True, False])
def test_without_the_store_those_that_are_kept_are_shown(store: Store, *, reachable: bool) -> None:
    lookup = lookup_of(store)
    lookup.of(["b"])
    store.is_away = True
    shown = lookup.of(["a", "b", "c"], reachable=reachable)
    assert shown.titles == ["a", "b" * 500 + "…", "c"]
    assert shown.artist_ids == ["x", None, None]  # that of the catalogue
    store.is_away = False
    assert lookup.of(["a"]).titles == ["Slow River"]  # what was not looked up is not kept


def test_what_is_hidden_is_kept_and_not_shown(store: Store) -> None:
    lookup = lookup_of(store)
    shown = lookup.of(["a"], hidden=frozenset({TITLE, ARTIST_ID, ARTIST_NAME}))
    assert (shown.titles, shown.artist_ids, shown.artist_names) == (["a"], [None], [None])
    assert lookup.of(["a"]).titles == ["Slow River"]
    assert store.lookups == [["a"]]


def test_they_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(titles, "MOST_KEPT", 1)
    lookup = lookup_of(store)
    for _ in range(2):
        assert lookup.of(["a", "b"]).titles[0] == "Slow River"
    assert store.lookups == [["a", "b"], ["a", "b"]]


def test_no_tracks_ask_nothing(store: Store) -> None:
    assert lookup_of(store).of([]).titles == []
    assert store.lookups == []
