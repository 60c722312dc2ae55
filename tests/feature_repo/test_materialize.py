"""Materializing values, resuming an interrupted run, and removing a listener from the online store."""

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast.data_source import PushMode

from feature_repo import clock, retractions
from feature_repo.errors import InputError, StoreError
from feature_repo.home import REPOSITORY, Home
from feature_repo.materialize import forget, materialize
from feature_repo.store import open_store
from feature_repo.stores import redis_server
from feature_repo.windows import column
from inference.features import OnlineFeatures
from tests.music import FEATURE_TABLES, WINDOWED

CALL = [sys.executable, "-W", "ignore", "-m", "feature_repo", "materialize"]


VIEWS = len(FEATURE_TABLES)
"""Number of feature views that ``materialize`` brings online."""


def online(home: Home) -> dict[str, bytes]:
    """Returns all online values by key, without the bookkeeping about them."""
    client = redis_server.ensure(home)
    names = sorted(client.keys(f"{home.project}:*{{*"))
    return dict(zip(names, client.mget(names), strict=True))


@pytest.mark.soak
def test_a_run_that_was_killed_goes_on_where_it_was(own_world: Home, tmp_path: Path) -> None:
    values_before = online(own_world)
    redis_server.ensure(own_world).flushall()
    environment = {**os.environ, "REFRAIN_HOME": str(own_world.root), "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(CALL, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if f"3 of {VIEWS}" in line:
                process.kill()
    messages: list[str] = []
    materialize(own_world, None, say=messages.append)
    finished_count = int(messages[0].split(": ")[1].split()[0])
    assert messages[0].startswith("continuing an interrupted run")
    assert 3 <= finished_count < VIEWS
    assert len(messages) == 1 + (VIEWS - finished_count) + 1
    assert online(own_world) == values_before
    messages.clear()
    materialize(own_world, None, say=messages.append)  # a finished run is not continued but started again
    assert len(messages) == VIEWS + 1
    assert online(own_world) == values_before


def test_another_moment_or_other_tables_start_anew(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from feature_repo import materialize as module

    monkeypatch.setattr(module._Journal, "close", lambda self: None)  # as if it had been stopped after the last view
    messages: list[str] = []
    until = materialize(own_world, None, say=messages.append)
    for change in ("until", "tables"):
        messages.clear()
        if change == "tables":
            file = next(own_world.features("user_profile").rglob("*.parquet"))
            os.utime(file, (1, 1))
        materialize(own_world, until - timedelta(days=1) if change == "until" else until, say=messages.append)
        assert not messages[0].startswith("continuing"), change


def test_a_moment_before_there_were_values(in_world: Home) -> None:
    for moment in (datetime(1970, 1, 1, 12, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)):
        with pytest.raises(InputError, match="moment of the values to be at or after 1970-01-02.*next: refrain"):
            materialize(in_world, moment, say=lambda text: None)


def test_damaged_keys_that_lost_events_are_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    retractions.note(home, "user_listening", pl.DataFrame({"user_id": ["u"]}), 1)
    files = retractions.list_files(home, "user_listening")
    assert retractions.keys(files)["user_id"].to_list() == ["u"]
    files[0].write_bytes(b"PAR1 half PAR1")
    with pytest.raises(StoreError, match=f"{files[0].name}.*next: rm .* && refrain materialize --anew"):
        retractions.keys(files)


def test_a_listener_is_taken_out_of_every_view(own_world: Home) -> None:
    lookup = OnlineFeatures("listener_v1", own_world)
    others = {name: value for name, value in online(own_world).items() if b"u000007" not in name}
    assert lookup.get({"user_id": ["u000007"]}).values["user_history__track_ids"][0]
    count = forget(own_world, "user_id", "u000007")
    assert count > 5  # profile, listening, history, taste, and several artists
    assert online(own_world) == others
    assert lookup.get({"user_id": ["u000007"]}).values["user_history__track_ids"] == [None]
    assert forget(own_world, "user_id", "u000007") == 0
    with pytest.raises(InputError, match="a join key, one of .*next: refrain forget"):
        forget(own_world, "shoe_size", "44")


def test_rows_of_another_definition_are_replaced_even_if_they_are_newer(
    own_world: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plays() -> list[int]:
        return OnlineFeatures("session_v1", own_world).get({"user_id": ["u000007"]}).values["user_session__plays_7d"]

    materialize(own_world, None, say=lambda text: None)
    expected = plays()
    table, columns = WINDOWED["user_session"], dict(WINDOWED["user_session"].fields)
    row = pl.DataFrame({"user_id": ["u000007"], **{name: [None] for name in columns}}).with_columns(plays_7d=12_345)
    moment = clock.now()
    rows = row.with_columns(event_timestamp=pl.lit(moment), created_timestamp=pl.lit(moment)).to_pandas()
    open_store(own_world).push("user_session_push", rows, to=PushMode.ONLINE)
    materialize(own_world, None, say=lambda text: None)
    assert plays() == [12_345], "a newer row of the same definition stays"
    monkeypatch.setitem(WINDOWED, "user_session", dataclasses.replace(table, where=column("ms_played") >= 30_000))
    messages: list[str] = []
    materialize(own_world, None, say=messages.append)
    assert [text for text in messages if "its definition has changed" in text and "user_session" in text]
    assert plays() == expected
    messages.clear()
    materialize(own_world, None, say=messages.append)
    assert not [text for text in messages if "its definition has changed" in text]
