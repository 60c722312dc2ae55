"""Models that forget: the state of every version until it is done, and sums without a person as if never there."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_repo import clock
from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.errors import InputError, StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from refrain.person.erasure import run as erasure_run
from refrain.person.erasure.journal import certificates
from refrain.person.erasure.models import check_when, train_without
from refrain.person.erasure.run import erase
from refrain.person.scan import PersonKey, scan_files
from training.datasets import Interactions
from training.exact import play_counts
from training.exact.kept import FILE, KeptSums
from training.exact.sums import Sums
from training.models.base import FamilyModel
from training.models.recommendation.kept_sums import keep_sums, share_of
from training.models.recommendation.segments import segments_of_users
from training.models.recommendation.trust import not_learned_from
from training.pipeline import MLPipeline, forgetting, lifecycle, triggers
from training.pipeline.erasures import Forgetting
from training.pipeline.erasures import read as read_note
from training.pipeline.models import Outcome
from training.version_files import LINEAGE
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import plays

ID, OTHER = "mira-lind", "listener-2"
ZERO = datetime(2026, 4, 1, tzinfo=UTC)
SONGS = [f"song-{number}" for number in range(5)]
FIRST, SECOND = "songs:1", "songs:2"


def counted(home: Home, users: Sequence[str]) -> Sums:
    rows = plays(home).filter(pl.col("user_id").is_in(list(users))).select("track_id").collect()["track_id"]
    numbers = np.searchsorted(SONGS, rows.to_numpy())
    return play_counts.count({"all": (numbers, np.ones(len(numbers)))}, len(SONGS), bits=0)


def never(home: Home) -> str:
    """The digest of the sums where those who are erased never were."""
    others = sorted({"listener-1", OTHER, "listener-3", ID} - {ID})
    return KeptSums(SONGS, 0, counted(home, others)).digest()


SONGS_MODEL = FamilyModel(
    name="songs",
    family="own",
    about="Plays of songs.",
    program=lambda home, progress: pytest.fail("it is trained by the lifecycle"),
    share=lambda home, kept, users: counted(home, users),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Plays of four listeners, and a champion that counted them."""
    home = Home(tmp_path / "home")
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    monkeypatch.setenv(clock.NOW, (ZERO + timedelta(days=2)).isoformat())
    rng = np.random.default_rng(2)
    people = [ID, "listener-1", OTHER, "listener-3"]
    played = pl.DataFrame(
        {
            "user_id": [people[number] for number in rng.integers(4, size=60)],
            "track_id": [SONGS[number] for number in rng.integers(5, size=60)],
            "event_timestamp": [ZERO + timedelta(minutes=number) for number in range(60)],
        }
    )
    ingest(home, "test", [Batch("plays", played)])
    monkeypatch.setattr(forgetting, "models", lambda home: {"songs": SONGS_MODEL})
    monkeypatch.setattr(erasure_run, "build", lambda home, now: None)
    monkeypatch.setattr(forgetting, "remove", _remove)
    train(home, 1, people, erasures=0)
    return home


def _remove(home: Home, name: str, version: int, artifacts: Sequence[Path]) -> None:
    for folder in (*artifacts, home.bundles(name) / str(version)):
        shutil.rmtree(folder, ignore_errors=True)


def train(home: Home, version: int, people: Sequence[str], *, erasures: int | None, promote: bool = True) -> None:
    """A version of some people's plays, as a training that began after some erasures registers it."""
    folder = home.bundles("songs") / str(version)
    run = home.mlflow / "artifacts" / "songs" / f"run-{version}" / "artifacts" / "bundle"
    for place in (folder, run):
        place.mkdir(parents=True)
        (place / MANIFEST).write_text(json.dumps({"name": "songs", "version": version}))
    (folder / FILE).write_bytes(KeptSums(SONGS, 0, counted(home, people)).to_bytes())
    (folder / LINEAGE).write_text(json.dumps({} if erasures is None else {"erasures": erasures}))
    if promote:
        (home.bundles("songs") / ALIASES).write_text(json.dumps({"champion": version}))


def known(home: Home, id_: str = ID) -> dict[str, str]:
    return {each.version: each.state for each in forgetting.states(home, Forgotten.of(home).digest("user_id", id_))}


