"""Compares a sample of online values with the feature tables as of now."""

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import utils

from feature_repo.access.feast_calls import own_pull
from feature_repo.clock import microseconds
from feature_repo.doctor.finding import Finding
from feature_repo.doctor.steps import MATERIALIZE
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.correct import OnlineRows
from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.packed.server import WRITE_TIMEOUT, Server, open_server
from feature_repo.packed.write import FAST_CLOCKS
from feature_repo.registered_views import features_of, views_of
from feature_repo.stores import redis_server
from feature_repo.stores.online import PackedRedisOnlineStoreConfig
from feature_repo.stores.online_lookup import entity_key_of
from feature_repo.stores.protobuf import key_types, moment, unwrapped
from feature_repo.stores.restricted_rows import of_restricted
from feature_repo.stores.retracted_rows import stream_runs

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

ANEW = "refrain materialize --anew"
SAME, NARROW = 1e-9, 1e-6
"""Relative tolerances of equal floats, of 64 and of 32 bits."""


@dataclass
class Comparison:
    """The comparison of one view.

    Attributes:
        values: number of compared values.
        findings: inconsistencies.
    """

    values: int = 0
    findings: list[Finding] = field(default_factory=list)


def compare_views(
    home: Home, store: "FeatureStore", views: "list[FeatureView]", now: datetime, sample: int
) -> Iterator[Comparison]:
    """Compares each view, for a sample of its online keys and of the keys in its table.

    Raises:
        OnlineUnavailable: the online store does not answer.
    """
    if not isinstance(store.config.online_store, PackedRedisOnlineStoreConfig):
        return
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    for view in views:
        comparison = Comparison()
        try:
            _compare(store, server, view, now, sample, comparison)
        except StoreError as error:
            comparison.findings.append(Finding(view.name, error.found, error.next_command))
        except (pa.ArrowException, InputError) as error:
            why = f"its keys or values cannot be compared: {(str(error).splitlines() or [''])[0][:200]}"
            comparison.findings.append(Finding(view.name, why, "refrain lint"))
        yield comparison


def _compare(
    store: "FeatureStore", server: Server, view: "FeatureView", now: datetime, sample: int, out: Comparison
) -> None:
    join_keys = list(key_types(view))
    if view.batch_source is None or view.join_keys == []:
        return
    online = _sample_online(server, entity_key.prefix(store.project, view.name), sample)
    rows = [tuple(map(unwrapped, entity_key_of(view, name).entity_values)) for name in online]
    stored = _stored_keys(store, view, sample, now)
    rows += set(zip(*(stored[key].to_pylist() for key in join_keys), strict=True)).difference(rows)
    columns = {key: [row[place] for row in rows] for place, key in enumerate(join_keys)}
    if not columns[join_keys[0]]:
        return
    references = [f"{view.name}:{feature.name}" for feature in features_of(view)]
    spine = pa.table(
        {**columns, "event_timestamp": pa.array([now] * len(columns[join_keys[0]]), pa.timestamp("us", "UTC"))}
    )
    with own_pull():
        offline = store.get_historical_features(spine, references).to_arrow()
    answers = store.get_online_features(references, columns).to_dict()
    names = [entity_key.prefix(store.project, view.name) + name + b"}" for name in online]
    online_rows = OnlineRows.read(server, names)
    latest_us = microseconds(now) + FAST_CLOCKS
    future_count = int((online_rows.event > latest_us).sum())
    if future_count:
        newest = moment(int(online_rows.event.max()))
        out.findings.append(
            Finding(
                view.name, f"{future_count} of {len(names)} keys have a row of the future online, up to {newest}", ANEW
            )
        )
    differing: set[int] = set()
    for feature in features_of(view):
        online_values, offline_values = answers[feature.name], offline[feature.name].to_pylist()
        narrow = str(feature.dtype) == "Float32"
        differing |= {
            index
            for index, pair in enumerate(zip(online_values, offline_values, strict=True))
            if not same(*pair, narrow=narrow)
        }
        out.values += len(offline_values)
    differing -= {place for place in differing if place < len(names) and online_rows.event[place] > latest_us}
    if differing:
        out.findings.append(_difference(store, server, view, differing, online_rows, len(columns[join_keys[0]])))


def _difference(
    store: "FeatureStore", server: Server, view: "FeatureView", differing: set[int], rows: OnlineRows, total: int
) -> Finding:
    """Describes why a view's values differ, as far as known, and the remedy."""
    problem = f"{len(differing)} of {total} keys have online values that differ from the table as of now"
    if stream_runs(server, store.project):
        return Finding(view.name, f"{problem}; the stream is running and may be ahead", "refrain build", False)
    written_keys = [place for place in differing if place < len(rows.names) and rows.event[place] != UNKNOWN_TIME]
    remedy = MATERIALIZE if len(written_keys) < len(differing) else f"{MATERIALIZE}; if that does not help: {ANEW}"
    return Finding(view.name, problem, remedy)


