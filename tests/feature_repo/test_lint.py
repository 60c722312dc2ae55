"""Lint findings in bad definitions, and no errors in Refrain's own."""

import warnings
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Int64, String
from typer.testing import CliRunner

from feature_repo import lint
from feature_repo.__main__ import app
from feature_repo.home import Home
from feature_repo.sources import WRITTEN_ON_CHANGE
from tests.feature_repo.offline.engines import AS_OF_STORE
from tests.feature_repo.offline.questions import Table, at
from tests.music import CONTRACT


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    warnings.simplefilter("ignore")  # Feast's own warnings
    config = RepoConfig(
        project="lint",
        provider="local",
        registry=str(tmp_path / "registry.db"),
        offline_store={"type": AS_OF_STORE},
        online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def view(
    folder: Path, name: str, *, feature: str = "plays", ttl: float = 1, tags: object = None, **shape: object
) -> FeatureView:
    row = {"user_id": "ann", "event_timestamp": at(0), "created_timestamp": at(0), feature: 1}
    table = Table(name, [row], features={feature: pa.int64()}, **shape)  # type: ignore[arg-type]
    return FeatureView(
        name=name,
        entities=[Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)],
        ttl=timedelta(days=ttl),
        schema=[Field(name="user_id", dtype=String), Field(name=feature, dtype=Int64)],
        source=table.file_source(table.write(folder)),
        tags=tags,  # type: ignore[arg-type]
    )


def findings_of(store: FeatureStore, *objects: object) -> list[tuple[str, str, str]]:
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    store.apply([user, *objects])  # type: ignore[list-item]
    return [(finding.severity, finding.where, finding.found) for finding in lint.lint(store, CONTRACT.on_demand)]


def test_each_fault_is_found(store: FeatureStore, tmp_path: Path) -> None:
    good = view(tmp_path, "good")
    changing = view(tmp_path, "changing", ttl=0, tags=WRITTEN_ON_CHANGE)
    lasting = view(tmp_path, "lasting", ttl=0)
    unborn = view(tmp_path, "unborn", has_created=False)
    fine = view(tmp_path, "fine", time=pa.timestamp("ns", "UTC"))
    gone = view(tmp_path, "gone")
    leak = view(tmp_path, "leak", feature="was_skipped")
    target = view(tmp_path, "target", feature="next_week")
    service = FeatureService(
        name="skips",
        features=[good, changing, lasting, unborn, fine, gone, leak, target],
        tags={"predicts": "skipped"},
    )
    unused = view(tmp_path, "unused")
    definitions = [good, changing, lasting, unborn, fine, gone, leak, target, service, unused]
    store.apply([Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING), *definitions])
    (tmp_path / "gone.parquet").unlink()
    findings = [
        (finding.severity, finding.where, finding.found.split(" (")[0])
        for finding in lint.lint(store, CONTRACT.on_demand)
    ]
    missing = f"expected Parquet files behind the view gone, found nothing at {tmp_path / 'gone.parquet'}"
    assert findings == [
        ("error", "fine", "times in nanoseconds"),
        ("error", "gone", missing),
        ("error", "skips: leak:was_skipped", "looks like what the service predicts"),
        ("error", "skips: target:next_week", "looks like what the service predicts"),
        ("error", "unborn", "no created timestamp"),
        ("warning", "lasting", "no ttl"),
        ("warning", "unused", "no service uses plays"),
    ]


def view_of_folder(folder: Path, name: str, features: tuple[str, ...] = ("plays",)) -> FeatureView:
    source = FileSource(
        name=f"{name}_source",
        path=str(folder / name),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    return FeatureView(
        name=name,
        entities=[Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)],
        ttl=timedelta(days=1),
        schema=[Field(name="user_id", dtype=String), *(Field(name=feature, dtype=Int64) for feature in features)],
        source=source,
    )


def test_tables_that_engines_read_differently_are_found(store: FeatureStore, tmp_path: Path) -> None:
    times = pa.array([at(0)], pa.timestamp("us", "UTC"))
    row = {"user_id": ["ann"], "event_timestamp": times, "created_timestamp": times, "plays": [1]}
    columns_without_key = {name: values for name, values in row.items() if name != "user_id"}
    for file, columns in {
        "mixed/a.parquet": {**row, "plays": pa.array([1], pa.int32())},
        "mixed/b.parquet": {**row, "event_timestamp": times.cast(pa.timestamp("ms", "UTC"))},
        "mixed/c.parquet": {**row, "plays": pa.nulls(1)},
        "paths/user_id=007/a.parquet": columns_without_key,
        "cases/a.parquet": {**row, "Plays": [2], "User_ID": [3]},
        "finer/a.parquet": {**row, "created_timestamp": times.cast(pa.timestamp("ns", "UTC"))},
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), tmp_path / file)
    views = [view_of_folder(tmp_path, name) for name in ("mixed", "paths", "finer")]
    views.append(view_of_folder(tmp_path, "cases", ("plays", "Plays", "User_ID")))
    findings = findings_of(store, *views, FeatureService(name="s", features=views))
    assert findings == [
        ("error", "cases", "names that differ by case alone (user_id, User_ID)"),
        ("error", "cases", "names that differ by case alone (plays, Plays)"),
        ("error", "finer", "times in nanoseconds (created_timestamp; they are rounded down to microseconds)"),
        ("warning", "mixed", "several types of the column 'plays' (int32 in a.parquet; int64 in b.parquet)"),
        (
            "warning",
            "mixed",
            "several types of the column 'event_timestamp' (timestamp[us, tz=UTC] in a.parquet; "
            "timestamp[ms, tz=UTC] in b.parquet)",
        ),
        (
            "warning",
            "paths",
            "the key 'user_id' is encoded in the paths (engines differ in whether user_id=007 is a text or a number)",
        ),
    ]


def test_good_definitions_have_no_findings(store: FeatureStore, tmp_path: Path) -> None:
    good = view(tmp_path, "good")
    assert findings_of(store, good, FeatureService(name="s", features=[good])) == []


@pytest.mark.usefixtures("in_world")
def test_our_own_definitions_have_no_errors() -> None:
    result = CliRunner().invoke(app, ["lint"])
    assert result.exit_code == 0, result.output
    assert "0 errors" in result.output
    assert "platform_activity: no service uses" in result.output
    assert CliRunner().invoke(app, ["lint", "--strict"]).exit_code == 1


def test_an_unapplied_registry_is_told(home: Home) -> None:
    result = CliRunner().invoke(app, ["lint"])
    assert result.exit_code == 1
    assert "refrain apply" in result.output
