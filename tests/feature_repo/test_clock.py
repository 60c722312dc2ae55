"""What time it is."""

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


@pytest.mark.parametrize("wrong", ["yesterday", "2999-01-01T00:00:00"])
def test_a_time_that_is_none_or_has_not_come_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv(clock.NOW, wrong)
    with pytest.raises(InputError, match=clock.NOW):
        clock.now()


def test_old_data_come_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(clock.NOW, raising=False)
    home = Home(tmp_path)
    assert (clock.end_of_data(home), clock.hint(home)) == (None, "")
    (home.raw("plays") / "date=2026-03-01").mkdir(parents=True)
    assert clock.hint(home).endswith("export REFRAIN_NOW=2026-03-02T00:00:00")
    (home.raw("plays") / f"date={datetime.now(UTC).date()}").mkdir()
    assert clock.hint(home) == ""