def left(home: Home) -> set[str]:
    paths = [*home.bundles("songs").glob(f"*/{MANIFEST}"), *home.mlflow.rglob(MANIFEST)]
    return {f"songs:{json.loads(path.read_text())['version']}" for path in paths}


def test_a_version_is_due_until_its_successor_serves(home: Home) -> None:
    expected = never(home)
    certificate = erase(home, "user_id", [ID]).certificate
    assert certificate.models == [FIRST] and known(home) == {FIRST: "due"} and forgetting.due(home) == ["songs"]
    (status,) = triggers.watch(home, [SONGS_MODEL])
    assert status.due and "erasure: it was trained with people who were erased since" in status.reasons
    train(home, 2, ["listener-1", OTHER, "listener-3"], erasures=1, promote=False)
    assert forgetting.settle(home) == f"due: {FIRST}" and left(home) == {FIRST, SECOND}
    (home.bundles("songs") / ALIASES).write_text(json.dumps({"champion": 2}))
    assert known(home) == {FIRST: "still there"}
    assert forgetting.settle(home) == f"removed {FIRST}"
    assert left(home) == {SECOND} and known(home) == {FIRST: "forgotten"} and not forgetting.due(home)
    assert not triggers.watch(home, [SONGS_MODEL])[0].due
    (file,) = (home.erasures / "models").iterdir()
    note = read_note(home, certificate.people)
    assert note is not None and note.is_genuine(home) and ID not in file.read_text()
    assert (
        note.expected == {FIRST: expected} and "are those of this version without these people" in note.outcomes[FIRST]
    )
    file.write_text(file.read_text().replace("songs:2", "songs:3"))
    changed = read_note(home, certificate.people)
    assert changed is not None and not changed.is_genuine(home)
    assert forgetting.settle(home) == "no version knows a person who was erased"


def test_a_successor_of_other_rows_is_not_called_the_same(home: Home) -> None:
    erase(home, "user_id", [ID])
    train(home, 2, ["listener-1", OTHER], erasures=1)
    forgetting.settle(home)
    (state,) = forgetting.states(home)
    assert state.state == "forgotten" and state.note.endswith("trained anew without these people")


def test_a_training_that_began_before_the_erasure_knows_them(home: Home) -> None:
    rows = [ID, "listener-1", OTHER, "listener-3"]
    sums = counted(home, rows)
    erase(home, "user_id", [ID])
    train(home, 2, ["listener-1"], erasures=0)
    (home.bundles("songs") / "2" / FILE).write_bytes(KeptSums(SONGS, 0, sums).to_bytes())
    assert known(home) == {FIRST: "still there", SECOND: "due"}
    train(home, 3, ["listener-1"], erasures=1)
    forgetting.settle(home)
    assert known(home) == {FIRST: "forgotten", SECOND: "forgotten"} and left(home) == {"songs:3"}


def test_a_version_with_the_same_inputs_stays(home: Home) -> None:
    erase(home, "user_id", [ID])
    assert forgetting.settle(home, {FIRST}) == "no version knows a person who was erased"
    assert known(home) == {FIRST: "unaffected"} and not forgetting.known_by(home, "songs", 1) and left(home) == {FIRST}
    train(home, 2, [OTHER], erasures=1)
    forgetting.settle(home)
    assert left(home) == {FIRST, SECOND}


def test_a_version_that_is_differentially_private_stays(home: Home) -> None:
    content = {"name": "songs", "version": 1, "extra": {"privacy": {"epsilon": 0.5, "delta": 1e-6}}}
    (home.bundles("songs") / "1" / MANIFEST).write_text(json.dumps(content))
    erase(home, "user_id", [ID])
    (state,) = forgetting.states(home)
    assert (state.state, "ε = 0.5" in state.note) == ("unaffected", True)
    assert not forgetting.due(home) and not triggers.watch(home, [SONGS_MODEL])[0].due
    train(home, 2, [OTHER], erasures=1)  # it does not serve, and stays all the same
    forgetting.settle(home)
    assert left(home) == {FIRST, SECOND}


