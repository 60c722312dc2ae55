"""Lines of records that mention a person: logs of answers, impressions, exposures, acts."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

from feature_repo.home import Home
from refrain.person.spellings import Spelling, is_distinctive, named_value

LINES = (".jsonl", ".ndjson", ".log", ".csv")
"""Endings of files that are lines."""


def mentions(text: bytes, key: str, id_: str) -> bool:
    """Whether a text, or a line of JSON, mentions an id as a word of its own, or as the value of its key.

    >>> mentions(b'{"user_id": "u000042"}', "user_id", "u000042"), mentions(b"u0000421", "user_id", "u000042")
    (True, False)
    """
    if is_distinctive(id_):
        return Spelling("text", id_.encode(), is_word=True).count(text, is_delimited=True)[0] > 0
    return text == id_.encode() or bool(named_value(key, id_).search(text))


def has_value(rows: pl.DataFrame, ids: Sequence[str], columns: Sequence[str]) -> pl.Series:
    """(rows,) whether one of some columns has one of some ids."""
    is_there = pl.Series([False]).new_from_index(0, rows.height)
    for name in columns:
        if name in rows.columns:
            is_there |= rows[name].cast(pl.String, strict=False).is_in(list(ids)).fill_null(False)
    return is_there


def mentioned(rows: pl.DataFrame, key: str, ids: Sequence[str]) -> pl.Series:
    """(rows,) whether a row mentions one of some ids: in the column of their key, or as a word in a text."""
    is_mentioned = has_value(rows, ids, [key])
    for name in rows.select(cs.string()).columns:
        values = rows[name].unique().drop_nulls()
        raw = {value: value.encode(errors="surrogatepass") for value in values}
        those = [value for value, text in raw.items() if any(mentions(text, key, id_) for id_ in ids)]
        is_mentioned |= rows[name].is_in(those).fill_null(False)
    return is_mentioned


def files_of(home: Home, folder: str) -> list[Path]:
    """The files of a folder of records that are of the tenant."""
    files = [path for path in (home.root / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(path for path in files if _is_own(path.relative_to(home.root), home.tenant))


def mentions_of(home: Home, folder: str, key: str, id_: str) -> Iterator[tuple[str, list[bytes]]]:
    """Yields the files of a folder of records that mention an id: the path, and the lines, or rows as lines."""
    for path in files_of(home, folder):
        if is_parquet(path):
            rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
            own = rows.filter(mentioned(rows, key, [id_]))
            lines = [
                json.dumps(row, default=str, ensure_ascii=False).encode() + b"\n" for row in own.iter_rows(named=True)
            ]
        elif path.suffix in LINES:
            lines = [line for line in path.read_bytes().splitlines(keepends=True) if mentions(line, key, id_)]
        else:
            continue
        if lines:
            yield str(path.relative_to(home.root).with_suffix("")), lines


def is_parquet(path: Path) -> bool:
    """Whether a file is of Parquet, whatever its name."""
    with path.open("rb") as handle:
        return handle.read(4) == b"PAR1"


def _is_own(path: Path, tenant: str) -> bool:
    tenants = [part.removeprefix("tenant=") for part in path.parts if part.startswith("tenant=")]
    return not tenants or tenant in tenants
