"""What lint finds in bad definitions, and that ours have no errors."""

import warnings
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, RepoConfig, ValueType
from feast.types import Int64, String
from typer.testing import CliRunner

from feature_repo import lint
from feature_repo.__main__ import app
from feature_repo.home import Home
from feature_repo.sources import WRITTEN_ON_CHANGE
from tests.feature_repo.offline.engines import OURS
from tests.feature_repo.offline.questions import Table, at


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    warnings.simplefilter("ignore")  # Feast's own
    config = RepoConfig(
        project="lint",
        provider="local",
        registry=str(tmp_path / "registry.db"),
        offline_store={"type": OURS},
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


def found(store: FeatureStore, *objects: object) -> list[tuple[str, str, str]]:
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    store.apply([user, *objects])  # type: ignore[list-item]
    return [(item.severity, item.where, item.found) for item in lint.lint(store)]


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
    everything = [good, changing, lasting, unborn, fine, gone, leak, target, service, unused]
    store.apply([Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING), *everything])
    (tmp_path / "gone.parquet").unlink()
    findings = [(item.severity, item.where, item.found.split(" (")[0]) for item in lint.lint(store)]
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


def test_good_definitions_have_no_findings(store: FeatureStore, tmp_path: Path) -> None:
    good = view(tmp_path, "good")
    assert found(store, good, FeatureService(name="s", features=[good])) == []


@pytest.mark.usefixtures("in_world")
def test_our_own_definitions_have_no_errors() -> None:
    answer = CliRunner().invoke(app, ["lint"])
    assert answer.exit_code == 0, answer.output
    assert "0 errors" in answer.output
    assert "platform_activity: no service uses" in answer.output
    assert CliRunner().invoke(app, ["lint", "--strict"]).exit_code == 1


def test_an_unapplied_registry_is_told(home: Home) -> None:
    answer = CliRunner().invoke(app, ["lint"])
    assert answer.exit_code == 1
    assert "python -m feature_repo apply" in answer.output
