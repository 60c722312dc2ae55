"""What a person sees of looked-up rows: ``repr``, ``head``, pandas; and the asynchronous lookup."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError, OnlineUnavailable
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import load_service
from inference.features import OnlineFeatures, OnlineRows
from tests.servers import RedisServer

KEYS: dict[str, Any] = {
    "user_id": ["u000007", "nobody", None, "u000007", "u000042"],
    "track_id": ["t000001"],
    "artist_id": ["a00001"],
    "platform_id": "default",
}
SERVICES = ("recommendation_v1", "listener_v1", "track_display_v1", "session_v1")


def assert_same_rows(left: OnlineRows, right: OnlineRows) -> None:
    assert (len(left), left.degraded, left.service) == (len(right), right.degraded, right.service)
    for name in left.values:
        for one, other in zip(left.values[name], right.values[name], strict=True):
            assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other, name
        np.testing.assert_array_equal(left.missing[name], right.missing[name], err_msg=name)
    np.testing.assert_array_equal(left.matrix(), right.matrix())


def keys_of(home: Home, service: str) -> dict[str, Any]:
    return {name: KEYS[name] for name in load_service(home, service).join_keys}


def is_same(shown: Any, expected: Any) -> bool:
    if expected is None:
        return bool(shown is None or shown is pd.NaT or (isinstance(shown, float) and np.isnan(shown)))
    if isinstance(expected, np.ndarray):
        return bool(np.array_equal(shown, expected))
    return bool(shown == expected)


@pytest.mark.parametrize("service", SERVICES)
def test_a_frame_has_keys_and_values(in_world: Home, service: str) -> None:
    keys = keys_of(in_world, service)
    rows = OnlineFeatures(service, in_world).get(keys, {"request_timestamp": 1.7e9, "device": "phone"})
    frame = rows.to_pandas()
    assert list(frame.columns) == [*sorted(keys), *rows.values]
    assert len(frame) == len(rows) > 0
    for name, values in keys.items():
        expected = [values] * len(rows) if isinstance(values, str) else values * (len(rows) // len(values))
        assert [None if pd.isna(key) else key for key in frame[name]] == expected
    for name, python_values in rows.values.items():
        assert all(map(is_same, frame[name], python_values)), name
        if rows.columns[name].dtype.kind == "M":
            assert str(frame[name].dtype) == "datetime64[us, UTC]"
        elif rows.columns[name].ndim == 1 and rows.columns[name].dtype.kind in "iuf":
            assert frame[name].dtype.kind in "iuf", name


def test_a_frame_of_defaults_and_of_nothing(in_world: Home) -> None:
    name = "user_history__distinct_tracks"
    lookup = OnlineFeatures("listener_v1", in_world, defaults={name: 3})
    assert lookup.get({"user_id": ["nobody", "u000007"]}).to_pandas()[name].isna().tolist() == [True, False]
    filled = lookup.get({"user_id": ["nobody", "u000007"]}, fill=True).to_pandas()[name]
    assert (filled[0], filled.isna().any()) == (3, False)
    empty = lookup.get({"user_id": []}).to_pandas()
    assert (len(empty), "user_id" in empty) == (0, True)


def test_rows_show_themselves(in_world: Home) -> None:
    rows = OnlineFeatures("listener_v1", in_world).get({"user_id": ["u000007", "nobody"]})
    count = len(rows.values)
    first = list(rows.values)[:6]
    assert repr(rows) == f"OnlineRows(listener_v1: 2 rows; {count} features: {', '.join(first)}, …)"
    assert rows._stored == {}  # nothing was decoded for it
    (row,) = rows.head(1)
    assert list(row) == list(rows.values)
    assert all(is_same(value, rows.values[name][0]) for name, value in row.items())
    assert [len(rows.head(count)) for count in (0, 2, 9, -1)] == [0, 2, 2, 0]


def test_without_pandas_the_extra_is_named(in_world: Home) -> None:
    script = (
        "import sys; sys.modules['pandas'] = None; from inference.features import OnlineFeatures\n"
        "try:\n    OnlineFeatures('listener_v1').get({'user_id': ['u000007']}).to_pandas()\n"
        "except ImportError as error:\n    print(error)"
    )
    command = [sys.executable, "-c", script]
    completed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "python -m pip install 'refrain[inference,transforms]'" in completed.stdout


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    users=st.lists(st.sampled_from(["u000007", "u000042", "nobody", "", None]), min_size=1, max_size=30),
    fill=st.booleans(),
    moment=st.sampled_from([None, 1.7e9]),
)
def test_the_asynchronous_lookup_answers_as_the_other(
    in_world: Home, users: list[str | None], fill: bool, moment: float | None
) -> None:
    lookup = OnlineFeatures("listener_v1", in_world, defaults={"user_history__distinct_tracks": 3})
    request: Mapping[str, Any] = {} if moment is None else {"request_timestamp": moment}
    expected = lookup.get({"user_id": users}, request, fill=fill)
    assert_same_rows(asyncio.run(lookup.aget({"user_id": users}, request, fill=fill)), expected)


def test_many_asynchronous_lookups_at_once(in_world: Home) -> None:
    lookup = OnlineFeatures("listener_v1", in_world, hold={"user_history": 5.0})
    users = [f"u{number:06d}" for number in range(150)]

    async def run() -> list[OnlineRows]:
        return await asyncio.gather(*(lookup.aget({"user_id": [user]}) for user in users))

    for user, rows in zip(users, asyncio.run(run()), strict=True):
        assert_same_rows(rows, lookup.get({"user_id": [user]}))


def test_errors_of_the_asynchronous_lookup(in_world: Home) -> None:
    lookup = OnlineFeatures("listener_v1", in_world)
    with pytest.raises(InputError, match="user_id"):
        asyncio.run(lookup.aget({"track_id": ["t000001"]}))


def test_a_redis_that_hangs_does_not_block_the_loop(
    in_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisServer(tmp_path / "redis").start()
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    lookup = OnlineFeatures("listener_v1", in_world, timeout=0.8)

    async def longest_pause(task: "asyncio.Task[OnlineRows]") -> float:
        longest, last = 0.0, time.perf_counter()
        while not task.done():
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        return longest

    async def run(on_failure: str) -> tuple[float, OnlineRows]:
        task = asyncio.create_task(lookup.aget({"user_id": ["u000007"]}, on_failure=on_failure))  # type: ignore[arg-type]
        return await longest_pause(task), await task

    try:
        lookup.get({"user_id": ["u000007"]})
        server.pause()
        started = time.perf_counter()
        longest, rows = asyncio.run(run("defaults"))
        assert rows.degraded
        assert time.perf_counter() - started > 0.75
        assert longest < 0.6
        with pytest.raises(OnlineUnavailable):
            asyncio.run(run("raise"))
    finally:
        server.kill()