def _sample_online(server: Server, prefix: bytes, most: int) -> list[bytes]:
    """Returns a random sample of online entities, at most ``most``."""
    rng = random.Random(0)
    sample: list[bytes] = []
    for number, name in enumerate(itertools.chain.from_iterable(server.scan(prefix + b"*"))):
        if number < most:
            sample.append(name[len(prefix) : -1])
        elif (place := rng.randrange(number + 1)) < most:
            sample[place] = name[len(prefix) : -1]
    return sample


def _stored_keys(store: "FeatureStore", view: "FeatureView", most: int, now: datetime) -> dict[str, pa.ChunkedArray]:
    """Returns a random sample of keys in the view's table."""
    source = view.batch_source
    assert source is not None
    entities = [store.get_entity(name) for name in view.entities]
    join_keys, features, time, created = utils._get_column_names(view, entities)
    job = store._get_provider().offline_store.pull_latest_from_table_or_query(
        config=store.config,
        data_source=source,
        join_key_columns=join_keys,
        feature_name_columns=features[:1],
        timestamp_field=time,
        created_timestamp_column=created,
        start_date=datetime(1970, 1, 1, tzinfo=now.tzinfo),
        end_date=now,
    )
    table = job.to_arrow()
    renamed = utils._run_pyarrow_field_mapping(table, source.field_mapping or {})
    restricted = of_restricted(renamed, key_types(view))
    if restricted is not None:  # nothing of these people is to be online
        renamed = renamed.filter(pc.invert(restricted))
    indices = np.sort(np.random.default_rng(0).permutation(len(renamed))[:most])
    return {column.name: renamed.take(indices)[column.name] for column in view.entity_columns}


def is_empty(home: Home, store: "FeatureStore") -> bool:
    """Whether the online store has no row of this project."""
    if not isinstance(store.config.online_store, PackedRedisOnlineStoreConfig):
        return False
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    names = itertools.chain.from_iterable(server.scan(_rows_of(store)))
    return next(names, None) is None


def _rows_of(store: "FeatureStore") -> bytes:
    """Pattern of the names of all rows of a project."""
    return entity_key.prefix(store.project, "").split(b":")[0] + b":*{*"


def orphans(home: Home, store: "FeatureStore") -> Iterator[Finding]:
    """Finds online values of views that are not in the registry, and servers whose folder was deleted."""
    if not isinstance(store.config.online_store, PackedRedisOnlineStoreConfig):
        return
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    registered = {view.name for view in views_of(store)}
    counts: dict[str, int] = {}
    for name in itertools.chain.from_iterable(server.scan(_rows_of(store))):
        view = entity_key.view_of(name)
        if view not in registered:
            counts[view] = counts.get(view, 0) + 1
    for orphan in redis_server.orphans():
        problem = f"process {orphan.pid} runs on, its folder {orphan.folder} was deleted"
        yield Finding("Redis", problem, "refrain redis stop --orphans", is_fault=False)
    for view, count in sorted(counts.items()):
        yield Finding(view, f"{count:,} online values belong to a view that is not in the registry", ANEW)


def same(left: Any, right: Any, *, narrow: bool = False) -> bool:  # noqa: PLR0911 - one line a kind of value
    """Whether two values are equal: numbers by value (``narrow``: in 32 bits), times by instant, lists and maps
    by element. NaN equals a missing number, and a text equals the number that it spells.
    """
    if isinstance(left, datetime) and isinstance(right, datetime | date):
        return _instant(left) == _instant(right)
    if isinstance(left, str) and isinstance(right, int | float | Decimal):
        return left == str(right)
    if isinstance(left, dict) and isinstance(right, list | tuple | dict):
        pairs = dict(right)
        return left.keys() == pairs.keys() and all(same(left[key], pairs[key]) for key in left)
    if isinstance(left, list | tuple | set | np.ndarray) and isinstance(right, list | tuple | set | np.ndarray):
        return len(left) == len(right) and all(same(*pair, narrow=narrow) for pair in zip(left, right, strict=True))
    if isinstance(left, float) and math.isnan(left):
        return right is None or (isinstance(right, float) and math.isnan(right))
    if isinstance(left, float | int) and isinstance(right, float | int):
        return left == right or abs(left - right) <= (NARROW if narrow else SAME) * max(abs(left), abs(right))
    return bool(left == right)


def _instant(moment: datetime | date) -> datetime:
    time = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