def test_a_person_that_no_model_learned_from_leaves_models_alone(home: Home) -> None:
    folder = home.audit_log / "date=2026-04-02"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(json.dumps({"user_id": "visitor-9"}) + "\n")
    erase(home, "user_id", ["visitor-9"])
    assert known(home, "visitor-9") == {} and not forgetting.due(home)


def test_what_did_not_serve_goes_first_and_its_champion_stays_due(home: Home) -> None:
    train(home, 2, [ID, OTHER], erasures=0)
    (home.bundles("songs") / "2" / FILE).write_bytes(b"damaged")
    erase(home, "user_id", [ID])
    assert forgetting.settle(home) == f"removed {FIRST}; due: {SECOND}"
    first, second = forgetting.states(home)
    assert (first.version, first.note) == (FIRST, "removed; it did not serve, songs:2 does")
    assert (second.version, second.state) == (SECOND, "due") and left(home) == {SECOND}
    train(home, 3, [OTHER], erasures=1)
    forgetting.settle(home)
    assert known(home) == {FIRST: "forgotten", SECOND: "forgotten"}
    assert forgetting.states(home)[1].note == "removed; songs:3 serves, trained anew without these people"


def test_several_erasures_are_settled_by_one_run(home: Home) -> None:
    erase(home, "user_id", [ID])
    erase(home, "user_id", [OTHER, "listener-3"])
    assert [certificate.models for certificate in certificates(home)] == [[FIRST], [FIRST]]
    train(home, 2, ["listener-1"], erasures=1)
    assert known(home) == {FIRST: "still there"} and known(home, OTHER) == {FIRST: "still there", SECOND: "due"}
    train(home, 3, ["listener-1"], erasures=2)
    forgetting.settle(home)
    assert left(home) == {"songs:3"} and {*known(home).values(), *known(home, OTHER).values()} == {"forgotten"}


