"""Rights fail closed: whatever happens to the store, the model and the process, nothing forbidden is recommended."""

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from feature_repo.errors import InputError, OnlineUnavailable
from inference.recommend import known_rights
from inference.recommend.known_rights import STALENESS, KnownRights, max_staleness_s
from inference.recommend.rights import BLOCK, MAX_AGE_S, MAX_STALENESS_S, Rights, RightsLookup
from tests.oracles.rights import RightsOracle, Row
from transforms.pure.candidates.pool import Pool

TRACKS = tuple(f"t{number}" for number in range(6))
COUNTRIES = ("SE", "JP", None)
LIMIT_S = 60.0
ROWS = st.builds(
    Row,
    st.sampled_from([True, False, None]),
    st.sampled_from([True, False, None]),
    st.sampled_from([None, (), ("SE",), ("SE", "JP")]),
)


class _Store:
    """An online store with the rights of tracks; it notes what it answers."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.is_up, self.now = True, 1_000.0
        self.oracle = RightsOracle(LIMIT_S)

    def clock(self) -> float:
        return self.now

    def prepare(self, keys: Mapping[str, Sequence[str]]) -> Any:
        return SimpleNamespace(keys=keys)

    def get(self, keys: Mapping[str, Sequence[str]], prepared: Any = None) -> Any:
        if not self.is_up:
            raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")
        rows = [self.rows.get(track) for track in keys["track_id"]]
        self.oracle.read |= {
            track: (row, self.now) for track, row in zip(keys["track_id"], rows, strict=True) if row is not None
        }
        values = {name: [getattr(row, name, None) for row in rows] for name in ("available", "explicit", "regions")}
        columns = {name: np.array([bool(value) for value in values[name]]) for name in ("available", "explicit")}
        columns["regions"] = np.empty(len(rows), object)
        columns["regions"][:] = values["regions"]
        return SimpleNamespace(
            event_times={"track_catalogue": np.array([np.nan if row is None else 0.0 for row in rows])},
            missing={
                f"track_catalogue__{name}": np.array([value is None for value in column], bool)
                for name, column in values.items()
            },
            columns={f"track_catalogue__{name}": column for name, column in columns.items()},
        )


def candidates(count: int) -> Pool:
    zeros = np.zeros(count)
    return Pool(np.arange(count), zeros, zeros, zeros)


class RightsMachine(RuleBasedStateMachine):
    """A serving process, its store, its promotions and restarts, beside the oracle."""

    @initialize(rows=st.lists(st.none() | ROWS, min_size=len(TRACKS), max_size=len(TRACKS)))
    def begin(self, rows: list[Row | None]) -> None:
        self.store, self.saved = _Store(), dict[str, tuple[Row, float]]()
        self.store.rows = {track: row for track, row in zip(TRACKS, rows, strict=True) if row is not None}
        self.cleanup = contextlib.ExitStack()
        self.file = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory())) / "rights" / "default.npz"
        self.known = KnownRights(self.file, self.store.clock)
        self.load(list(TRACKS[:4]))

    def teardown(self) -> None:
        if hasattr(self, "cleanup"):
            self.cleanup.close()

    def load(self, tracks: list[str]) -> None:
        rights = Rights(self.store, tracks, max_staleness_s=LIMIT_S, clock=self.store.clock)  # type: ignore[arg-type]
        self.known.add(rights)
        self.rights = rights
        newest = dict(self.store.oracle.read)
        for track, (row, at) in self.saved.items():
            if track not in newest or at > newest[track][1]:
                newest[track] = (row, at)
        self.store.oracle.read = {track: read for track, read in newest.items() if track in tracks}

    @rule(seconds=st.sampled_from([1, 4, 6, 30, 59, 70]))
    def time_passes(self, seconds: int) -> None:
        self.store.now += seconds

    @rule(is_up=st.booleans())
    def store_goes_or_comes(self, is_up: bool) -> None:
        self.store.is_up = is_up

    @rule(track=st.sampled_from(TRACKS), row=st.none() | ROWS)
    def rights_change(self, track: str, row: Row | None) -> None:
        self.store.rows.pop(track, None)
        if row is not None:
            self.store.rows[track] = row

    @rule()
    def all_are_read(self) -> None:
        answered = self.store.is_up or self._is_fresh()
        assert self.known.refresh(lambda seconds: None) == answered
        if answered:
            self._note_saved()

    @rule()
    def they_are_saved(self) -> None:
        self.known.save()
        self._note_saved()

    def _note_saved(self) -> None:
        if self.rights.is_known:
            self.saved = dict(self.store.oracle.read)

    @rule(tracks=st.permutations(TRACKS), count=st.integers(1, len(TRACKS)))
    def another_model_is_promoted(self, tracks: list[str], count: int) -> None:
        self.load(tracks[:count])

    @rule(tracks=st.permutations(TRACKS), count=st.integers(1, len(TRACKS)))
    def the_process_starts_again(self, tracks: list[str], count: int) -> None:
        self.store.oracle.read = {}
        self.known = KnownRights(self.file, self.store.clock)
        self.load(tracks[:count])

    @invariant()
    def what_is_allowed_is_what_is_known(self) -> None:
        if not hasattr(self, "store"):
            return
        for explicit, ask in ((True, False), (False, False)):
            self._compare("SE", explicit, ask)

    @rule(country=st.sampled_from(COUNTRIES), explicit=st.booleans())
    def somebody_asks(self, country: str | None, explicit: bool) -> None:
        self._compare(country, explicit, ask=True)
        if self.store.is_up:
            read = self.store.oracle.read
            for track, missed_at in zip(self.rights.track_ids, self.rights.missed_at, strict=True):
                looked_up_at = max(missed_at, read[track][1] if track in read else -np.inf)
                assert track not in self.store.rows or self.store.now - looked_up_at <= MAX_AGE_S

    @rule(country=st.sampled_from(COUNTRIES), explicit=st.booleans())
    def somebody_asks_for_more_than_rights(self, country: str | None, explicit: bool) -> None:
        self._compare(country, explicit, ask=True, prepared=self.rights.prepare(np.arange(len(self.rights.track_ids))))

    def _compare(self, country: str | None, explicit: bool, ask: bool, prepared: RightsLookup | None = None) -> None:
        tracks = self.rights.track_ids
        pool = candidates(len(tracks))
        allowed = self.rights.allowed(pool, country=country, explicit=explicit, ask=ask, prepared=prepared)
        expected = self.store.oracle.permitted(tracks, self.store.now, country, explicit)
        assert {tracks[place] for place in allowed.pool.places.tolist()} == expected
        assert allowed.age_s <= LIMIT_S
        assert allowed.answered == (self._is_fresh() or (ask and self.store.is_up))

    def _is_fresh(self) -> bool:
        looked_up_at = np.maximum(self.rights.read_at, self.rights.missed_at)
        return bool((self.store.now - looked_up_at <= MAX_AGE_S).all())


RightsMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None, database=None)
TestRights = RightsMachine.TestCase


def loaded(store: _Store, tracks: Sequence[str] = TRACKS) -> Rights:
    return Rights(store, tracks, max_staleness_s=LIMIT_S, clock=store.clock)  # type: ignore[arg-type]


def test_notes_say_what_is_not_known_and_how_old_the_rest_is() -> None:
    store = _Store()
    store.rows = dict.fromkeys(TRACKS[:4], Row()) | {TRACKS[4]: Row(explicit=None)}
    rights = loaded(store)
    pool = candidates(len(TRACKS))
    assert rights.allowed(pool.keep([0, 1]), country=None, explicit=False).note is None
    assert "1 candidates are left out" in str(rights.allowed(pool, country=None, explicit=True).note)
    assert "2 candidates are left out" in str(rights.allowed(pool, country=None, explicit=False).note)
    store.is_up, store.now = False, store.now + 42
    note = rights.allowed(pool, country=None, explicit=True).note
    assert str(note).startswith("the online store does not answer: rights are those of up to 42 s ago; 1 candidates")


def test_a_takedown_takes_effect_within_five_seconds() -> None:
    store = _Store()
    store.rows = dict.fromkeys(TRACKS, Row())
    rights = loaded(store)
    assert len(rights.allowed(candidates(6), country=None, explicit=False).pool) == 6
    store.rows[TRACKS[2]] = Row(available=False)
    store.now += MAX_AGE_S + 0.1
    assert 2 not in rights.allowed(candidates(6), country=None, explicit=False).pool.places


def test_a_takedown_between_preparing_and_fetching_counts_from_the_preparation() -> None:
    store = _Store()
    store.rows = dict.fromkeys(TRACKS, Row())
    rights = loaded(store)
    prepared = rights.prepare(np.arange(6))
    store.now += 3.0
    rights.allowed(candidates(6), country=None, explicit=False, prepared=prepared)
    assert (rights.read_at == store.now - 3.0).all()
    assert rights.prepare(np.arange(6)) is None
    store.now += 2.1
    renewed = rights.prepare(np.arange(6))
    assert renewed is not None
    assert renewed.places.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_track_without_a_row_is_looked_up_again_after_five_seconds_and_not_before() -> None:
    store = _Store()
    store.rows = dict.fromkeys(TRACKS[:5], Row())
    rights = loaded(store)
    assert len(rights.allowed(candidates(6), country=None, explicit=False).pool) == 5
    store.is_up = False
    assert rights.allowed(candidates(6), country=None, explicit=False).answered
    store.is_up, store.rows[TRACKS[5]], store.now = True, Row(), store.now + MAX_AGE_S + 0.1
    assert len(rights.allowed(candidates(6), country=None, explicit=False).pool) == 6


def test_a_late_answer_of_the_store_does_not_undo_a_newer_one() -> None:
    store = _Store()
    rights = loaded(store, ["t"])
    zero, taken_down, restored = np.zeros(1, np.int64), np.array([False]), np.array([True])
    rights.take_over(zero, np.array([900.0]), taken_down, zero, {})
    rights.take_over(zero, np.array([899.0]), restored, zero, {})
    assert not rights.available[0]


def test_all_are_read_in_blocks_and_the_end_of_the_process_ends_it() -> None:
    store = _Store()
    tracks = [f"t{number}" for number in range(2 * BLOCK + 1)]
    store.rows = dict.fromkeys(tracks, Row())
    rights = loaded(store, tracks)
    assert not rights.refresh(lambda seconds: True)
    assert np.isfinite(rights.read_at).sum() == BLOCK
    assert rights.refresh(lambda seconds: None)
    assert np.isfinite(rights.read_at).all()


@pytest.mark.parametrize("damage", ["cut", "empty", "no archive", "of the future", "shorter"])
def test_a_file_that_cannot_be_trusted_does_not_count(tmp_path: Path, damage: str) -> None:
    store, file = _Store(), tmp_path / "rights.npz"
    store.rows = dict.fromkeys(TRACKS, Row())
    known, rights = KnownRights(file, store.clock), loaded(store)
    known.add(rights)
    assert known.refresh()
    content = file.read_bytes()
    if damage == "shorter":
        arrays = known_rights.npz.unpack(content)
        content = known_rights.npz.pack(arrays | {"age_s": arrays["age_s"][:2]})
    file.write_bytes({"cut": content[:-40], "empty": b"", "no archive": b"rights"}.get(damage, content))
    store.is_up = False
    successor, now = loaded(store), store.now - (3_600 if damage == "of the future" else 0)
    KnownRights(file, lambda: now).add(successor)
    assert not successor.is_known
    assert not len(successor.allowed(candidates(6), country="SE", explicit=True).pool)


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rights").write_text("a file where a folder should be")
    store = _Store()
    store.rows = dict.fromkeys(TRACKS, Row())
    known, rights = KnownRights(tmp_path / "rights" / "default.npz", store.clock), loaded(store)
    known.add(rights)
    assert known.refresh()
    assert rights.is_known


def test_how_old_rights_may_be_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max_staleness_s() == MAX_STALENESS_S
    monkeypatch.setenv(STALENESS, "90")
    assert max_staleness_s() == 90
    for text in ("-1", "soon", "nan", "inf"):
        monkeypatch.setenv(STALENESS, text)
        with pytest.raises(InputError, match="REFRAIN_RIGHTS_MAX_AGE as seconds"):
            max_staleness_s()


def test_a_track_that_the_catalogue_never_had_may_be_played_unless_explicit_ones_are_excluded() -> None:
    store = _Store()
    store.rows = {TRACKS[0]: Row(), TRACKS[1]: Row(available=False)}
    rights = Rights(store, TRACKS[:4], unlisted=[1, 3], clock=store.clock)  # type: ignore[arg-type]

    def permitted(**wishes: bool) -> list[int]:
        return rights.allowed(candidates(4), country=None, **wishes).pool.places.tolist()

    assert permitted(explicit=True) == [0, 3]  # the second was listed since, and taken down; the third has no row
    assert permitted(explicit=False) == [0]
    store.is_up = False
    assert permitted(explicit=True) == [0, 3]
