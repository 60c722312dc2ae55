"""What a person sees of a training set: ``repr`` without a pull, the first rows, pandas."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.home import Home
from training.datasets import training_set
from training.datasets.point_in_time import TrainingSet

MOMENT = datetime(2026, 1, 25, 15, 30, tzinfo=UTC)


def spine(rows: int = 12) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": [f"u{number % 7:06d}" for number in range(rows)],
            "event_timestamp": [MOMENT - timedelta(days=number % 5) for number in range(rows)],
            "label": [number % 2 for number in range(rows)],
        }
    )


@pytest.fixture
def pulls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of every pull that is started."""
    started: list[int] = []
    pull = TrainingSet._pull

    def counted(self: TrainingSet, *arguments: object) -> object:
        started.append(self._spine.height())
        return pull(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingSet, "_pull", counted)
    return started


@pytest.mark.parametrize("is_file", [False, True])
def test_a_set_shows_itself_without_a_pull(in_world: Home, tmp_path: Path, pulls: list[int], is_file: bool) -> None:
    spine().write_parquet(tmp_path / "spine.parquet")
    shown = training_set("listener_v1", tmp_path / "spine.parquet" if is_file else spine(), home=in_world)
    before = repr(shown)
    assert pulls == []
    features = [name for name in shown.data.columns if "__" in name]
    assert before == (
        f"TrainingSet(listener_v1: 12 rows, not pulled yet; {len(features)} features: {', '.join(features[:6])}, …)"
    )
    assert repr(shown) == before.replace("not pulled yet", "pulled")
    assert pulls == [12]


@pytest.mark.parametrize("service", ["listener_v1", "session_v1"])
def test_the_first_rows_are_those_of_the_set(in_world: Home, pulls: list[int], service: str) -> None:
    whole = training_set(service, spine(), home=in_world)
    for count in (0, 1, 5, 12, 40):
        first = training_set(service, spine(), home=in_world)
        head = first.head(count)
        assert_frame_equal(head, whole.data.head(count))
        assert first._data is None
        assert pulls[-1] == min(count, 12) if count else head.is_empty()
    pulls.clear()
    assert whole.head(3).height == 3
    assert pulls == []  # it was pulled already


def test_the_first_rows_of_a_file(in_world: Home, tmp_path: Path, pulls: list[int]) -> None:
    spine().write_parquet(tmp_path / "spine.parquet")
    lying = training_set("listener_v1", tmp_path / "spine.parquet", home=in_world)
    assert_frame_equal(lying.head(2), training_set("listener_v1", spine(), home=in_world).data.head(2))
    assert pulls[0] == 2


def test_a_frame_of_pandas_has_the_same_values(in_world: Home) -> None:
    pulled = training_set("listener_v1", spine(), home=in_world)
    frame = pulled.to_pandas()
    assert list(frame.columns) == pulled.data.columns
    assert str(frame["event_timestamp"].dtype) == "datetime64[us, UTC]"
    assert frame["user_history__distinct_tracks"].tolist() == pulled.data["user_history__distinct_tracks"].to_list()
