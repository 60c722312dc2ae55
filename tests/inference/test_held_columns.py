"""Held columns: whatever happens to rows, a lookup that holds views gives what one that holds nothing gives."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from feature_repo import clock
from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.manifest import Service, View
from feature_repo.on_demand import OnDemand
from feature_repo.packed import entity_key
from feature_repo.packed.encode import encode
from feature_repo.packed.schema import Schema
from inference.features import OnlineFeatures, column_cache, lookup, plan, prepared
from inference.features.entities import GroupKeys, KeyValues
from inference.features.float_lists import FloatLists
from inference.features.known_keys import KnownKeys
from inference.features.prepared import RoundTrip

TRACK = (
    ("plays", "Int64", 0),
    ("share", "Float64", 0),
    ("explicit", "Bool", 0),
    ("released", "UnixTimestamp", 0),
    ("title", "String", 0),
    ("genres", "Array(String)", 0),
    ("vector", "Array(Float32)", 0),
    ("chroma", "Array(Float64)", 2),
    ("charts", "Array(Int64)", 0),
)
OLDER = (("plays", "Int32", 0), ("title", "String", 0), ("gone", "Int64", 0))
ARTIST = (("plays", "Int64", 0), ("rate", "Float32", 0))
NOW, SECONDS, TTL = datetime(2026, 3, 2, tzinfo=UTC), 5.0, 3_600.0
TRACKS, ARTISTS = [f"t{number}" for number in range(6)], ["a", "ü", "longer"]
KNOWN = {"track_id": KnownKeys(TRACKS), "artist_id": KnownKeys(ARTISTS)}


def match(user: np.ndarray, track: np.ndarray, plays: np.ndarray, released: np.ndarray) -> dict[str, np.ndarray]:
    dot = np.einsum("nd,nd->n", user, track) if user.shape[1] == track.shape[1] else np.full(len(user), np.nan)
    return {"score": dot, "age": plays * 2.0 - released}


def view(name: str, keys: tuple[str, ...], columns: tuple[tuple[str, str, int], ...], ttl: float = 0.0) -> View:
    features = tuple((name, dtype) for name, dtype, _ in columns)
    return View(name, keys, ("String",) * len(keys), features, columns, ttl)


VIEWS = (
    view("track", ("track_id",), TRACK),
    view("fleeting", ("track_id",), ARTIST, TTL),
    view("artist", ("artist_id",), ARTIST),
    view("user", ("user_id",), (("vector", "Array(Float32)", 0),)),
    view("pair", ("artist_id", "user_id"), ARTIST),
)
MATCH = OnDemand(
    "match",
    match,
    {"user": "user__vector", "track": "track__vector", "plays": "pair__plays", "released": "track__released"},
    {"score": "Float64", "age": "Float64"},
)
FEATURES = [(f"{one.name}__{name}", dtype) for one in VIEWS for name, dtype in one.features]
SERVICE = Service(
    "s",
    "p",
    "",
    VIEWS,
    ("match",),
    (*FEATURES, ("match__score", "Float64"), ("match__age", "Float64")),
    {"match": MATCH},
)


class Store:
    """Packed rows in memory, and the two clocks of a lookup."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.fetched: list[bytes] = []
        self.held_s, self.now = 0.0, NOW.timestamp()

    def get(self, server: object, names: Sequence[bytes]) -> list[bytes | None]:
        self.fetched += names
        return [self.rows.get(name) for name in names]

    def write(self, name: str, keys: Sequence[str], values: dict[str, Any], age_s: float, columns: Any = None) -> None:
        schema = Schema.of(name, columns or next(one.columns for one in VIEWS if one.name == name))
        moment = pa.array([NOW - timedelta(seconds=age_s)], pa.timestamp("us", "UTC"))
        arrays = {column.name: pa.array([values.get(column.name)]) for column in schema.columns}
        key = entity_key.prefix("p", name) + entity_key.entity([part.encode() for part in keys]) + b"}"
        self.rows[key] = encode(schema, arrays, moment, None)[0]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Store]:
    yield from _stores(monkeypatch)


