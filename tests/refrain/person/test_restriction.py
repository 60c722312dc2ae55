"""Restricted people stay stored, and are used nowhere; lifted, everything is as it was."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.doctor import examine
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.materialize import materialize
from feature_repo.packed.address import Address
from feature_repo.restricted import Restricted
from feature_repo.store import open_store
from feature_repo.stores import push_online
from inference.events import EventWriter
from refrain.cli import app
from refrain.person import restriction
from refrain.person.erasure.run import erase
from refrain.person.export import export
from refrain.person.restriction import lift, online_rows, restrict
from refrain.person.scan import scan
from tests.live import Rows, online
from tests.refrain.person.test_erasure import END, ID, built, digests, store, world
from tests.worlds import apply_once, copied
from training.datasets import Interactions, training_set
from transforms.batch.build import build
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

__all__ = ["built", "world"]
OTHER = "listener-1"


@pytest.fixture(scope="module")
def online_once(built: tuple[Home, Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The world of the erasures, online; read only."""
    folder = Home(tmp_path_factory.mktemp("restriction") / "home")
    with pytest.MonkeyPatch.context() as patch:
        for home in copied(built[0], folder, patch):
            patch.setenv(clock.NOW, END.isoformat())
            moment = END - timedelta(hours=3)
            consents = {
                "user_id": [ID, OTHER],
                "purpose": "analytics",
                "granted": [True, False],
                "event_timestamp": moment,
            }
            store(home, {"consents": pl.DataFrame(consents)}, "consents")
            build(home, END)
            apply_once(home)
            materialize(home, None, say=lambda text: None)
    return folder


@pytest.fixture
def served(online_once: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of it that a test may change."""
    for home in copied(online_once, Home(tmp_path / "home"), monkeypatch):
        monkeypatch.setenv(clock.NOW, END.isoformat())
        yield home


def all_online(home: Home) -> dict[str, Rows]:
    return {name: online(home, name) for name in contract_of(home).windowed}


def of_person(rows: dict[str, Rows]) -> int:
    return sum(ID in key for view in rows.values() for key in view)


def refrain(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["person", *arguments])


def test_from_restriction_to_its_end(served: Home, tmp_path: Path) -> None:
    files, rows = digests(served), all_online(served)
    assert of_person(rows) > 5
    spine = {"user_id": [ID, OTHER], "event_timestamp": [END, END]}
    before = training_set("user_behavior_v1", spine, home=served).data
    first = export(served, "user_id", ID, tmp_path / "before.zip")

    assert restrict(served, "user_id", ID) >= of_person(rows)
    assert digests(served) == files  # all is stored
    assert online_rows(served, "user_id", ID) == of_person(all_online(served)) == 0
    others = {name: {key: row for key, row in view.items() if ID not in key} for name, view in rows.items()}
    assert all_online(served) == others
    assert training_set("user_behavior_v1", spine, home=served).data["user_id"].to_list() == [OTHER]
    assert ID not in Interactions.load(served).user_ids
    assert export(served, "user_id", ID, tmp_path / "during.zip") == first
    materialize(served, None, say=lambda text: None, anew=True)
    assert all_online(served) == others
    assert not [one for one in examine(served, clock.now()).faults if "online values" in one.found]
    assert restrict(served, "user_id", ID) == 0

    assert lift(served, "user_id", ID) > 0
    assert all_online(served) == rows
    assert digests(served) == files
    assert training_set("user_behavior_v1", spine, home=served).data.equals(before)
    with pytest.raises(InputError, match="a user_id that is restricted"):
        lift(served, "user_id", ID)
    assert Restricted.of(served) == Restricted()


@pytest.mark.parametrize("step", ["erase_entity", "open_server"])
def test_a_restriction_that_is_killed_is_finished_by_the_next(
    step: str, served: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restriction, step, killed)
        with pytest.raises(KeyboardInterrupt):
            restrict(served, "user_id", ID)
    assert "refrain person restrict mira-lind" in refrain("status", ID).output
    restrict(served, "user_id", ID)
    assert online_rows(served, "user_id", ID) == 0
    assert "restricted" in refrain("status", ID).output


def test_a_lifting_that_is_killed_is_finished_by_the_next(served: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = all_online(served)
    restrict(served, "user_id", ID)
    real, calls = restriction.newest_rows, []

    def killed(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(restriction, "newest_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            lift(served, "user_id", ID)
    assert "--lift" in refrain("status", ID).output
    lift(served, "user_id", ID)
    assert all_online(served) == rows
    assert "not restricted" in refrain("status", ID).output


def test_events_of_the_restricted_are_stored_and_not_shown(served: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    restrict(served, "user_id", ID)
    play = {"track_id": "song-1", "ms_played": 9, "event_timestamp": (END - timedelta(minutes=1)).isoformat()}
    events = [{"user_id": user, **play} for user in (ID, OTHER)]
    assert EventWriter(served).write(json.dumps({"kind": "plays", "events": events}).encode()).accepted == 2
    Reader(served, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    session = online(served, "user_session")
    assert (ID,) not in session
    assert session[(OTHER,)]["last_tracks_1d"][0] == "song-1"
    frame = pd.DataFrame({"user_id": [ID, "new"], "event_timestamp": [END, END], "country": ["SE", "SE"]})
    feast = open_store(served)
    profile = feast.get_feature_view("user_profile")
    columns = {field.name: None for field in profile.features if field.name != "country"}
    push_online.push(feast._get_provider(), profile, frame.assign(**columns, created_timestamp=END))
    assert online_rows(served, "user_id", "new") == 1
    assert online_rows(served, "user_id", ID) == 0
    lift(served, "user_id", ID)
    assert online(served, "user_session")[(ID,)]["last_tracks_1d"][0] == "song-1"


def test_an_erasure_ends_a_restriction(served: Home) -> None:
    restrict(served, "user_id", ID)
    erase(served, "user_id", [ID])
    assert Restricted.of(served) == Restricted()
    assert not scan(served, "user_id", ID).certain
    with pytest.raises(InputError, match="forgotten"):
        restrict(served, "user_id", ID)
    assert not scan(served, "user_id", ID).certain


def test_nobody_and_damage(world: Home) -> None:
    for unknown in ("mira", "nobody", ""):
        with pytest.raises(InputError):
            restrict(world, "user_id", unknown)
    assert not world.restricted.exists()
    assert restrict(world, "user_id", ID) == 0  # nothing is served
    assert world.restricted.stat().st_mode & 0o077 == 0
    world.restricted.write_text("{")
    with pytest.raises(StoreError, match="until then nothing is trained"):
        Interactions.load(world)
