"""What `materialize` reads, and the rest of Feast's interface of offline stores."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

from feature_repo.errors import InputError
from feature_repo.stores import history_reader
from feature_repo.stores.offline import AsOfOfflineStore
from feature_repo.stores.reading import reading
from tests.feature_repo.offline.engines import Engine, features
from tests.feature_repo.offline.questions import MANY, Table, at
from tests.oracles.point_in_time import as_of


@pytest.mark.parametrize("created", [True, False])
@pytest.mark.parametrize("keys", [{}, {"user_id": pa.string()}, {"user_id": pa.string(), "n": pa.int64()}])
def test_the_newest_row_of_each_key(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, pa.DataType], created: bool
) -> None:
    random = np.random.default_rng(0)
    rows = [
        {
            "user_id": [None, "a", "b"][random.integers(3)],
            "n": int(random.integers(2)),
            "event_timestamp": at(int(hour)),
            "created_timestamp": at(int(hour) + place % 7) if place % 5 else None,
            "plays": place,
        }
        for place, hour in enumerate(random.permutation(40) // (2 if created else 1))
    ]
    unique_rows = {
        (*(row[key] for key in keys), row["event_timestamp"], created and row["created_timestamp"]): row for row in rows
    }
    table = Table("v", list(unique_rows.values()), keys, has_created=created, layout="folder")
    source = table.file_source(table.write(tmp_path))
    job = AsOfOfflineStore.pull_latest_from_table_or_query(
        engine.config,
        source,
        list(keys),
        ["plays"],
        "event_timestamp",
        "created_timestamp" if created else None,
        at(3),
        at(15),
    )
    rows_in_range = [row for row in table.rows if at(3) <= row["event_timestamp"] <= at(15)]
    if not created:
        rows_in_range = [{k: v for k, v in row.items() if k != "created_timestamp"} for row in rows_in_range]
    distinct_keys = {tuple(row[key] for key in keys) for row in rows_in_range} - {
        k for k in {tuple(row[key] for key in keys) for row in rows_in_range} if None in k
    }
    expected = sorted(as_of(rows_in_range, dict(zip(keys, key, strict=True)), at(99))["plays"] for key in distinct_keys)  # type: ignore[index]
    result = job.to_arrow()
    assert sorted(result["plays"].to_pylist()) == expected
    assert pa.Table.from_batches(job.batches(2)).sort_by("plays") == result.sort_by("plays")
    memory_limit = engine.config.offline_store.limits().bytes
    monkeypatch.setattr(history_reader, "KEY_BYTES", memory_limit)  # more than fits in memory
    if keys:
        with reading(job._open_history()) as reader:
            assert reader.parts(memory_limit // 2) > 1
    assert pa.Table.from_batches(job.batches(2)).sort_by("plays") == result.sort_by("plays")
    assert result.column_names[: len(keys)] == list(keys)
    assert ("__dummy_id" in result.column_names) == (not keys)


def test_all_rows_of_a_range(engine: Engine, tmp_path: Path) -> None:
    source = MANY.tables[0].file_source(MANY.tables[0].write(tmp_path))
    job = AsOfOfflineStore.pull_all_from_table_or_query(
        engine.config, source, ["user_id"], ["plays"], "event_timestamp", "created_timestamp", at(5), at(9)
    )
    expected = sorted(r["plays"] for r in MANY.tables[0].rows if at(5) <= r["event_timestamp"] <= at(9))
    assert sorted(job.to_df()["plays"]) == expected


def test_a_pushed_batch_is_one_more_file(engine: Engine, tmp_path: Path) -> None:
    table = Table("v", MANY.tables[0].rows, layout="folder")
    view = table.view(table.file_source(table.write(tmp_path)))
    pushed = pa.table({"user_id": ["u1"], "event_timestamp": [at(200)], "created_timestamp": [at(200)], "plays": [77]})
    row_counts: list[int] = []
    AsOfOfflineStore.offline_write_batch(engine.config, view, pushed, row_counts.append)
    assert row_counts == [1]
    assert len(list((tmp_path / "v").iterdir())) == 3
    spine = pa.table({"user_id": ["u1"], "event_timestamp": [at(300)]})
    job = AsOfOfflineStore.get_historical_features(engine.config, [view], ["v:plays"], spine, engine.registry, "x")
    assert job.to_arrow()["plays"].to_pylist() == [77]
    with pytest.raises(InputError, match=r"\['plays'\] of the view v"):
        AsOfOfflineStore.offline_write_batch(engine.config, view, pushed.drop_columns(["plays"]), None)


@pytest.fixture
def feast_store(engine: Engine, tmp_path: Path) -> Iterator[FeatureStore]:
    """A complete Feast store with one view, so that Feast itself calls the offline store."""
    store = FeatureStore(config=engine.config)
    (view,) = engine.views(MANY, tmp_path / "tables")
    from feast import Entity, ValueType

    store.apply([Entity(name="user_id_entity", join_keys=["user_id"], value_type=ValueType.STRING), view])
    yield store
    store.apply([], objects_to_delete=[view], partial=False)


@pytest.mark.filterwarnings("ignore")
def test_saved_datasets_keep_working(feast_store: FeatureStore, tmp_path: Path) -> None:
    job = feast_store.get_historical_features(MANY.arrow().to_pandas(), ["v:plays"])
    storage = SavedDatasetFileStorage(path=str(tmp_path / "saved.parquet"))
    saved = feast_store.create_saved_dataset(job, "kept", storage)
    assert sorted(saved.to_df()["plays"].dropna()) == sorted(job.to_df()["plays"].dropna())
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        feast_store.create_saved_dataset(job, "kept", storage)
    feast_store.create_saved_dataset(job, "folder", SavedDatasetFileStorage(path=str(tmp_path / "saved")))
    assert pq.read_table(tmp_path / "saved").num_rows == 300


@pytest.mark.filterwarnings("ignore")
def test_feast_materializes_through_it(feast_store: FeatureStore) -> None:
    feast_store.materialize(datetime(2026, 1, 1, tzinfo=UTC), at(1000))
    rows = MANY.tables[0].rows
    users = sorted({row["user_id"] for row in rows})
    online = feast_store.get_online_features(["v:plays"], [{"user_id": user} for user in users]).to_dict()
    assert online["plays"] == [as_of(rows, {"user_id": user}, at(1000))["plays"] for user in users]  # type: ignore[index]


@pytest.mark.filterwarnings("ignore")
def test_monitoring_keeps_working(engine: Engine, tmp_path: Path) -> None:
    table = Table("v", MANY.tables[0].rows)
    source = table.file_source(table.write(tmp_path))
    (metric,) = AsOfOfflineStore.compute_monitoring_metrics(
        engine.config, source, [("plays", "numeric")], "event_timestamp"
    )
    assert metric["row_count"] == len(table.rows)


def test_other_sources_than_local_parquet_are_copied_first(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remote sources go through Feast's own reader; here it is patched to read the local files."""
    import ibis
    from feast.infra.offline_stores import duckdb as feast_duckdb

    table = MANY.tables[0]
    path = table.write(tmp_path)
    monkeypatch.setattr(
        feast_duckdb, "_read_data_source", lambda source, repo: ibis.read_parquet(str(path), hive_partitioning=False)
    )
    view = table.view(table.file_source(Path("s3://bucket/v")))
    view.batch_source.file_options.uri = "s3://bucket/v"  # type: ignore[union-attr]
    job = AsOfOfflineStore.get_historical_features(
        engine.config, [view], ["v:plays"], MANY.arrow(), engine.registry, "x", full_feature_names=True
    )
    assert features(job.to_arrow(), MANY) == MANY.expected_features()