@pytest.mark.parametrize("step", ["remove", "save"])
def test_what_was_killed_ends_the_same(step: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    erase(home, "user_id", [ID])
    train(home, 2, ["listener-1", OTHER, "listener-3"], erasures=1)

    def killed(*arguments: Any) -> None:
        if step == "remove":
            shutil.rmtree(home.bundles("songs") / "1")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(forgetting if step == "remove" else Forgetting, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forgetting.settle(home)
    assert known(home) == {FIRST: "still there"} and forgetting.due(home) == ["songs"]
    forgetting.settle(home)
    assert left(home) == {SECOND} and known(home) == {FIRST: "forgotten"}
    (state,) = forgetting.states(home)
    assert "are those of this version without these people" in state.note


def test_an_erasure_that_is_killed_keeps_what_it_expected_of_models(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = never(home)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erasure_run, "_erase_features", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(home, "user_id", [ID], models="now")
    certificate = erase(home, "user_id", [ID], models="now").certificate
    erase(home, "user_id", [ID], models="now")  # once more, when the rows are gone
    note = read_note(home, certificate.people)
    assert note is not None and note.expected == {FIRST: expected} and note.when == "now"


def test_models_are_trained_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    erase(home, "user_id", [ID])
    may_serve = False

    def run(self: Any, *_: Any, **__: Any) -> Any:
        assert list(self.models) == ["songs"] and self.feature_store == home
        if not (home.bundles("songs") / "2").is_dir():
            train(home, 2, ["listener-1", OTHER, "listener-3"], erasures=1, promote=False)
        if may_serve:
            (home.bundles("songs") / ALIASES).write_text(json.dumps({"champion": 2}))
        forgetting.settle(home)
        decision = SimpleNamespace(may_serve=may_serve, reasons=["worse than the champion"])
        return SimpleNamespace(outcomes=[SimpleNamespace(model=SONGS_MODEL, error=None, version=2, decision=decision)])

    monkeypatch.setattr(MLPipeline, "run", run)
    with pytest.raises(StoreError, match="version 2 does not know them, and may not serve: worse than the champion"):
        train_without(home)
    assert known(home) == {FIRST: "due"}
    may_serve = True
    assert [(each.version, each.state) for each in train_without(home)] == [(FIRST, "forgotten")]
    monkeypatch.setattr(MLPipeline, "run", lambda *_, **__: pytest.fail("nothing is due"))
    assert [(each.version, each.state) for each in train_without(home)] == [(FIRST, "forgotten")]


def test_tables_that_a_version_wrote_go_before_its_successor_is_trained(home: Home) -> None:
    writer = replace(SONGS_MODEL, writes=("song_taste",))

    def write(name: str = "song_taste") -> Path:
        path = home.features(name) / "date=2026-04-01" / "part-1.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    path, other = write(), write("song_counts")
    forgetting.clear_written(home, writer)
    assert path.exists()
    erase_without_tables(home)
    forgetting.clear_written(home, writer)
    assert not path.exists() and other.exists()
    write()
    forgetting.clear_written(home, writer)  # its version is there and may have written since
    assert not path.exists()
    train(home, 2, [OTHER], erasures=1)
    write()
    forgetting.settle(home)
    forgetting.clear_written(home, writer)
    assert path.exists()
    (note,) = (home.erasures / "models").iterdir()
    assert json.loads(note.read_text())["cleared"] == ["songs"]


def erase_without_tables(home: Home) -> None:
    """Erase the person where the feature tables of the test are no Parquet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasure_run, "_erase_features", lambda home, journal, current, now: None)
        erase(home, "user_id", [ID])


@pytest.mark.parametrize("is_cached", [True, False])
def test_the_lifecycle_settles_what_it_trained(is_cached: bool, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    erase(home, "user_id", [ID])
    if not is_cached:
        train(home, 2, ["listener-1", OTHER, "listener-3"], erasures=1)
    outcome = Outcome(SONGS_MODEL, version=1 if is_cached else 2, cached=is_cached)
    monkeypatch.setattr(lifecycle, "select", lambda name, home: [SONGS_MODEL])
    for name, result in (("_features", None), ("_train", outcome), ("_deploy", None), ("_record", "run")):
        monkeypatch.setattr(MLPipeline, name, lambda *_, result=result: result)
    run = MLPipeline(feature_store=home, models=["songs"]).run(monitoring_enabled=False)
    assert [stage.name for stage in run.stages] == ["forget"]
    assert known(home) == {FIRST: "unaffected" if is_cached else "forgotten"}


def test_only_now_and_the_next_run_are_known() -> None:
    assert check_when("now") == "now" and check_when("next-run") == "next-run"
    with pytest.raises(InputError, match="'soon'"):
        check_when("soon")


def test_a_damaged_note_is_named(home: Home) -> None:
    erase(home, "user_id", [ID])
    (file,) = (home.erasures / "models").iterdir()
    file.write_text("{")
    with pytest.raises(StoreError, match=file.name):
        forgetting.states(home)


@pytest.mark.parametrize("count", [1, 4])
def test_kept_sums_without_listeners_are_those_of_the_world_without_them(count: int, in_world: Home) -> None:
    """The champion of the small world: subtract listeners from what it keeps, or count where they never were.

    Some of them may have been left out of what it learned from: they have no share.
    """
    bundle = in_world.bundles("recommendation") / "1"
    kept = KeptSums.read(bundle)
    assert kept is not None and FILE in json.loads((bundle / MANIFEST).read_text())["files"]
    every = Interactions.load(in_world)
    people = [every.user_ids[place] for place in (7, 20, 90, 131)[:count]]
    left_out = not_learned_from(in_world, every.user_ids, kept.cutoff)
    gone = np.isin(every.user, [every.user_ids.index(id_) for id_ in {*people, *left_out}])
    assert not set(people) <= left_out and len(left_out) <= 8
    users, user = np.unique(every.user[~gone], return_inverse=True)
    world = Interactions(
        [every.user_ids[place] for place in users.tolist()],
        every.track_ids,
        every.artist_ids,
        user,
        every.track[~gone],
        every.time[~gone],
    )
    counted_anew = keep_sums(world, kept.cutoff, segments_of_users(in_world, world, kept.cutoff))
    assert kept.without(share_of(in_world, kept, people)).digest() == counted_anew.digest() != kept.digest()
    scans = scan_files(in_world, [bundle / FILE], PersonKey.of(in_world, "user_id"), list(every.user_ids))
    assert not any(each.traces for each in scans.values()) and not any(each.unread for each in scans.values())
