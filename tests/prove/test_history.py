"""Generated histories, read in every way and compared with the oracle; a run may have any length.

Each world has three checks: a point-in-time training set (by event time and by created time), the newest row of every
key between two times, and the online values after ``materialize`` up to one moment.
"""

import contextlib
import io
import shutil
import uuid
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from feast import FeatureStore, RepoConfig
from feast.infra.offline_stores.offline_store import RetrievalJob

from feature_repo.home import Home
from feature_repo.stores import redis_server
from feature_repo.stores.declared import declared_types
from feature_repo.stores.offline import AsOfOfflineStore, SourceRetrievalJob
from tests.oracles.histories import DAY, MadeSpine, MadeView, MadeWorld, make_world
from tests.proving import Proof

SPINE_ROWS = 10_000
"""Rows in the spine of one world. A longer spine costs less per row; a shorter spine finds a fault in fewer rows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_store(home: Home, project: str) -> FeatureStore:
    warnings.simplefilter("ignore")  # warnings of Feast
    stores = "feature_repo.stores"
    return FeatureStore(
        config=RepoConfig(
            project=project,
            provider="local",
            registry=str(home.root / f"{project}.db"),
            entity_key_serialization_version=3,
            offline_store={"type": f"{stores}.offline.AsOfOfflineStore"},
            online_store={"type": f"{stores}.online.PackedRedisOnlineStore"},
            batch_engine={"type": f"{stores}.engine.PackedComputeEngine"},
        )
    )


@pytest.mark.filterwarnings("ignore")
def test_histories(home: Home) -> None:
    proof = Proof("histories")
    redis = redis_server.ensure(home)
    for number, random in proof.worlds():
        folder = home.root / "worlds" / str(number)
        world = make_world(random, folder, spine_rows=int(random.choice([0, 1, SPINE_ROWS], p=[0.02, 0.03, 0.95])))
        store = open_store(home, f"w{uuid.uuid4().hex}")
        store.apply([*world.entities, *(made_view.view for made_view in world.views)])
        for as_known in (False, True):
            check_training_set(proof, number, store, world, as_known)
        for made_view in world.views:
            check_newest_rows(proof, number, random, store, made_view, world)
            check_online(proof, number, random, store, made_view, world)
        shutil.rmtree(folder)
        (home.root / f"{store.project}.db").unlink()
        redis.flushall()


def check_training_set(proof: Proof, number: int, store: FeatureStore, world: MadeWorld, as_known: bool) -> None:
    references = [f"{made_view.view.name}:{feature}" for made_view in world.views for feature in made_view.features]
    job = store.get_historical_features(
        entity_df=world.spine.table,  # type: ignore[arg-type]
        features=references,
        full_feature_names=True,
        filter_by_created_timestamp=as_known,
    )
    table = job.to_arrow()
    rows = table["row of the spine"].to_pylist()
    if rows != list(range(len(rows))):
        proof.fail(number, "the rows of the spine are not in their order")
    for made_view in world.views:
        keys = keys_of(world.spine, made_view)
        expected_rows = [
            made_view.expected_row(key, moment, as_known=as_known)
            for key, moment in zip(keys, world.spine.moments, strict=True)
        ]
        for feature in made_view.features:
            actual = to_python_values(table[f"{made_view.view.name}__{feature}"])
            expected = [None if row is None else row[feature] for row in expected_rows]
            compare(proof, number, f"{made_view.view.name}:{feature}, as known {as_known}", actual, expected, keys)
    proof.rows += len(rows)


def keys_of(spine: MadeSpine, made_view: MadeView) -> list[tuple]:
    return (
        list(zip(*(spine.keys[key] for key in made_view.keys), strict=True))
        if made_view.keys
        else [()] * len(spine.moments)
    )


def check_newest_rows(
    proof: Proof, number: int, random: np.random.Generator, store: FeatureStore, made_view: MadeView, world: MadeWorld
) -> None:
    since, until = sorted(random.integers(world.first, world.last + 1, 2).tolist())
    source = made_view.view.batch_source
    assert source is not None
    file_names = {new: old for old, new in source.field_mapping.items()}
    columns = {name: file_names.get(name, name) for name in (*made_view.keys, *made_view.features)}
    job = AsOfOfflineStore.pull_latest_from_table_or_query(
        store.config,
        source,
        [columns[key] for key in made_view.keys],
        [columns[feature] for feature in made_view.features],
        file_names.get(source.timestamp_field, source.timestamp_field),
        source.created_timestamp_column or None,
        to_datetime(since),
        to_datetime(until),
    )
    assert isinstance(job, SourceRetrievalJob)
    job.declared({columns[name]: dtype for name, dtype in declared_types(made_view.view).items() if name in columns})
    table = collect(job, int(random.choice([0, 7, 10_000])))
    position_of_key = {}
    keys = [to_python_values(table[columns[key]]) for key in made_view.keys]
    for position, key in enumerate(zip(*keys, strict=True) if keys else [()] * len(table)):
        position_of_key[tuple(map(str, key))] = position
    if len(position_of_key) != len(table):
        proof.fail(number, f"{made_view.view.name}: a key comes twice among the newest rows")
    expected = {
        key: made_view.expected_row(key, until, ttl=max(until - since, 0) or 1)
        for key in made_view.rows
        if None not in key
    }
    if until == since:  # the oracle takes a ttl of zero as no limit
        expected = {
            key: None if row is None or row["event_timestamp"] < since else row for key, row in expected.items()
        }
    expected_rows = {key: row for key, row in expected.items() if row is not None}
    expected_by_text = {tuple(map(str, key)): row for key, row in expected_rows.items()}
    if expected_by_text.keys() != position_of_key.keys():
        proof.fail(
            number,
            f"{made_view.view.name}: newest rows of {sorted(position_of_key)[:5]}, "
            f"expected {sorted(expected_by_text)[:5]}",
        )
    for feature in made_view.features:
        values = to_python_values(table[columns[feature]])
        actual = [values[position_of_key[key]] for key in expected_by_text]
        compare(
            proof,
            number,
            f"{made_view.view.name}:{feature}, newest",
            actual,
            [row[feature] for row in expected_by_text.values()],
            [*expected_by_text],
        )
    proof.rows += len(position_of_key)


def collect(job: RetrievalJob, rows: int) -> pa.Table:
    if not rows:
        return job.to_arrow()
    batches = list(job.batches(rows))  # type: ignore[attr-defined]
    assert all(len(batch) == rows for batch in batches[:-1])
    return pa.Table.from_batches(batches) if batches else job.to_arrow()


def check_online(
    proof: Proof, number: int, random: np.random.Generator, store: FeatureStore, made_view: MadeView, world: MadeWorld
) -> None:
    """Leaves out views with a ttl, which counts from now in the online store, and views without keys, for which Feast
    has no entity rows.
    """
    end = int(random.integers(world.first, world.last + 1))
    if made_view.ttl or not made_view.keys or to_datetime(end) > datetime.now(UTC) - timedelta(days=1):
        return
    start = max(world.first - DAY, -62_135_596_800_000_000)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        store.materialize(to_datetime(start), to_datetime(end), feature_views=[made_view.view.name])
    keys = [key for key in made_view.rows if None not in key]
    if not keys:
        return
    keys += [tuple("nobody" if isinstance(part, str) else 999 for part in keys[0])]
    entities = {name: [key[position] for key in keys] for position, name in enumerate(made_view.keys)}
    references = [f"{made_view.view.name}:{feature}" for feature in made_view.features]
    response = store.get_online_features(references, entities).to_dict()  # type: ignore[arg-type]
    rows = [made_view.expected_row(key, end) for key in keys]
    for feature in made_view.features:
        expected = [None if row is None else row[feature] for row in rows]
        actual = [_to_python_value(value) for value in response[feature]]
        compare(proof, number, f"{made_view.view.name}:{feature}, online", actual, expected, keys)
    proof.rows += len(keys)


def compare(proof: Proof, number: int, label: str, actual: list, expected: list, keys: list) -> None:
    if len(actual) != len(expected):
        proof.fail(number, f"{label}: {len(actual)} values, expected {len(expected)}")
    if actual != expected:
        index = next(
            p for p, (value, expected_value) in enumerate(zip(actual, expected, strict=True)) if value != expected_value
        )
        proof.fail(number, f"{label}: {actual[index]!r} for {keys[index]}, row {index}, expected {expected[index]!r}")


def to_datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def to_python_values(column: pa.ChunkedArray) -> list[Any]:
    """Returns Python values; times are microseconds."""
    if pa.types.is_timestamp(column.type):
        return pl.Series(column).dt.cast_time_unit("us").to_physical().to_list()
    return [_to_python_value(value) for value in column.to_pylist()]


def _to_python_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
