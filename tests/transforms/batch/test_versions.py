"""Versions of rows at the last representable time."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from feature_repo.clock import LAST
from transforms.batch import versions

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def rows(value: int, created: datetime) -> pl.DataFrame:
    times = {"event_timestamp": [DAY], "created_timestamp": [created]}
    return pl.DataFrame({"k": ["a"], **times, "n": [value]}).cast(dict.fromkeys(times, pl.Datetime("us", "UTC")))


def corrected(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return versions.corrected(before, after, ["k"], now=NOW)


def added(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return versions._add_versions(before, after, ["k"], now=NOW)


def replaced(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return versions._replace_rows(before, after, before.clear().select("k", "event_timestamp"), ["k"], now=NOW)


@pytest.mark.parametrize("write", [corrected, added, replaced])
@pytest.mark.parametrize("created", [DAY, LAST])
def test_no_version_is_known_after_the_last_moment(write: Any, created: datetime) -> None:
    written = write(rows(1, LAST), rows(2, created))
    newest = versions.newest_versions(written, ["k", "event_timestamp"])
    assert newest.select("created_timestamp", "n").rows() == [(LAST, 2)]
    assert written.select("k", "event_timestamp", "created_timestamp").is_unique().all()
