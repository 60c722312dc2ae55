"""Every way to read a feature gives the same value: slim lookup, Feast online, Feast offline, training SDK, oracle."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_repo import clock
from feature_repo.compile_manifest import resolve_service
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.materialize import newest_feature
from feature_repo.store import open_store
from inference.features import OnlineFeatures
from tests.music import CONTRACT, FEATURE_TABLES
from tests.oracles.point_in_time import as_of
from training.datasets import training_set
from transforms import feature_tables

SERVICES = (
    "recommendation_v1",
    "real_time_recommendation_v1",
    "listener_v1",
    "heard_v1",
    "track_display_v1",
    "track_rights_v1",
)
OF_ROWS = ("similar_score", "follows_score")


def spine_of(home: Home, moment: datetime) -> pl.DataFrame:
    """Returns a spine with known, unknown and null keys, and a few duplicate rows."""
    users = ["u000000", "u000007", "u000042", "nobody", None]
    tracks = feature_tables.scan(home, "track_catalogue").select("track_id", "artist_id").collect().sort("track_id")
    sample = tracks[::29].vstack(pl.DataFrame({"track_id": ["nothing"], "artist_id": ["nobody"]}))
    rows = pl.DataFrame({"user_id": users}).join(sample, how="cross")
    rows = rows.with_columns(
        platform_id=pl.lit("default"),
        event_timestamp=pl.lit(moment),
        device=pl.lit("phone"),
        context=pl.lit("radio"),
    )
    rows = rows.vstack(rows[:3])
    return rows.with_columns(pl.Series(name, 0.25 * np.arange(rows.height)) for name in OF_ROWS)


def to_python_value(value: Any) -> Any:
    """Returns a value as plain Python types, independent of its container."""
    if isinstance(value, np.ndarray | pl.Series):
        return [float(item) for item in value]
    if isinstance(value, list):
        return [float(item) if isinstance(item, float) else item for item in value]
    if isinstance(value, datetime):
        return int(value.replace(tzinfo=value.tzinfo or UTC).timestamp())
    return value


@pytest.mark.parametrize("service", SERVICES)
def test_slim_lookup_equals_the_training_sdk(in_world: Home, service: str) -> None:
    moment = newest_feature(in_world)
    spine = spine_of(in_world, moment)
    offline = training_set(service, spine, home=in_world).to_polars()
    lookup = OnlineFeatures(service, in_world)
    online = lookup.get(
        {key: spine[key].to_list() for key in lookup.service.join_keys},
        {
            "request_timestamp": moment.timestamp(),
            "device": "phone",
            "context": "radio",
            **{name: spine[name].to_numpy() for name in OF_ROWS},
        },
    )
    assert offline.select(spine.columns).equals(spine)
    value_count = 0
    for name, values in online.values.items():
        for offline_value, online_value in zip(offline[name].to_list(), values, strict=True):
            assert to_python_value(offline_value) == to_python_value(online_value), name
            value_count += online_value is not None
    assert value_count > (0 if service == "heard_v1" else spine.height)  # most tracks were never heard


@pytest.mark.parametrize("service", SERVICES)
def test_slim_lookup_equals_feasts_own(in_world: Home, service: str) -> None:
    moment = newest_feature(in_world)
    spine = spine_of(in_world, moment).drop_nulls()
    store = open_store(in_world)
    lookup = OnlineFeatures(service, in_world)
    request = {"request_timestamp": moment, "device": "phone", "context": "radio"}
    keys = {key: spine[key].to_list() for key in lookup.service.join_keys}
    request |= {name: spine[name].to_list() for name in OF_ROWS}
    request_fields = {
        name: value if isinstance(value := request[name], list) else [value] * spine.height
        for name in lookup.service.request_fields
    }
    feast = store.get_online_features(
        features=store.get_feature_service(service),
        entity_rows=[
            dict(zip(keys | request_fields, row, strict=True))
            for row in zip(*(keys | request_fields).values(), strict=True)
        ],
        full_feature_names=True,
    ).to_dict()
    online = lookup.get(keys, {**request, "request_timestamp": moment.timestamp()})
    for name, values in online.values.items():
        feast_values = [None if isinstance(value, float) and math.isnan(value) else value for value in feast[name]]
        assert [to_python_value(value) for value in values] == [to_python_value(value) for value in feast_values], name


def test_the_training_sdk_equals_the_oracle_at_any_time(in_world: Home) -> None:
    days = feature_tables.scan(in_world, "user_listening").select(pl.col("event_timestamp").unique().sort()).collect()
    moments = [days["event_timestamp"][position] for position in (0, 9, 20, -1)]
    moments += [moment.replace(hour=13, microsecond=5) for moment in moments]
    spine = pl.concat([spine_of(in_world, moment) for moment in moments])
    service = resolve_service(open_store(in_world), CONTRACT, "recommendation_v1")
    data = training_set("recommendation_v1", spine, home=in_world).to_polars()
    rows = {view.name: feature_tables.scan(in_world, view.name).collect() for view in service.views}
    for view in service.views:
        by_key = {
            key: rows_of_key.to_dicts()
            for key, rows_of_key in rows[view.name].partition_by(view.join_keys, as_dict=True).items()
        }
        features = [name for name, _ in view.features if f"{view.name}__{name}" in data.columns]
        for row in data.to_dicts():
            key = {name: row[name] for name in view.join_keys}
            expected = as_of(by_key.get(tuple(key.values()), []), key, row["event_timestamp"])
            for name in features:
                assert row[f"{view.name}__{name}"] == (expected[name] if expected else None), (
                    view.name,
                    name,
                )


def test_the_manifest_is_the_registry(in_world: Home) -> None:
    store = open_store(in_world)
    for service in SERVICES:
        assert load_service(in_world, service) == resolve_service(store, CONTRACT, service)


def test_an_event_time_comes_with_each_view(in_world: Home) -> None:
    lookup = OnlineFeatures("listener_v1", in_world)
    times = lookup.get({"user_id": ["u000007", "nobody"]}).event_times["user_history"]
    newest = feature_tables.scan(in_world, "user_history").filter(pl.col("user_id") == "u000007")
    assert times[0] == newest.select(pl.col("event_timestamp").max()).collect().item().timestamp()
    assert np.isnan(times[1])


@pytest.mark.parametrize("name", sorted(FEATURE_TABLES))
def test_every_view_online_is_its_newest_rows(in_world: Home, name: str) -> None:
    """Compares Feast's online API with the feature table, for every key of the view."""
    store = open_store(in_world)
    view = store.get_feature_view(name)
    due_rows = feature_tables.scan(in_world, name).filter(pl.col("event_timestamp") <= clock.now())
    rows = due_rows.sort("event_timestamp", "created_timestamp").collect()
    newest = rows.unique(view.join_keys, keep="last", maintain_order=True)
    if not newest.height:
        pytest.skip("nobody charts and nothing is forecast in this world; tests/training/forecasting has one")
    features = [feature.name for feature in view.features]
    keys = {key: newest[key].to_list() for key in view.join_keys}
    online = store.get_online_features([f"{name}:{feature}" for feature in features], keys).to_dict()
    for feature in features:
        expected = [to_python_value(value) for value in newest[feature].to_list()]
        assert [to_python_value(value) for value in online[feature]] == expected, feature
