"""Gone rows of feature tables: ``tiles/<table>/closed/`` has a file for each file of the table that has lost rows."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from transforms import parquet

if TYPE_CHECKING:
    from feast import FeatureView

WHOLE = "all"
"""Stands in place of the date for a table that is one file."""

_UNSETTLED = ".unsettled"


@dataclass(frozen=True)
class GoneRows:
    """Keys and event times of the rows of one table that are gone.

    Attributes:
        folder: folder of the files.
    """

    folder: Path

    @classmethod
    def of(cls, home: Home, view: "FeatureView") -> "GoneRows":
        """The gone rows of a view's table."""
        return cls.of_table(home, view.name)

    @classmethod
    def of_table(cls, home: Home, name: str) -> "GoneRows":
        """The gone rows of a table, by its name."""
        return cls(home.tiles(name) / "closed")

    def files(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.folder.glob("*.parquet"))

    def note(
        self,
        rows: pl.DataFrame | None,
        date: str | None,
        part: str = parquet.PART,
        *,
        end: datetime | None = None,
    ) -> None:
        """Notes the rows of a file that are gone, before the file itself is written.

        Args:
            rows: keys and event times of gone rows; None or an empty frame if no row is gone.
            date: date of the file; None for a table that is one file.
            part: name of the file.
            end: last moment that was examined; gone rows of later moments that were noted before are kept. None if all
                moments were examined.
        """
        path = self.folder / f"{date or WHOLE}+{part}"
        if rows is not None and end is not None and path.is_file():
            noted = parquet_files.read(path).filter(pl.col("event_timestamp") > end)
            rows = pl.concat([rows, noted.select(rows.columns)])
        if rows is None or rows.is_empty():
            path.unlink(missing_ok=True)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _UNSETTLED).touch()
        parquet.write_whole(rows.sort(rows.columns), path)

    def read(self) -> dict[tuple[str, str], pl.DataFrame]:
        """Date, or ``WHOLE``, and name of a file → keys and event times; oldest first."""
        gone = {}
        for path in self.files():
            date, _, part = path.name.partition("+")
            gone[date, part] = parquet.read_whole(path, remedy="refrain build")
        return gone

    @property
    def is_settled(self) -> bool:
        """Whether all gone rows have their closing rows."""
        return not (self.folder / _UNSETTLED).exists()

    def note_settled(self) -> None:
        """Notes that all gone rows have their closing rows."""
        (self.folder / _UNSETTLED).unlink(missing_ok=True)
