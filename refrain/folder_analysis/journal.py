"""Rows that were computed before: in the table of an earlier run, and in the journal of one that was stopped."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.output import csv_text
from feature_repo.whole_files import write_whole
from refrain.folder_analysis.rows import SCHEMA, table, without_nan
from transforms import parquet

SUFFIXES = (".parquet", ".csv", ".jsonl")


class Journal:
    """The rows of one table: each is on the disk when ``add`` returns, the table is written whole by ``finish``.

    Args:
        out: the table; its suffix, one of ``SUFFIXES``, says the format.

    Raises:
        InputError: another suffix, or the table there is none of ours.
    """

    def __init__(self, out: Path) -> None:
        if out.suffix.lower() not in SUFFIXES:
            raise InputError(
                expected=f"a table whose name ends in one of {', '.join(SUFFIXES)}",
                found=out.name,
                next_command="refrain analyze FOLDER --out features.parquet",
            )
        self._out, self._path = out, out.with_name(f".{out.name}.partial.jsonl")
        self.rows = {row["path"]: row for row in [*self._of_table(), *self._of_journal()]}

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row; it replaces that of the same path."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(row)}\n")
        self.rows[row["path"]] = row

    def finish(self, paths: set[str]) -> None:
        """Write the table with the rows of these paths, and remove the journal."""
        frame = table([row for path, row in self.rows.items() if path in paths])
        if self._out.suffix.lower() == ".csv":
            write_whole(self._out, csv_text.text_of(frame.select(_flat(frame))))
        elif self._out.suffix.lower() == ".jsonl":
            write_whole(self._out, frame.write_ndjson())
        else:
            parquet.write_whole(frame, self._out)
        self._path.unlink(missing_ok=True)

    def _of_journal(self) -> list[dict[str, Any]]:
        """The rows of the journal; its last line may be torn."""
        rows, content = [], self._path.read_bytes() if self._path.is_file() else b"\n"
        if not content.endswith(b"\n"):
            with self._path.open("ab") as file:
                file.write(b"\n")
        for line in content.splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return rows

    def _of_table(self) -> list[dict[str, Any]]:
        if not self._out.exists():
            return []
        readers: dict[str, Any] = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": parquet_files.read}
        suffix = self._out.suffix.lower()
        schema = {} if suffix == ".parquet" else {"schema_overrides": _read_types(suffix)}
        try:
            frame = readers[suffix](self._out, **schema)
            frame = csv_text.frame_read_back(frame) if suffix == ".csv" else frame
            rows: list[dict[str, Any]] = frame.select(name for name in SCHEMA if name in frame.columns).to_dicts()
            is_ours = {"path", "size", "modified_ns", "error", "model"} <= set(frame.columns)
        except (pl.exceptions.PolarsError, OSError):
            rows, is_ours = [], False
        if not is_ours:
            raise InputError(
                expected=f"no file at {self._out}, or a table that refrain analyze wrote",
                found="another file",
                next_command="refrain analyze FOLDER --out ANOTHER.parquet",
            )
        return [without_nan(row) for row in rows]


def _read_types(suffix: str) -> dict[str, Any]:
    return {name: kind for name, kind in SCHEMA.items() if suffix == ".jsonl" or not isinstance(kind, pl.List)}


def _flat(frame: pl.DataFrame) -> list[str]:
    return [name for name, kind in frame.schema.items() if not isinstance(kind, pl.List)]
