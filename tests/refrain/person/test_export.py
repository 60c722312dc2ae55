"""An export holds all of a person and nothing of others, and gives the same features when it is imported."""

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.person.export import export
from tests.refrain.person.test_erasure import END, ID, ZERO, plant, rows, store
from transforms.batch.build import build
from transforms.raw.importers.person import PERSON
from transforms.raw.ingest import Batch, ingest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    monkeypatch.setenv(clock.NOW, END.isoformat())
    tracks = {"track_id": [f"song-{n}" for n in range(12)], "title": [f"Song {n}" for n in range(12)]}
    tracks |= {"artist_id": [f"band-{n % 4}" for n in range(12)], "event_timestamp": [ZERO] * 12}
    store(home, rows() | {"tracks": pl.DataFrame(tracks)})
    return home


def test_an_import_of_an_export_gives_the_same_features(home: Home, tmp_path: Path) -> None:
    build(home, END)
    plant(home)
    counts = export(home, "user_id", ID, tmp_path / "mira.zip")
    plays = rows()["plays"].filter(pl.col("user_id") == ID)
    assert counts["tables/plays"] == plays.height
    assert counts["tables/tracks"] == plays["track_id"].n_unique()
    assert counts["records/lookups"] == counts["records/audit_log"] == counts["records/impressions"] == 1
    other = Home(tmp_path / "other")
    ingest(other, "export", PERSON.batches(tmp_path / "mira.zip", other))
    build(other, END)
    views = [name for name, table in contract_of(home).windowed.items() if table.keys[0] == "user_id"]
    compared = [name for name in views if (home.features(name)).is_dir() and features(home, name).height]
    assert len(compared) >= 5
    for name in compared:
        assert features(other, name).equals(features(home, name)), name


def features(home: Home, view: str) -> pl.DataFrame:
    files = sorted(home.features(view).rglob("*.parquet"))
    rows = pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in files], how="diagonal")
    keys = list(contract_of(home).windowed[view].keys)
    return rows.filter(pl.col("user_id") == ID).sort([*keys, "event_timestamp", "created_timestamp"])


def test_an_export_holds_nothing_of_others(home: Home, tmp_path: Path) -> None:
    build(home, END)
    plant(home)
    export(home, "user_id", ID, tmp_path / "mira.zip")
    with zipfile.ZipFile(tmp_path / "mira.zip") as archive:
        about = json.loads(archive.read("person.json"))
        assert about["id"] == ID and set(about["parts"]) >= {"tables/plays", "features/user_listening"}
        for name in set(archive.namelist()) - {"person.json", "tables/friendships.jsonl"}:
            assert b"listener-" not in archive.read(name), name
    assert (tmp_path / "mira.zip").stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob(".partial*"))


def test_nobody_is_an_error_and_leaves_no_file(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing with user_id"):
        export(home, "user_id", "nobody-at-all", tmp_path / "nobody.zip")
    assert not (tmp_path / "nobody.zip").exists()


def test_an_export_that_was_changed_is_refused_or_quarantined(home: Home, tmp_path: Path) -> None:
    export(home, "user_id", ID, tmp_path / "mira.zip")
    with zipfile.ZipFile(tmp_path / "mira.zip") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "text").write_text("no export")

    def changed(**others: bytes | None) -> Path:
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**parts, **others}.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    for form in (None, b'{"form": "another 9"}', b"[]", b"no JSON"):
        with pytest.raises(InputError):
            list(PERSON.batches(changed(**{"person.json": form}), home))
    lines = parts["tables/plays.jsonl"].splitlines(keepends=True)
    wrong = json.dumps(json.loads(lines[0]) | {"event_timestamp": "yesterday"}).encode() + b"\n"
    much = json.dumps(json.loads(lines[1]) | {"ms_played": "many"}).encode() + b"\n"
    path = changed(
        **{"tables/plays.jsonl": b"".join([wrong, much, b"no JSON\n", *lines[2:]]), "a/tables/users.jsonl": lines[0]}
    )
    other = Home(tmp_path / "other")
    report = ingest(other, "export", PERSON.batches(path, other))
    assert report.tables["plays"].quarantined == 3 and report.tables["plays"].added == len(lines) - 2
    assert {passed.name for passed in report.passed_over} >= {"person.json", "a/tables/users.jsonl"}


def test_rows_keep_their_types_and_microseconds(home: Home, tmp_path: Path) -> None:
    moment = ZERO + timedelta(microseconds=123_457)
    row = {"user_id": ID, "track_id": "s", "artist_id": 'é \u2028 "', "event_timestamp": moment, "ms_played": 2**40}
    ingest(home, "one", [Batch("plays", pl.DataFrame([row | {"ms_played": 86_399_999}]))])
    export(home, "user_id", ID, tmp_path / "mira.zip")
    plays = pl.concat(
        batch.rows
        for batch in PERSON.read(tmp_path / "mira.zip", home)
        if isinstance(batch, Batch) and batch.table == "plays"
    )
    assert plays.filter(pl.col("track_id") == "s").select("artist_id", "event_timestamp", "ms_played").rows() == [
        (row["artist_id"], moment, 86_399_999)
    ]
