"""Consent on the command line, and from the stream to the online store."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from inference.events import EventWriter
from inference.features import OnlineFeatures
from refrain.cli import app
from refrain.person.erasure.run import erase
from refrain.person.export import export
from refrain.person.scan import scan
from tests.projects import music_with_purposes
from tests.refrain.person.test_erasure import END, ID, built, world
from tests.worlds import apply_once
from training.datasets import training_set
from transforms.batch.build import build
from transforms.stream.batch_boundary import archive_if_there
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

__all__ = ["built", "world"]


@pytest.fixture
def served(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The world of the erasures as a project that asks for consent; its online store is empty."""
    folder = music_with_purposes(tmp_path / "project", {"analytics": "opt-in"})
    monkeypatch.setenv(PROJECT, str(folder))
    apply_once(world)
    yield Home(world.root, project_folder=folder)
    redis_server.stop(world)


def refrain(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["person", "consent", *arguments])


def read_stream(home: Home) -> None:
    Reader(home, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()


def test_consent_is_given_and_shown_by_hand(world: Home, tmp_path: Path) -> None:
    assert "nothing needs consent" in refrain(ID).output
    granted = refrain(ID, "--purpose", "analytics", "--grant")
    assert (granted.exit_code, granted.output.splitlines()[0]) == (0, f"{ID} consents to analytics")
    assert refrain(ID, "--purpose", "analytics", "--withdraw").exit_code == 0
    for wrong in (("--purpose", "analytcs", "--grant"), ("--grant",), ("--purpose", "analytics")):
        assert refrain(ID, *wrong).exit_code == 1, wrong
    assert refrain(ID, "--purpose", "analytics", "--grant", "--withdraw").exit_code == 1
    assert export(world, "user_id", ID, tmp_path / "export.zip")["tables/consents"] == 2
    erase(world, "user_id", [ID])
    assert not scan(world, "user_id", ID).certain
    assert refrain(ID, "--purpose", "analytics", "--grant").exit_code == 1


def test_what_is_given_by_hand_counts_online(served: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    features = OnlineFeatures("user_behavior_v1", served)
    assert features.get({"user_id": [ID]}).denied is not None
    assert "not allowed" in refrain(ID).output
    assert refrain(ID, "--purpose", "analytics", "--grant").exit_code == 0
    read_stream(served)
    assert features.get({"user_id": [ID]}).denied is None
    monkeypatch.setenv("REFRAIN_NOW", (END + timedelta(hours=1)).isoformat())
    assert refrain(ID).output.split()[:3] == ["analytics", "allowed", "opt-in"]
    assert refrain(ID, "--purpose", "analytics", "--withdraw").exit_code == 0
    read_stream(served)
    assert features.get({"user_id": [ID, "listener-1"]}).denied.tolist() == [True, True]


def test_stream_and_batch_say_what_the_newest_event_says(served: Home) -> None:
    """Out of order, twice, and both answers at one moment, of which the withdrawal counts."""
    draw = random.Random(4)
    events = [
        {
            "user_id": f"listener-{draw.randrange(5)}",
            "purpose": draw.choice(["analytics", "training"]),
            "granted": draw.random() < 0.6,
            "event_timestamp": (END - timedelta(minutes=draw.randrange(1, 12))).isoformat(),
        }
        for _ in range(60)
    ]
    newest: dict[tuple[str, str], tuple[str, bool]] = {}
    for event in events:
        key, said = (event["user_id"], event["purpose"]), (event["event_timestamp"], not event["granted"])
        newest[key] = max(newest.get(key, said), said)  # type: ignore[index]
    for part in (events[:20], events[15:45], events[40:]):
        EventWriter(served).write(json.dumps({"kind": "consents", "events": part}).encode())
        read_stream(served)
    keys = {"user_id": [user for user, _ in newest], "purpose": [purpose for _, purpose in newest]}
    expected = [not is_withdrawal for _, is_withdrawal in newest.values()]
    assert True in expected and False in expected
    online = OnlineFeatures("consent_v1", served).get(keys)
    assert online.values["user_consent__granted"] == expected
    archive_if_there(served)
    build(served, END)
    batch = training_set("consent_v1", pl.DataFrame({**keys, "event_timestamp": END}), home=served).data
    assert batch["user_consent__granted"].to_list() == expected
