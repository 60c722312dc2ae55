"""Serving logs: packing loses no line, and readers get the same rows before and after."""

import json
import threading
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.home import Home
from inference.features import OnlineFeatures
from inference.monitoring.lookups import LookupLog
from inference.monitoring.predictions import PredictionLog
from tests.serving import wait_until
from transforms import parquet
from transforms.logged import flat, lines, lookups


def _log(home: Home, count: int = 40) -> PredictionLog:
    log = PredictionLog(home, 1.0)
    for number in range(count):
        log.put("texts", "m:1", language="en", positive=number / count, note=None if number else "=1+1\n")
    log.put("sounds", "none", genre="jazz", tempo=120.5)
    log.flush()
    return log


def test_packing_changes_nothing_that_is_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    _log(home)
    rows_before = flat.predictions(home, "texts")
    assert rows_before.height == 40
    assert flat.families(home) == ["sounds", "texts"]
    assert flat.pack(home) == 41
    assert not list(home.predictions.rglob("*.jsonl"))
    assert_frame_equal(flat.predictions(home, "texts"), rows_before)
    assert flat.pack(home) == 0
    _log(home)
    assert flat.predictions(home, "texts").height == 80
    assert flat.pack(home) == 41
    assert flat.predictions(home, "texts").height == 80


@pytest.mark.parametrize("killed_at", ["write", "unlink"])
def test_killed_while_packing_and_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str) -> None:
    home = Home(tmp_path)
    _log(home)
    rows_before = flat.predictions(home, "texts")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if killed_at == "write":
            patch.setattr(parquet, "write_whole", interrupt)
        else:
            patch.setattr(Path, "unlink", interrupt)
        with pytest.raises(KeyboardInterrupt):
            flat.pack(home)
    if killed_at == "write":
        assert_frame_equal(flat.predictions(home, "texts"), rows_before)
    flat.pack(home)
    assert_frame_equal(flat.predictions(home, "texts"), rows_before)


def test_lines_that_come_meanwhile_are_kept(tmp_path: Path) -> None:
    home, stop = Home(tmp_path), threading.Event()
    log = PredictionLog(home, 1.0)
    written_count = 0

    def write() -> None:
        nonlocal written_count
        while not stop.is_set():
            log.put("texts", "m:1", number=written_count)
            written_count += 1
            log.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        packed_count = 0
        for _ in range(4):
            wait_until(lambda before=written_count: written_count > before + 5)
            packed_count += flat.pack(home) > 0
    finally:
        stop.set()
        writer.join()
    rows = flat.predictions(home, "texts")
    assert packed_count == 4
    assert sorted(rows["number"]) == list(range(written_count))


def test_broken_lines_are_left_out(tmp_path: Path) -> None:
    home = Home(tmp_path)
    _log(home, 3)
    file = next(home.predictions.rglob("*texts*/*/*.jsonl"))
    file.write_bytes(file.read_bytes() + b'{"at": 1, "mo\n[1]\n\xff\xfe\n')
    assert flat.predictions(home, "texts").height == 3
    flat.pack(home)
    assert flat.predictions(home, "texts").height == 3


def test_nothing_logged_is_no_error(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert flat.predictions(home, "texts").height == 0
    assert flat.exposures(home).height == 0
    assert flat.pack(home) == 0
    assert lookups.pack(home) == 0


def test_lookups_are_packed_by_the_form_of_their_service(own_world: Home) -> None:
    features = OnlineFeatures("listener_v1", own_world)
    log = LookupLog(own_world, 1.0)
    for user in ("u000001", "u000002", "nobody"):
        keys = {"user_id": [user]}
        log.put(keys, {}, features.get(keys))
    log.flush()
    service = features.service
    old_line = {"fingerprint": "other", "at": 1, "keys": {}, "values": {}, "events": {}, "request": {}}
    file = next(own_world.lookups("listener_v1").rglob("*.jsonl"))
    file.write_text(file.read_text() + json.dumps(old_line) + "\n")
    rows_before = lookups.served(own_world, service)
    assert rows_before.height == 3
    assert lookups.pack(own_world) == 4
    assert_frame_equal(lookups.served(own_world, service), rows_before)
    packed_files = list(own_world.lookups("listener_v1").rglob("packed-json-*.parquet"))
    assert json.loads(pl.read_parquet(packed_files[0], hive_partitioning=False)["line"][0]) == old_line
    assert not list(lines.lines(packed_files[0].parent, own_world))
