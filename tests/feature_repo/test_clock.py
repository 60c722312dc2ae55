"""The clock: the current time, a configured time, and the end of the data."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feature_repo import clock
from feature_repo.errors import InputError
from feature_repo.home import Home


def test_now_is_the_clock_or_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(clock.NOW, raising=False)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    monkeypatch.setenv(clock.NOW, "2026-03-02T01:00:00+01:00")
    assert clock.now() == datetime(2026, 3, 2, tzinfo=UTC)
    with clock.stopped(datetime(2026, 1, 1, tzinfo=UTC)):
        assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.now() == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "invalid_time",
    [
        "yesterday",
        "2999-01-01T00:00:00",
        "1970-01-01T12:00:00",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_a_time_that_is_none_or_has_not_come_is_refused(monkeypatch: pytest.MonkeyPatch, invalid_time: str) -> None:
    monkeypatch.setenv(clock.NOW, invalid_time)
    with pytest.raises(InputError, match=clock.NOW):
        clock.now()


def test_what_is_no_day_does_not_end_the_data(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("date=2026-03-01", "date=2026-04-10.bak", "date=x", "date=2026-04-01"):
        (home.raw("plays") / name).mkdir(parents=True)
        (home.raw("plays") / name / "part-0.parquet").touch()
    (home.raw("plays") / "date=2026-04-01" / "part-0.parquet").unlink()
    (home.raw("plays") / "date=2026-05-01").touch()
    assert clock.end_of_data(home) == datetime(2026, 3, 2, tzinfo=UTC)


def test_old_data_come_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(clock.NOW, raising=False)
    home = Home(tmp_path)
    assert (clock.end_of_data(home), clock.hint(home)) == (None, "")
    (home.raw("plays") / "date=2026-03-01").mkdir(parents=True)
    (home.raw("plays") / "date=2026-03-01" / "part-0.parquet").touch()
    assert clock.hint(home).endswith("export REFRAIN_NOW=2026-03-02T00:00:00")
    today = home.raw("plays") / f"date={datetime.now(UTC).date()}"
    today.mkdir()
    (today / "part-0.parquet").touch()
    assert clock.hint(home) == ""
