"""The description of a saved training set in Croissant 1.0: what it says, and that Croissant's own library reads it."""

import hashlib
import itertools
import json
import math
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo.home import Home
from training.datasets import croissant, training_set

MOMENT = datetime(2026, 1, 25, 15, 30, tzinfo=UTC)
MANIFEST = {
    "feature_service": "listener_v1",
    "fingerprint": "f00d",
    "rows": 3,
    "as_known": False,
    "sources": {"user_history": "ab" * 32},
    "digest": "cd" * 32,
    "refrain": "0.1.0",
}
ROWS = pl.DataFrame(
    {
        "user_id": ["u1", "u2", None],
        "event_timestamp": [MOMENT, MOMENT - timedelta(days=1), MOMENT],
        "label": [1, 0, None],
        "view__count": [1, None, 3],
        "view__share": [0.5, None, float("nan")],
        "view__is_new": [True, None, False],
        "view__day": [date(2026, 1, 1), None, date(2026, 1, 2)],
        "view__tracks": [["a", "b"], [], None],
        "view__vector": [[0.5, 0.25], None, []],
        "view__small": pl.Series([1, 2, None], dtype=pl.Int8),
        "view__both": [{"a": 1}, {"a": 2}, None],
    },
    schema_overrides={"event_timestamp": pl.Datetime("us", "UTC"), "view__vector": pl.List(pl.Float32)},
)


def _saved(folder: Path, rows: pl.DataFrame = ROWS) -> Path:
    folder.mkdir(exist_ok=True)
    rows.write_parquet(folder / "data.parquet")
    rows.select("user_id", "event_timestamp", "label").write_parquet(folder / "spine.parquet")
    return folder


def _fields(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (rows,) = document["recordSet"]
    return {field["name"]: field for field in rows["field"]}


def test_files_columns_and_times_are_named(home: Home, tmp_path: Path) -> None:
    folder = _saved(tmp_path / "set")
    document = json.loads(croissant.write(home, folder, MANIFEST).read_text())
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert document["temporalCoverage"] == "2026-01-24T15:30:00Z/2026-01-25T15:30:00Z"
    assert document["isBasedOn"][0]["identifier"] == "ab" * 32
    assert "license" not in document
    for file in document["distribution"]:
        content = (folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    fields = _fields(document)
    assert set(fields) == set(ROWS.columns) - {"view__both"}  # a structure is no field of one type
    types = {name: field["dataType"] for name, field in fields.items()}
    assert types["event_timestamp"] == "sc:DateTime"
    assert types["view__count"] == "cr:Int64" and types["view__small"] == "cr:Int8"
    assert types["view__share"] == "cr:Float64" and types["view__vector"] == "cr:Float32"
    assert [name for name, field in fields.items() if field.get("repeated")] == ["view__tracks", "view__vector"]
    assert "later" in document["description"]
    assert document == croissant.describe(home, folder, MANIFEST)


def test_the_licence_is_what_the_project_declares(home: Home, tmp_path: Path) -> None:
    (tmp_path / "refrain.toml").write_text('name = "shop"\ndata_license = "CC-BY-4.0"\n')
    folder = _saved(tmp_path / "set")
    document = croissant.describe(Home(home.root, project_folder=tmp_path), folder, MANIFEST | {"as_known": True})
    assert document["license"] == "CC-BY-4.0"
    assert document["creator"]["name"] == "shop"
    assert "computed by then" in document["description"]


def test_a_set_without_rows_has_no_times(home: Home, tmp_path: Path) -> None:
    document = croissant.describe(home, _saved(tmp_path / "set", ROWS.clear()), MANIFEST)
    assert "temporalCoverage" not in document
    assert len(_fields(document)) == len(ROWS.columns) - 1


@pytest.fixture
def saved_of_world(in_world: Home, tmp_path: Path) -> Path:
    """A training set of the small world, saved."""
    spine = {"user_id": ["u000001", "u000002", "nobody"], "event_timestamp": [MOMENT] * 3, "label": [1, 0, 1]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return training_set("listener_v1", pl.DataFrame(spine)).save(Home(tmp_path / "other"))


def test_every_saved_set_is_described(saved_of_world: Path) -> None:
    document = json.loads((saved_of_world / croissant.FILE).read_text())
    manifest = json.loads((saved_of_world / "manifest.json").read_text())
    assert document["identifier"] == f"sha256:{manifest['digest']}"
    assert set(_fields(document)) == set(pl.read_parquet_schema(saved_of_world / "data.parquet"))


def _plain(value: Any) -> Any:
    """A value of Croissant's library as polars has it."""
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    return value


def _is_missing(value: Any) -> bool:
    return value in (None, [], "None") or (isinstance(value, float) and math.isnan(value))


@pytest.mark.interop
@pytest.mark.parametrize("of_world", [False, True])
def test_the_library_reads_every_row(
    of_world: bool, home: Home, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Metadata without an error, and the records of the set, value for value."""
    if of_world:
        folder = request.getfixturevalue("saved_of_world")
    else:
        folder = _saved(tmp_path / "set", ROWS.drop("view__both", "view__day"))  # which pandas makes objects
        croissant.write(home, folder, MANIFEST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlcroissant = pytest.importorskip("mlcroissant", reason="no mlcroissant: make test-interop")
        dataset = mlcroissant.Dataset(jsonld=str(folder / croissant.FILE))
        records = list(itertools.islice(dataset.records(croissant.ROWS), 10))
    assert not dataset.metadata.issues.errors
    expected = pl.read_parquet(folder / "data.parquet")
    assert len(records) == expected.height
    for record, row in zip(records, expected.iter_rows(named=True), strict=True):
        for name, value in row.items():
            found = _plain(record[f"rows/{name}"])
            assert _is_missing(found) if _is_missing(value) else found == value, (name, found, value)
