"""A data folder works with any characters in its path: build, materialize, stream, correction, copy and doctor."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo import clock, retractions
from feature_repo.doctor import examine, lines
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.store import config_file, open_store
from feature_repo.stores import redis_server
from tests.worlds import apply
from training.tuning.search import _study
from transforms.batch.build import build
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Lines

SPECIAL_CHARACTERS = "music [2026]?#%20 {x}*'é $HOME"
SIZE = Size(users=8, tracks=100, days=9, plays=150)
END = SIZE.start + timedelta(days=SIZE.days)
VIEW, FEATURE = "user_listening", "plays_28d"


def ignore_message(text: str) -> None:
    pass


def bring_online(home: Home) -> None:
    open_store(home).materialize(clock.BEGINNING, clock.now(), feature_views=[VIEW])


def plays_of(home: Home, user: str) -> tuple[Any, Any]:
    """Returns a feature of a listener as of now, from a training set and from the online store."""
    store, spine = open_store(home), pl.DataFrame({"user_id": [user], "event_timestamp": [clock.now()]})
    offline = store.get_historical_features(spine.to_arrow(), [f"{VIEW}:{FEATURE}"]).to_arrow()
    online = store.get_online_features([f"{VIEW}:{FEATURE}"], {"user_id": [user]}).to_dict()
    return offline[FEATURE].to_pylist()[0], online[FEATURE][0]


@pytest.mark.journeys
def test_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, copy = Home(tmp_path / SPECIAL_CHARACTERS / "data"), Home(tmp_path / SPECIAL_CHARACTERS / "copy")
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    monkeypatch.setenv(clock.NOW, END.isoformat())
    try:
        simulate(home, SIZE, seed=2)
        build(home)
        apply(home)
        bring_online(home)
        user = pl.read_parquet(sorted(home.raw("plays").rglob("*.parquet"))[-1], glob=False, hive_partitioning=False)[
            "user_id"
        ][0]
        before, online = plays_of(home, user)
        assert before == online > 0

        event = {"user_id": user, "track_id": "t000001", "artist_id": "a00001", "ms_played": 200_000}
        path = home.root / "events.jsonl"
        event_time = (END - timedelta(hours=1)).isoformat()
        path.write_text(json.dumps({**event, "event_timestamp": event_time}) + "\n")
        settings = Settings(follows="events", until_idle=True)
        report = Reader(
            home, Address.from_env(), lambda log: Lines(log, path, "plays"), settings, say=ignore_message
        ).run()
        assert report.counts["accepted"] == 1

        shutil.rmtree(home.raw("plays") / f"date={END.date() - timedelta(days=1)}", ignore_errors=True)
        build(home)
        assert retractions.list_files(home, VIEW)
        bring_online(home)
        after, online = plays_of(home, user)
        assert after == online != before

        study = _study(home.root)
        study.tell(study.ask(), 1.0)
        study._storage.remove_session()
        shutil.copytree(home.root, copy.root, ignore=shutil.ignore_patterns("redis"))
        monkeypatch.setenv("REFRAIN_HOME", str(copy.root))
        bring_online(copy)
        assert plays_of(copy, user) == (after, online)
        examination = examine(copy, clock.now(), sample=20, views=[VIEW])
        assert not [fault for fault in examination.faults if fault.where == VIEW], list(lines(examination))
        assert examination.values > 0
        config_file(copy)
        assert sorted(path.name for path in (tmp_path / SPECIAL_CHARACTERS).iterdir()) == ["copy", "data"]
        assert [path.name for path in tmp_path.iterdir()] == [SPECIAL_CHARACTERS]
        assert home.registry.is_file()
    finally:
        for folder in (home, copy):
            redis_server.stop(folder)