def _stores(patch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Replace Redis, the manifest and the clocks of lookups."""
    one = Store()

    class Schemas:
        def __init__(self, server: object, project: str) -> None: ...

        def of(self, name: str) -> Any:
            return {Schema.of(name, OLDER).fingerprint: Schema.of(name, OLDER)}.get

    patch.setattr(plan, "KnownSchemas", Schemas)
    patch.setattr(lookup, "load_service", lambda home, name: SERVICE)
    patch.setattr(lookup, "load_address", lambda home: None)
    patch.setattr(lookup, "open_server", lambda home, address, timeout: None)
    patch.setattr(lookup, "get", one.get)
    patch.setattr(prepared, "get", one.get)
    patch.setattr(clock, "seconds", lambda: one.now)
    patch.setattr(column_cache.time, "monotonic", lambda: one.held_s)
    yield one


def lookups(home: Home) -> tuple[OnlineFeatures, OnlineFeatures]:
    """One that holds what is of tracks and artists, and one that holds nothing."""
    held = dict.fromkeys(("track", "fleeting", "artist"), SECONDS)
    return OnlineFeatures("s", home, hold=held), OnlineFeatures("s", home)


def assert_same_bits(left: Any, right: Any) -> None:
    assert len(left) == len(right)
    np.testing.assert_array_equal(left.matrix().view(np.uint32), right.matrix().view(np.uint32))
    for name in right.columns:
        one, other = left.columns[name], right.columns[name]
        assert one.dtype == other.dtype, name
        assert [_bits(value) for value in one.tolist()] == [_bits(value) for value in other.tolist()], name
        np.testing.assert_array_equal(left.missing[name], right.missing[name], err_msg=name)
        values = zip(left.values[name], right.values[name], strict=True)
        assert all(_bits(value) == _bits(expected) for value, expected in values), name
    for name, times in right.event_times.items():
        np.testing.assert_array_equal(left.event_times[name], times, err_msg=name)


def _bits(value: Any) -> Any:
    return (value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)


numbers = st.none() | st.integers(-(2**62), 2**62)
floats = st.none() | st.floats(width=32)
track_values = st.fixed_dictionaries(
    {
        "plays": numbers,
        "share": floats,
        "explicit": st.none() | st.booleans(),
        "released": st.none()
        | st.datetimes(datetime(1970, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
        "title": st.none() | st.text(max_size=3),
        "genres": st.none() | st.lists(st.text(max_size=2), max_size=2),
        "vector": st.none() | st.sampled_from([[1.0, 2.0], [0.5, -0.25], [0.0], []]),
        "chroma": st.none() | st.just([0.25, 0.5]),
        "charts": st.none() | st.lists(st.integers(0, 9), max_size=2),
    }
)
pair_values = st.fixed_dictionaries({"plays": numbers, "rate": floats})
track_ids = st.lists(st.sampled_from([*TRACKS, "nobody", None]), min_size=1, max_size=24)


def write_some(draw: st.DataObject, store: Store) -> None:
    """Write a few rows of any view, some in an older schema; nothing of it is held when it is read next."""
    for _ in range(draw.draw(st.integers(1, 5))):
        age_s, track = draw.draw(st.sampled_from([0.0, TTL - 1, TTL + 1])), draw.draw(st.sampled_from(TRACKS))
        kind, artist = draw.draw(st.sampled_from(["track", "older", "fleeting", "artist", "user", "pair"])), ARTISTS[0]
        if kind == "track":
            store.write("track", [track], draw.draw(track_values), age_s)
        elif kind == "older":
            store.write("track", [track], {"plays": 3, "title": "old", "gone": 1}, age_s, OLDER)
        elif kind == "user":
            store.write("user", ["u"], {"vector": [1.0, 3.0]}, age_s)
        else:
            keys = {"fleeting": [track], "artist": [artist], "pair": [artist, "u"]}[kind]
            store.write(kind, keys, draw.draw(pair_values), age_s)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_what_is_held_is_what_is_looked_up(draw: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for store in _stores(patch):
            held, plain = lookups(Home(Path("/nowhere")))
            for _ in range(draw.draw(st.integers(1, 4))):
                write_some(draw, store)
                store.held_s += SECONDS + 1  # what was held has expired
                for _ in range(2):  # the second time from memory, and later: a ttl counts at the time of the answer
                    tracks = draw.draw(track_ids)
                    choices: list[list[str | None]] = [["a"], [*ARTISTS, None] * len(tracks)]
                    artists = draw.draw(st.sampled_from(choices))[: len(tracks)]
                    keys = {"track_id": tracks, "artist_id": artists, "user_id": ["u"]}
                    assert_same_bits(held.get(keys), plain.get(keys))
                    store.now += draw.draw(st.sampled_from([0.0, 2.0]))
                    places = np.array(draw.draw(st.lists(st.integers(-1, len(TRACKS) - 1), min_size=2, max_size=24)))
                    known = {
                        "track_id": KNOWN["track_id"].at(places),
                        "artist_id": KNOWN["artist_id"].at(np.minimum(places, len(ARTISTS) - 1)),
                    }
                    listed = {name: list(values) for name, values in known.items()}
                    first = plain.get({**listed, "user_id": ["u"]})
                    assert_same_bits(held.get({**known, "user_id": ["u"]}), first)
                    assert_same_bits(held.get({**known, "user_id": ["u"]}, reuse=first), first)


def test_rows_expire_and_new_rows_are_found_at_once(store: Store, tmp_path: Any) -> None:
    held, _ = lookups(Home(tmp_path))
    keys = {"track_id": ["t0", "t1"], "artist_id": "a", "user_id": "u"}
    store.write("track", ["t0"], {"plays": 1}, 0.0)
    assert held.get(keys).values["track__plays"] == [1, None]
    store.write("track", ["t0"], {"plays": 2}, 0.0)
    store.write("track", ["t1"], {"plays": 7}, 0.0)
    store.fetched.clear()
    assert held.get(keys).values["track__plays"] == [1, 7]  # the changed row is held, the new one was not
    assert b"p:track:{t0}" not in store.fetched
    store.held_s += SECONDS + 0.1
    assert held.get(keys).values["track__plays"] == [2, 7]


def test_lookups_that_are_fetched_together_are_those_alone(store: Store, tmp_path: Any) -> None:
    held, plain = lookups(Home(tmp_path))
    for track in TRACKS:
        store.write("track", [track], {"plays": 1, "vector": [1.0, 2.0]}, 0.0)
    store.write("user", ["u"], {"vector": [1.0, 3.0]}, 0.0)
    several = [
        {"track_id": ["t0", "nobody", "t1"], "artist_id": "a", "user_id": "u"},
        {"track_id": ["t3"], "artist_id": "a", "user_id": [None]},
        {"track_id": [], "artist_id": [], "user_id": "u"},
    ]
    for lookup_of in (held, plain, held):
        parts = [lookup_of.prepare(keys) for keys in several]
        RoundTrip(parts).fetch()
        store.fetched.clear()
        for keys, one in zip(several, parts, strict=True):
            assert_same_bits(lookup_of.get(keys, prepared=one), plain.get(keys))
    RoundTrip([]).fetch()


def test_a_round_trip_that_fails_fails_all_of_its_lookups(
    store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(server: object, names: Sequence[bytes]) -> Any:
        raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")

    _, plain = lookups(Home(tmp_path))
    keys = {"track_id": ["t0"], "artist_id": "a", "user_id": "u"}
    one, other = plain.prepare(keys), plain.prepare(keys)
    monkeypatch.setattr(prepared, "get", unavailable)
    RoundTrip([one, other]).fetch()
    with pytest.raises(OnlineUnavailable):
        plain.get(keys, prepared=one)
    assert "the online store to answer" in str(plain.get(keys, prepared=other, on_failure="defaults").degraded)
    assert store.fetched == []


def test_held_rows_are_missing_when_their_ttl_is_over(store: Store, tmp_path: Any) -> None:
    held, _ = lookups(Home(tmp_path))
    keys = {"track_id": ["t0"], "artist_id": "a", "user_id": "u"}
    store.write("fleeting", ["t0"], {"plays": 1}, TTL - 1)
    assert held.get(keys).values["fleeting__plays"] == [1]
    store.now += 2.0  # nothing is fetched anew
    rows = held.get(keys)
    assert rows.values["fleeting__plays"] == [None]
    assert np.isnan(rows.matrix(["fleeting__plays"])).all()


def test_a_caller_may_change_what_it_gets(store: Store, tmp_path: Any) -> None:
    held, _ = lookups(Home(tmp_path))
    keys = {"track_id": ["t0"], "artist_id": "a", "user_id": "u"}
    store.write("track", ["t0"], {"genres": ["pop"], "vector": [1.0], "charts": [4]}, 0.0)
    for _ in range(2):
        rows = held.get(keys)
        assert rows.values["track__genres"] == [["pop"]]
        assert rows.values["track__vector"][0].tolist() == [1.0]
        assert rows.values["track__charts"][0].tolist() == [4]
        rows.values["track__genres"][0].append("jazz")
        for name in ("track__vector", "track__charts"):
            changed = held.get(keys).values[name][0]
            changed[:] = 9


def test_held_rows_are_bounded(store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_cache, "MAX_ROWS", 10)
    held, plain = lookups(Home(tmp_path))
    for start in range(0, 60, 6):
        tracks = [f"t{number}" for number in range(start, start + 6)]
        for track in tracks:
            store.write("track", [track], {"plays": start}, 0.0)
        keys = {"track_id": tracks, "artist_id": "a", "user_id": "u"}
        assert_same_bits(held.get(keys), plain.get(keys))
        _, cache, *_ = held._state
        assert cache is not None
        assert all(len(numbered) <= 10 + 7 for numbered in cache._groups.values())


def test_columns_grow_while_others_read(store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that look up other tracks, whose columns grow and expire meanwhile, get their own rows."""
    monkeypatch.setattr(column_cache, "FIRST_ROWS", 2)
    held, _ = lookups(Home(tmp_path))
    for number in range(400):
        store.write("track", [f"t{number}"], {"plays": number, "vector": [float(number)] * (1 + number % 2)}, 0.0)
    wrong: list[object] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(8):
            chosen = rng.integers(400, size=20).tolist()
            rows = held.get({"track_id": [f"t{number}" for number in chosen], "artist_id": "a", "user_id": "u"})
            store.held_s += 0.5
            vectors = [[float(number)] * (1 + number % 2) for number in chosen]
            if (rows.values["track__plays"], [each.tolist() for each in rows.values["track__vector"]]) != (
                chosen,
                vectors,
            ):
                wrong.append(chosen)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@given(st.lists(st.lists(st.floats(width=32), max_size=3), min_size=1, max_size=6))
def test_lists_of_floats_are_kept_whatever_their_lengths(lists: list[list[float]]) -> None:
    column = FloatLists(8, np.dtype("<f4"))
    arrays, numbers = [np.array(values, "<f4") for values in lists], np.arange(1, len(lists) + 1)
    column.write(numbers, arrays)
    for kept in (column, column.grown(20)):
        assert [values.tobytes() for values in kept.take(numbers)] == [values.tobytes() for values in arrays]
        vectors = kept.vectors(numbers, np.ones(len(lists), bool))
        assert (vectors is None) == (len({len(values) for values in lists}) > 1)
        if vectors is not None:  # written as a matrix, they are the same lists
            column.write(numbers, vectors)
            assert [values.tobytes() for values in column.take(numbers)] == [values.tobytes() for values in arrays]


@given(st.lists(st.integers(-1, 4), max_size=8))
def test_numbered_keys_are_their_values(numbers: list[int]) -> None:
    known = KnownKeys([7, 8, 9, 10, 11])
    keys = known.at(np.array(numbers, np.int64))
    values = [None if number < 0 else known.values[number] for number in numbers]
    assert list(keys) == values
    assert list(keys[1:3]) == values[1:3]
    for given_keys in (keys, values):
        group = GroupKeys([KeyValues(given_keys, "Int64", "id")], len(numbers))
        places = range(len(numbers)) if group.places is None else group.places.tolist()
        entities = [None if place < 0 else group.entities[place] for place in places]
        assert entities == [None if value is None else b"%d}" % value for value in values]
        assert len(set(group.entities)) == len(group.entities)
