"""What identifies the values of a view that is no windowed table: its source, or the function that computes it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from feast import Entity, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Float64

from feature_repo.contract import Contract
from feature_repo.project import Project
from feature_repo.view_definitions import definition_of
from tests.music import CONTRACT, FEATURE_TABLES

STORE = Entity(name="store", join_keys=["store_no"], value_type=ValueType.INT64)


def plain_view(folder: Path, source: dict[str, Any] | None = None, *, push: bool = False, **view: Any) -> FeatureView:
    options = {"path": str(folder / "stores.parquet"), "timestamp_field": "measured_at", **(source or {})}
    files: Any = FileSource(**{"name": "store_files", "created_timestamp_column": "loaded_at", **options})
    return FeatureView(
        name="store_facts",
        entities=[STORE],
        schema=[Field(name="rating", dtype=Float64)],
        source=PushSource(name="store_push", batch_source=files) if push else files,
        **{"ttl": timedelta(days=10), **view},
    )


def definition(view: FeatureView, project: Path | None = None, data: Path | None = None) -> str:
    config: Any = SimpleNamespace(offline_store=SimpleNamespace(data_folder=data and str(data)), repo_path="/")
    contract = CONTRACT if project is None else Contract(Project(folder=project))
    return definition_of(view, ["rating"], contract, config)


OTHER: dict[str, Callable[[Path], FeatureView]] = {
    "its files": lambda folder: plain_view(folder, {"path": str(folder / "others.parquet")}),
    "its event time": lambda folder: plain_view(folder, {"timestamp_field": "seen_at"}),
    "its created time": lambda folder: plain_view(folder, {"created_timestamp_column": "stored_at"}),
    "names of its columns": lambda folder: plain_view(folder, {"field_mapping": {"stars": "rating"}}),
    "its ttl": lambda folder: plain_view(folder, ttl=timedelta(days=9)),
}
SAME: dict[str, Callable[[Path], FeatureView]] = {
    "nothing": plain_view,
    "the name of its source": lambda folder: plain_view(folder, {"name": "facts"}),
    "a description": lambda folder: plain_view(folder, {"description": "Facts"}, description="Facts"),
    "tags": lambda folder: plain_view(folder, {"tags": {"a": "b"}}, tags={"c": "d"}),
    "an owner": lambda folder: plain_view(folder, {"owner": "somebody"}, owner="somebody"),
    "that it takes pushes": lambda folder: plain_view(folder, push=True),
}


@pytest.mark.parametrize("change", [*OTHER, *SAME])
def test_a_plain_view_is_its_source(tmp_path: Path, change: str) -> None:
    changed = {**OTHER, **SAME}[change](tmp_path)
    assert (definition(changed) == definition(plain_view(tmp_path))) == (change in SAME)


def test_a_path_counts_from_the_folder_of_the_data_or_the_project(tmp_path: Path) -> None:
    first, second = plain_view(tmp_path / "first"), plain_view(tmp_path / "second")
    assert definition(first) != definition(second)
    assert definition(first, tmp_path / "first") == definition(second, tmp_path / "second")
    assert definition(first, data=tmp_path / "first") == definition(second, data=tmp_path / "second")
    assert definition(first, tmp_path / "first") == definition(second, tmp_path, tmp_path / "second")


def test_a_computed_table_is_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(name: str) -> str:
        return definition_of(FEATURE_TABLES[name], [], CONTRACT, SimpleNamespace())  # type: ignore[arg-type]

    before = {name: of(name) for name in CONTRACT.computed_tables}
    assert len(set(before.values())) == len(before)
    assert before == {name: of(name) for name in before}
    monkeypatch.setattr(Contract, "code_digest", lambda self, compute: f"other {compute.__name__}")
    assert all(of(name) != before[name] for name in before)


def test_a_table_that_a_model_writes_has_no_definition() -> None:
    undefined = [
        name
        for name, view in FEATURE_TABLES.items()
        if not definition_of(view, [], CONTRACT, SimpleNamespace())  # type: ignore[arg-type]
    ]
    written = {"user_taste", "track_taste", "user_content", "track_content", "track_text", "track_streams_forecast"}
    assert written <= set(undefined)
    assert not {*CONTRACT.windowed, *CONTRACT.computed_tables} & set(undefined)
