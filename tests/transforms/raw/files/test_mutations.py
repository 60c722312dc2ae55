"""Damaged files: a typed error or malformed rows, never another exception, in bounded memory and time."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from tests.transforms.raw.files.containers import tarred, zipped, zstd
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, members, single
from transforms.raw.files.records import first_object, records
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize

ROWS = [
    {"ts": f"2024-01-{day:02}", "ms": 10**day, "artist": {"name": "Älvdröm"}, "tags": [{}, None]}
    for day in range(1, 29)
]
ARRAY = json.dumps(ROWS, ensure_ascii=False).encode()
LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode()
PAGE = json.dumps({"payload": {"listens": ROWS}}, indent=1).encode()
CSV = b'id;"title"\n' + "".join(f'{number};"Grüße; ""{number}""\n"\n' for number in range(40)).encode()
TSV = "".join(f'user_{number}\t2024-01-01T00:00:00Z\tLa"dy\n' for number in range(40)).encode()

SEEDS = {
    "array": ARRAY,
    "lines": LINES,
    "page": PAGE,
    "csv": CSV,
    "tsv": TSV,
    "utf-16": CSV.decode().encode("utf-16"),
    "cp1252": CSV.decode().encode("cp1252"),
    "utf-32 array": ARRAY.decode().encode("utf-32"),
    "gzip": gzip.compress(ARRAY),
    "xz": lzma.compress(LINES),
    "bzip2": bz2.compress(CSV),
    "zstd": zstd(CSV),
    "tar": tarred({"a.json": ARRAY, "b/c.zip": zipped({"c.csv": CSV})}),
    "tar.gz": gzip.compress(tarred({"a.json": LINES, "b.csv": CSV})),
    "zip": zipped({"a.json": ARRAY, "b/c.csv": CSV}),
    "stored": zipped({"a.json": LINES, "d.zip": zipped({"e.csv": TSV})}, 0),
    "streamed": zipped({"a.json": PAGE, "b.gz": gzip.compress(CSV)}, streamed=True),
}


def read_as_everything(path: Path) -> Iterator[InputError]:
    """Reads each member by every reader; yields the typed errors, checks what is read."""

    def read_records(member: Member) -> None:
        for batch in records(member, "payload.listens"):
            assert all(isinstance(row, dict) for row in batch.rows)
            json.dumps(batch.rows, ensure_ascii=False).encode()
            assert all(len(row) <= 2_000 and row.encode() is not None for _, row in batch.malformed)

    def read_table(member: Member) -> None:
        table = Table(recognize(member))
        for batch in table.batches():
            assert all(len(row) == len(table.columns) for row in batch.rows)
            "".join(cell for row in batch.rows for cell in row).encode()
            assert all(len(row) <= 2_000 and row.encode() is not None for _, row in batch.malformed)

    readers: list[Callable[[Member], object]] = [read_records, read_table, describe, first_object]
    for member in members(path):
        for reader in readers:
            try:
                reader(member)
            except InputError as error:
                yield error


@pytest.mark.parametrize("seed", SEEDS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(changes=mutations())
def test_mutated_files_give_rows_or_typed_errors(seed: str, changes: list[Mutation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(mutated(SEEDS[seed], changes))
        for error in read_as_everything(path):
            assert error.found and error.next_command


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_rows_or_typed_errors(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(data)
        for error in read_as_everything(path):
            assert error.found and error.next_command


def _header_of(kind: bytes) -> bytes:
    """The header of a tar archive with a further header, which announces another one."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 0
    return info.tobuf()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nested lists": lambda: b"[" * 1_000_000,
    "nested objects": lambda: b'{"a":' * 1_000_000,
    "nested closed": lambda: b"[" * 500_000 + b"]" * 500_000,
    "nested in each line": lambda: (b"{" + b'"a":[' * 5_000 + b"\n") * 40,
    "elements that open and never close": lambda: b"[" + b'{"a":[{},' * 200_000,
    "strings that never close": lambda: b'[{"a":1},' + b'{"a":"\n,' * 200_000,
    "commas": lambda: b"," * 2_000_000,
    "quotes": lambda: b'"' * 2_000_000,
    "quotes in lines": lambda: b"a,b\n" + b'1,"x\n' * 100_000,
    "digits": lambda: b"[" + b"9" * 2_000_000 + b"]",
    "zeros": lambda: bytes(4_000_000),
    "columns": lambda: b",".join(b"c%d" % number for number in range(100_000)) + b"\n",
    "spaces": lambda: b" " * 4_000_000 + b"{",
    "headers of a tar archive": lambda: tarred({"x": b""})[:512] * 20_000,
    "long names in a tar archive": lambda: _header_of(b"L") * 20_000,
    "headers of entries": lambda: b"PK\x03\x04" * 100_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_end_in_seconds(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(HOSTILE[kind]())
    started = time.process_time()
    for error in read_as_everything(tmp_path / "a.json"):
        assert len(error.found) < 5_000
    assert time.process_time() - started < 15


def test_a_line_of_a_hundred_megabytes_and_a_bomb_need_bounded_memory(tmp_path: Path) -> None:
    """Lines are divided, so that memory does not grow with the line."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as handle:
        handle.write(b'{"a": 1}\n')
        for _ in range(100):
            handle.write(b"1" * 1_000_000)
        handle.write(b'\n{"a": 2}\n')
    (tmp_path / "a.jsonl.gz").write_bytes(packed.getvalue())
    tracemalloc.start()
    rows = [row for batch in records(single(tmp_path / "a.jsonl.gz")) for row in batch.rows]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == [{"a": 1}, {"a": 2}]
    assert peak < 200 << 20
