"""What the files of a table were computed from, and how many rows they have, without opening them again."""

from dataclasses import dataclass
from pathlib import Path
from types import NoneType

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import feature_tables, parquet


@dataclass(frozen=True)
class KnownFile:
    """Attributes:
    inputs: fingerprint of what it was computed from; None if it does not tell or is damaged.
    rows: how many.
    """

    inputs: str | None
    rows: int


_KINDS = (str | NoneType, int)


def known_files(folder: Path, name: str) -> dict[str, KnownFile]:
    """Date → the file of a name in each ``date=…`` folder of a table, oldest first; a file is opened when it is new."""
    return {day: KnownFile(*told) for day, told in parquet.remembered(folder, _opened, _KINDS, name).items()}


def _opened(path: Path) -> tuple[str | None, int]:
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid):
        return None, 0
    inputs = (footer.metadata or {}).get(feature_tables.INPUTS.encode())
    return (inputs.decode() if inputs is not None else None), footer.num_rows
