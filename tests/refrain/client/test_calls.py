"""The requests that the client makes: keys of every library, options that are left out, times."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from refrain.client import calls

AT = datetime(2026, 1, 20, 10)


def body(call: calls.Call[Any]) -> Any:
    return json.loads(call.body or b"null")


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ("a", ["a"]),
        (None, [None]),
        (7, [7]),
        (["a", None, float("nan"), pd.NA, pd.NaT], ["a", None, None, None, None]),
        (np.array([1, 2]), [1, 2]),
        (np.array([1.5, np.nan]), [1.5, None]),
        (np.array(["a", "b"]), ["a", "b"]),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pl.Series(["a", None]), ["a", None]),
        (range(3), [0, 1, 2]),
        ([AT.replace(tzinfo=UTC)], ["2026-01-20T10:00:00Z"]),
        (pd.Series([AT], dtype="datetime64[ns, UTC]"), ["2026-01-20T10:00:00+00:00"]),
        (np.array([AT, "NaT"], "datetime64[ns]"), ["2026-01-20T10:00:00.000000Z", None]),
    ],
    ids=str,
)
def test_keys_of_every_library(values: Any, sent: list[Any]) -> None:
    assert body(calls.look_up_features("s", {"k": values})) == {"keys": {"k": sent}, "context": {}}
    assert body(calls.predict("m", {"k": values}))["keys"] == {"k": sent}


def test_what_json_lacks_is_refused_here() -> None:
    with pytest.raises(TypeError, match="not object"):
        calls.look_up_features("s", {"k": [object()]})  # type: ignore[list-item]


def test_an_option_that_is_left_out_is_not_sent() -> None:
    """An experiment may set it then; one that is sent wins, even if it is the default."""
    assert body(calls.recommend("u")) == {"user_id": "u"}
    assert body(calls.recommend("u", count=10, explicit=True)) == {"user_id": "u", "count": 10, "explicit": True}


def test_names_are_quoted_in_paths() -> None:
    assert calls.predict("a/b ?#ü", {"k": [1]}).path == "/v1/predictions/a%2Fb%20%3F%23%C3%BC"
    for name in ("", ".", ".."):
        with pytest.raises(ValueError, match="a name"):
            calls.stop_experiment(name, "why")


def test_times_of_acts_have_an_offset() -> None:
    given, now = body(
        calls.send_feedback(
            [{"user_id": "u", "action": "like", "at": AT}, {"user_id": "u", "action": "hide", "track_id": "t"}]
        )
    )["acts"]
    assert given == {"user_id": "u", "action": "like", "at": "2026-01-20T10:00:00Z"}
    assert abs(datetime.fromisoformat(now["at"]) - datetime.now(UTC)).total_seconds() < 60
