"""List features: a model of rows leaves them out and reports it; the score of a row does not depend on other rows."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.materialize import newest_feature
from feature_repo.on_demand_compute import compute
from feature_repo.vectors import is_ragged, vector_column
from inference import RowModel
from tests.music import ON_DEMAND
from training import promotions
from training.datasets.columns import to_matrix, to_numpy
from training.models.served import ServedTabular
from training.models.tabular import TabularModel
from transforms.raw.read import plays

LISTS = {f"user_session__{name}" for name in ("last_tracks_1d", "last_tracks_times_1d", "top_artists_7d")}
LISTS |= {"user_session__top_artists_counts_7d"}


def rows(home: Home) -> pl.DataFrame:
    chosen = plays(home).filter(pl.col("artist_id").is_not_null()).head(3_000)
    return chosen.select("user_id", "event_timestamp", label=pl.col("skipped").cast(pl.Int8)).collect()


MODEL = TabularModel(
    name="list_model",
    family="own",
    about="A model of a service that has lists.",
    services=("session_v1",),
    raw=("plays",),
    rows=rows,
    kind="binary",
    cluster="user_id",
    horizon=timedelta(hours=1),
    parameters={"trees": 10},
)


@pytest.mark.filterwarnings("ignore")
def test_a_service_with_lists_feeds_a_model_of_rows(own_world: Home) -> None:
    result = MODEL.run(own_world)
    assert all(name in result.about for name in LISTS)
    promotions.promote(own_world, "list_model", 1)
    served = ServedTabular.load(own_world, "list_model")
    assert set(served.extra["lists"]) >= LISTS
    assert not LISTS & set(served.layout.names)
    assert "left out" in (served.folder / "README.md").read_text()
    json.dumps(served.extra)

    online_time = newest_feature(own_world)
    users = rows(own_world).select("user_id").unique().sort("user_id").head(40)
    requested_rows = users.with_columns(
        event_timestamp=pl.lit(online_time).cast(pl.Datetime("us", "UTC")), label=pl.lit(0)
    )
    pulled = MODEL.pull_rows(own_world, requested_rows)
    online = RowModel.load("list_model", own_world).predict(
        {"user_id": users["user_id"].to_list()}, {"request_timestamp": online_time.timestamp()}
    )
    np.testing.assert_allclose(online.values, served.predict(pulled), atol=1e-5)
    assert len(np.unique(online.values)) > 1


def test_lists_are_numpy_columns_without_a_loss() -> None:
    texts = to_numpy(pl.Series([["a", "b"], None, ["c", "d"]]))
    assert texts.shape == (3,)
    assert texts.tolist() == [["a", "b"], None, ["c", "d"]]
    numbers = to_numpy(pl.Series([[1.0, 2.0], None, [3.0, 4.0]]))
    np.testing.assert_array_equal(numbers, [[1, 2], [np.nan] * 2, [3, 4]])
    fixed = to_numpy(pl.Series([[1.0, 2.0], None], dtype=pl.Array(pl.Float32, 2)))
    np.testing.assert_array_equal(fixed, [[1, 2], [np.nan] * 2])
    ragged = to_numpy(pl.Series([[1, 2], None, [], [3]]))
    assert [None if value is None else value.tolist() for value in ragged] == [[1, 2], None, [], [3]]
    assert to_numpy(pl.Series([None, None], dtype=pl.List(pl.Float32))).shape == (2, 0)
    assert to_numpy(pl.Series([[], []], dtype=pl.List(pl.Float32))).shape == (2, 0)


def test_a_vector_of_another_length_is_a_fault_where_a_matrix_is_needed() -> None:
    assert to_matrix(pl.Series("v", [[1.0, 2.0], None])).shape == (2, 2)
    with pytest.raises(InputError, match=r"vectors of one length in v; found the lengths \[1, 2\]"):
        to_matrix(pl.Series("v", [[1.0, 2.0], [3.0]]))


VECTORS = st.lists(
    st.tuples(*(st.none() | st.lists(st.integers(-3, 3).map(float), max_size=3) for _ in range(2))),
    min_size=1,
    max_size=6,
)


@given(VECTORS)
def test_what_is_computed_of_a_row_does_not_depend_on_its_neighbours(pairs: list[tuple]) -> None:
    """Compares training SDK, serving and Feast; two vectors of the same length have a score."""
    users, tracks = zip(*pairs, strict=True)

    def score(user_vectors: np.ndarray, track_vectors: np.ndarray) -> list[float]:
        fits = np.ones(len(user_vectors))
        columns = {"user_taste__vector": user_vectors, "track_taste__vector": track_vectors}
        columns |= {"user_taste__fit": fits, "track_taste__fit": fits}
        return ON_DEMAND["taste_match"].compute(columns)["score"].tolist()

    scores = score(vector_column(users), vector_column(tracks))
    as_polars = [pl.Series(column, dtype=pl.List(pl.Float64)) for column in (users, tracks)]
    np.testing.assert_array_equal(score(*map(to_numpy, as_polars)), scores)
    inputs = {"user_taste__vector": users, "track_taste__vector": tracks}
    ones = [1.0] * len(pairs)
    by_feast = compute("taste_match", {**inputs, "user_taste__fit": ones, "track_taste__fit": ones})["score"]
    np.testing.assert_array_equal(by_feast, scores)
    for (user, track), actual in zip(pairs, scores, strict=True):
        if user and track:
            expected = float(np.dot(user, track)) if len(user) == len(track) else float("nan")
            np.testing.assert_array_equal(actual, expected)


def test_lists_of_several_lengths_are_no_matrix() -> None:
    column = vector_column([None, np.array([1, 2], np.float32), [3]])
    assert is_ragged(column)
    assert [None if value is None else value.tolist() for value in column] == [None, [1, 2], [3]]
    assert vector_column([None]).shape == (1, 0)
    assert not is_ragged(vector_column([[1], None]))
