"""What is planted in a data folder is found in every format; what is not there is not."""

import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.home import Home
from feature_repo.stores import redis_server
from refrain.person.scan import Scan, scan

ID, OTHER = "u000042", "u0000421"


def found(home: Home, id_: str = ID, key: str = "user_id") -> Scan:
    return scan(home, key, id_)


def parquet(content: object) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"column": [content], "number": [1]}).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", content * 50)
    return buffer.getvalue()


def tarred(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("member")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def npz(text: str) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, names=np.array([text, "another"]))
    return buffer.getvalue()


FORMATS: dict[str, Callable[[str], bytes]] = {
    "text": lambda text: f"a line of {text}.\n".encode(),
    "json": lambda text: json.dumps({"user_id": text}).encode(),
    "gzip": lambda text: gzip.compress(text.encode() * 3 + b" " + text.encode()),
    "xz": lambda text: lzma.compress(b"a " + text.encode()),
    "parquet": parquet,
    "parquet of lists": lambda text: parquet([["a", text], ["b"]]),
    "parquet of structs": lambda text: parquet({"inner": {"deep": text}}),
    "zip": lambda text: zipped(b"of " + text.encode()),
    "zip of parquet": lambda text: zipped_once(parquet(text)),
    "tar": lambda text: tarred(b"of " + text.encode()),
    "npz": npz,
}


def zipped_once(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member.parquet", content)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_a_planted_id_is_found(form: str, tmp_path: Path) -> None:
    (tmp_path / "planted").write_bytes(FORMATS[form](ID))
    result = found(Home(tmp_path))
    assert {trace.path for trace in result.certain} == {"planted"} and not result.unread
    assert not found(Home(tmp_path), "u000043").traces
    (tmp_path / "planted").write_bytes(FORMATS[form](OTHER))
    assert not found(Home(tmp_path)).certain


def test_a_deleted_row_of_sqlite_is_found_in_its_free_pages(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "records.db") as database:
        database.execute("CREATE TABLE runs (name TEXT, value TEXT)")
        database.execute("PRAGMA secure_delete = OFF")
        database.executemany("INSERT INTO runs VALUES (?, ?)", [(f"run{n}", f"of {ID}") for n in range(200)])
    assert any("table runs, column value" in trace.place for trace in found(Home(tmp_path)).traces)
    with sqlite3.connect(tmp_path / "records.db") as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("DELETE FROM runs")
    traces = found(Home(tmp_path)).traces
    assert traces and not any(trace.place for trace in traces)
    sqlite3.connect(tmp_path / "records.db", isolation_level=None).execute("VACUUM")
    assert not found(Home(tmp_path)).traces


def test_values_and_keys_of_redis_are_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    client = redis_server.ensure(home)
    try:
        client.set(f"{home.project}:user_artist:{{7:a000017{ID}}}", b"packed")
        client.hset(f"{{{home.project}}}#reader", "place", "a value of " + ID)
        client.rpush("list", "u000043")
        client.set(f"another_tenant:user:{{{ID}0}}", "")
        assert not found(home, f"{ID}0").certain
        forms = {trace.place for trace in found(home).certain}
        assert {"names", "commands"} <= forms
        assert not found(home, "u00004").certain and found(home, "u000043").certain
        client.flushall()
        assert not [trace for trace in found(home).certain if trace.place in ("names", "values")]
        assert found(home).certain, "the file still has the commands"
    finally:
        redis_server.stop(home)


def test_numbers_are_found_as_values_of_their_key(tmp_path: Path) -> None:
    pl.DataFrame({"customer_id": [17, 170], "cents": [170, 17]}).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"customer_id": 170, "cents": 17}\n')
    result = found(Home(tmp_path), "17", "customer_id")
    assert [(trace.path, trace.place) for trace in result.certain] == [("a.parquet", "column customer_id")]
    (tmp_path / "b.jsonl").write_text('{"keys": {"customer_id": ["18", 17]}}\n')
    assert len(found(Home(tmp_path), "17", "customer_id").certain) == 2
    assert not result.is_distinctive and not found(Home(tmp_path), "19", "customer_id").traces


def test_what_is_damaged_is_searched_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 of " + ID.encode() + b" PAR1")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(ID.encode() * 100)[:20])
    result = found(Home(tmp_path))
    assert set(result.unread) == {"damaged.parquet", "cut.gz"}
    assert [trace.path for trace in result.certain] == ["damaged.parquet"]


def test_other_tenants_are_passed_over(tmp_path: Path) -> None:
    for tenant in ("default", "other"):
        (tmp_path / "raw" / f"tenant={tenant}").mkdir(parents=True)
        (tmp_path / "raw" / f"tenant={tenant}" / "rows").write_text(ID)
    assert [trace.path for trace in found(Home(tmp_path)).certain] == ["raw/tenant=default/rows"]
    assert len(found(Home(tmp_path, "other")).certain) == 1


def test_the_name_of_a_file_is_searched(tmp_path: Path) -> None:
    (tmp_path / f"export-of {ID}.txt").touch()
    assert [trace.place for trace in found(Home(tmp_path)).traces] == ["its name"]
