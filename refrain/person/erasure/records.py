"""Lines of records that mention a person: logs of answers, impressions, exposures, acts."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.encryption.modular import MAGIC
from feature_repo.encryption.stored_files import read_lines
from feature_repo.encryption.stored_place import TAKEN
from feature_repo.home import Home
from refrain.person.contents.json_documents import values_of
from refrain.person.contents.reader import SEPARATOR
from refrain.person.scan import PersonKey, is_of_tenant
from refrain.person.spellings import Spelling, is_distinctive

LINES = (".jsonl", ".ndjson", ".log", ".csv", TAKEN)
"""Endings of files that are lines."""


def mentions(text: bytes, person: PersonKey, id_: str) -> bool:
    """Whether a text, or a document of JSON, mentions an id.

    Of JSON, in whatever way it is escaped: as a value of a column with such ids, or, if the id could not be anything
    else, as any value or a word in one. Of another text: as a word.

    >>> user = PersonKey("user_id", frozenset({"user_id"}))
    >>> mentions(b'{"keys": {"user_id": ["17", "18"]}}', user, "17"), mentions(b'{"age": 17}', user, "17")
    (True, False)
    >>> mentions(b"by u000042", user, "u000042"), mentions(b"by u0000421", user, "u000042")
    (True, False)
    """
    word = Spelling("text", id_.encode(), is_word=True)
    documents = list(values_of([text])) if text[:1] in (b"{", b"[") else []
    if not documents:
        return is_distinctive(id_) and word.count(text, is_delimited=False)[0] > 0
    value = SEPARATOR + id_.encode() + SEPARATOR
    if any(value in part.content for part in documents if part.key in {person.key, *person.columns}):
        return True
    if not is_distinctive(id_):
        return False
    own = [part for part in documents if part.key not in person.others - {"entity_id"}]
    return any(sum(word.count(part.content, is_delimited=True)) > 0 for part in own)


def mentioned(rows: pl.DataFrame, person: PersonKey, ids: Sequence[str]) -> pl.Series:
    """(rows,) whether a row mentions one of some ids: in a column with such ids, a list included, or in a text."""
    is_mentioned = pl.Series([False]).new_from_index(0, rows.height)
    for name, dtype in rows.schema.items():
        if name in {person.key, *person.columns}:
            is_mentioned |= _holds(rows[name], ids)
        elif dtype == pl.String and name not in person.others - {"row"}:
            raw = {value: value.encode(errors="surrogatepass") for value in rows[name].unique().drop_nulls()}
            those = [value for value, text in raw.items() if any(mentions(text, person, id_) for id_ in ids)]
            is_mentioned |= rows[name].is_in(those).fill_null(False)
        elif isinstance(dtype, pl.List) and dtype.inner == pl.String and name not in person.others:
            is_mentioned |= _holds(rows[name], ids)
    return is_mentioned


def _holds(values: pl.Series, ids: Sequence[str]) -> pl.Series:
    wanted = list(ids)
    if isinstance(values.dtype, pl.List):
        frame = values.to_frame("values")
        is_there = pl.col("values").list.eval(pl.element().cast(pl.String).is_in(wanted)).list.any()
        return frame.select(is_there.fill_null(False)).to_series()
    return values.cast(pl.String, strict=False).is_in(wanted).fill_null(False)


def files_of(home: Home, folder: str) -> list[Path]:
    """The files of a folder of records that are of the tenant."""
    files = [path for path in (home.root / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(path for path in files if is_of_tenant(path.relative_to(home.root), home.tenant))


def feature_rows(home: Home, key: str, id_: str) -> Iterator[tuple[str, pl.LazyFrame]]:
    """Yields the rows of a person in each file of feature tables with the key: the view, and the rows."""
    for path in files_of(home, "features"):
        if path.suffix == ".parquet" and key in parquet_files.schema(path).names:
            rows = parquet_files.scan(path, hive_partitioning=False)
            yield path.relative_to(home.root).parts[1], rows.filter(pl.col(key).cast(pl.String) == id_)


def mentions_of(home: Home, folder: str, person: PersonKey, id_: str) -> Iterator[tuple[str, list[bytes]]]:
    """Yields the files of a folder of records that mention an id: the path, and the lines, or rows as lines."""
    for path in files_of(home, folder):
        if is_parquet(path):
            rows = parquet_files.read(path, hive_partitioning=False)
            own = rows.filter(mentioned(rows, person, [id_]))
            lines = [
                json.dumps(row, default=str, ensure_ascii=False).encode() + b"\n" for row in own.iter_rows(named=True)
            ]
        elif path.suffix in LINES:
            lines = [line + b"\n" for line in read_lines(path, home) if mentions(line, person, id_)]
        else:
            continue
        if lines:
            yield str(path.relative_to(home.root).with_suffix("")), lines


def is_parquet(path: Path) -> bool:
    """Whether a file is of Parquet, whatever its name."""
    with path.open("rb") as handle:
        return handle.read(4) in MAGIC
