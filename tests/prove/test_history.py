"""A proof at any length: generated histories read by every way that there is, all against the oracle.

Each world is asked point in time (with what was known, too), for the newest row of every key between two times, and
as of one moment by ``materialize`` and a lookup online: the same values as offline at that moment.
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
"""Of one world; a longer spine costs less for each row, a shorter one finds a fault in fewer of them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_store(home: Home, project: str) -> FeatureStore:
    warnings.simplefilter("ignore")  # Feast's own
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
        store.apply([*world.entities, *(made.view for made in world.views)])
        for as_known in (False, True):
            retrieved(proof, number, store, world, as_known)
        for made in world.views:
            newest(proof, number, random, store, made, world)
            online(proof, number, random, store, made, world)
        shutil.rmtree(folder)
        (home.root / f"{store.project}.db").unlink()
        redis.flushall()


def retrieved(proof: Proof, number: int, store: FeatureStore, world: MadeWorld, as_known: bool) -> None:
    references = [f"{made.view.name}:{feature}" for made in world.views for feature in made.features]
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
    for made in world.views:
        keys = keys_of(world.spine, made)
        answers = [made.answer(key, m, as_known=as_known) for key, m in zip(keys, world.spine.moments, strict=True)]
        for feature in made.features:
            found = plain(table[f"{made.view.name}__{feature}"])
            expected = [None if row is None else row[feature] for row in answers]
            compare(proof, number, f"{made.view.name}:{feature}, as known {as_known}", found, expected, keys)
    proof.rows += len(rows)


def keys_of(spine: MadeSpine, made: MadeView) -> list[tuple]:
    return list(zip(*(spine.keys[key] for key in made.keys), strict=True)) if made.keys else [()] * len(spine.moments)


def newest(
    proof: Proof, number: int, random: np.random.Generator, store: FeatureStore, made: MadeView, world: MadeWorld
) -> None:
    since, until = sorted(random.integers(world.first, world.last + 1, 2).tolist())
    source = made.view.batch_source
    assert source is not None
    in_files = {new: old for old, new in source.field_mapping.items()}
    columns = {name: in_files.get(name, name) for name in (*made.keys, *made.features)}
    job = AsOfOfflineStore.pull_latest_from_table_or_query(
        store.config,
        source,
        [columns[key] for key in made.keys],
        [columns[feature] for feature in made.features],
        in_files.get(source.timestamp_field, source.timestamp_field),
        source.created_timestamp_column or None,
        at(since),
        at(until),
    )
    assert isinstance(job, SourceRetrievalJob)
    job.declared({columns[name]: dtype for name, dtype in declared_types(made.view).items() if name in columns})
    table = collected(job, int(random.choice([0, 7, 10_000])))
    found = {}
    keys = [plain(table[columns[key]]) for key in made.keys]
    for place, key in enumerate(zip(*keys, strict=True) if keys else [()] * len(table)):
        found[tuple(map(str, key))] = place
    if len(found) != len(table):
        proof.fail(number, f"{made.view.name}: a key comes twice among the newest rows")
    expected = {key: made.answer(key, until, ttl=max(until - since, 0) or 1) for key in made.rows if None not in key}
    if until == since:  # a ttl of nothing is no limit, so that the oracle is asked otherwise
        expected = {k: None if r is None or r["event_timestamp"] < since else r for k, r in expected.items()}
    known = {key: row for key, row in expected.items() if row is not None}
    texts = {tuple(map(str, key)): row for key, row in known.items()}
    if texts.keys() != found.keys():
        proof.fail(number, f"{made.view.name}: newest rows of {sorted(found)[:5]}, expected {sorted(texts)[:5]}")
    for feature in made.features:
        values = plain(table[columns[feature]])
        got = [values[found[key]] for key in texts]
        compare(
            proof, number, f"{made.view.name}:{feature}, newest", got, [r[feature] for r in texts.values()], [*texts]
        )
    proof.rows += len(found)


def collected(job: RetrievalJob, rows: int) -> pa.Table:
    if not rows:
        return job.to_arrow()
    batches = list(job.batches(rows))  # type: ignore[attr-defined]
    assert all(len(batch) == rows for batch in batches[:-1])
    return pa.Table.from_batches(batches) if batches else job.to_arrow()


def online(
    proof: Proof, number: int, random: np.random.Generator, store: FeatureStore, made: MadeView, world: MadeWorld
) -> None:
    """Views with a ttl are left out, as online it counts from now on, and views without keys, which Feast's call
    for entity rows finds no row to ask for.
    """
    end = int(random.integers(world.first, world.last + 1))
    if made.ttl or not made.keys or at(end) > datetime.now(UTC) - timedelta(days=1):
        return
    start = max(world.first - DAY, -62_135_596_800_000_000)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        store.materialize(at(start), at(end), feature_views=[made.view.name])
    keys = [key for key in made.rows if None not in key]
    if not keys:
        return
    keys += [tuple("nobody" if isinstance(part, str) else 999 for part in keys[0])]
    entities = {name: [key[place] for key in keys] for place, name in enumerate(made.keys)}
    references = [f"{made.view.name}:{feature}" for feature in made.features]
    answer = store.get_online_features(references, entities).to_dict()  # type: ignore[arg-type]
    rows = [made.answer(key, end) for key in keys]
    for feature in made.features:
        expected = [None if row is None else row[feature] for row in rows]
        got = [_plain(value) for value in answer[feature]]
        compare(proof, number, f"{made.view.name}:{feature}, online", got, expected, keys)
    proof.rows += len(keys)


def compare(proof: Proof, number: int, what: str, found: list, expected: list, keys: list) -> None:
    if len(found) != len(expected):
        proof.fail(number, f"{what}: {len(found)} values, expected {len(expected)}")
    if found != expected:
        place = next(p for p, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
        proof.fail(number, f"{what}: {found[place]!r} for {keys[place]}, row {place}, expected {expected[place]!r}")


def at(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def plain(column: pa.ChunkedArray) -> list[Any]:
    """As Python's values; times are microseconds."""
    if pa.types.is_timestamp(column.type):
        return pl.Series(column).dt.cast_time_unit("us").to_physical().to_list()
    return [_plain(value) for value in column.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
