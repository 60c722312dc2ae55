"""An index of a table's files: input fingerprint and number of rows of each, without opening known files again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType

import pyarrow as pa

from feature_repo.encryption import parquet_files
from transforms import feature_tables, parquet


@dataclass(frozen=True)
class KnownFile:
    """A file of a table.

    Attributes:
        inputs: fingerprint of the inputs it was computed from; None if it has none or the file is damaged.
        rows: number of rows.
    """

    inputs: str | None
    rows: int


_KINDS = (str | NoneType, int)


def known_files(folder: Path, name: str) -> dict[str, KnownFile]:
    """Date → the file of a given name in each ``date=…`` folder of a table, oldest first; opens only new files."""
    return {day: KnownFile(*entry) for day, entry in parquet.file_facts(folder, _read_footer, _KINDS, name).items()}


def note_files(folder: Path, name: str, files: Mapping[str, KnownFile]) -> None:
    """Notes files that were just written: date → what ``known_files`` would find."""
    parquet.note_facts(folder, {day: (file.inputs, file.rows) for day, file in files.items()}, _KINDS, name)


def _read_footer(path: Path) -> tuple[str | None, int]:
    try:
        footer = parquet_files.metadata(path)
    except (OSError, pa.ArrowInvalid):
        return None, 0
    inputs = (footer.metadata or {}).get(feature_tables.INPUTS.encode())
    return (inputs.decode() if inputs is not None else None), footer.num_rows
