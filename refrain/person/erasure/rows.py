"""Rows and lines with an id, out of the files that hold them."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pyarrow.parquet as pq

from feature_repo.whole_files import write_whole
from refrain.person.spellings import Spelling, is_distinctive, named_value
from transforms import parquet

_LINES = (".jsonl", ".ndjson", ".log", ".csv")


def erase_rows(path: Path, id_: str, columns: Sequence[str]) -> int:
    """Remove the rows of a Parquet file in which one of some columns has an id; a file that has none is unchanged.

    A file that would be left without rows is removed, and its folder if it is a day's.

    Returns:
        Number of rows that were removed.
    """
    rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
    return _write(path, rows, _has_value(rows, id_, columns))


def erase_mentions(path: Path, key: str, id_: str) -> int:
    """Remove what mentions an id from a file of records: rows of Parquet, or lines.

    A row mentions the id if a text in it holds the id as a word of its own, or, for ids that could be any number, if
    the column of the key has it.

    Returns:
        Number of rows or lines that were removed.
    """
    if _is_parquet(path):
        rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
        mentioned = _has_value(rows, id_, [name for name in rows.columns if name == key])
        for name in rows.select(cs.string()).columns:
            values = rows[name].unique().drop_nulls()
            those = [value for value in values if _mentions(value.encode(errors="surrogatepass"), key, id_)]
            mentioned |= rows[name].is_in(those).fill_null(False)
        return _write(path, rows, mentioned)
    if path.suffix not in _LINES:
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not _mentions(line, key, id_)]
    if len(kept) < len(lines):
        write_whole(path, b"".join(kept), is_secret=not path.stat().st_mode & 0o077)
    return len(lines) - len(kept)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(4) == b"PAR1"


def _mentions(text: bytes, key: str, id_: str) -> bool:
    if is_distinctive(id_):
        return Spelling("text", id_.encode(), is_word=True).count(text, is_delimited=True)[0] > 0
    return text == id_.encode() or bool(named_value(key, id_).search(text))


def _has_value(rows: pl.DataFrame, id_: str, columns: Sequence[str]) -> pl.Series:
    found = pl.Series([False]).new_from_index(0, rows.height)
    for name in columns:
        if name in rows.columns:
            found |= (rows[name].cast(pl.String, strict=False) == id_).fill_null(False)
    return found


def _write(path: Path, rows: pl.DataFrame, is_erased: pl.Series) -> int:
    count = int(is_erased.sum())
    if not count:
        return 0
    kept = rows.filter(~is_erased)
    if kept.height:
        metadata = pq.read_metadata(path).metadata or {}
        about = {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}
        parquet.write_whole(kept, path, metadata=about or None)
        return count
    path.unlink()
    if path.parent.name.startswith("date=") and not any(path.parent.iterdir()):
        path.parent.rmdir()
    return count
