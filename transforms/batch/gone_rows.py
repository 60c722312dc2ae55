"""Which rows of feature tables are gone: in ``tiles/<table>/closed/``, a file for each of the table that has some."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.home import Home
from transforms import parquet

if TYPE_CHECKING:
    from feast import FeatureView

WHOLE = "all"
"""Stands for the date of a table of one file."""

_UNSETTLED = ".unsettled"


@dataclass(frozen=True)
class GoneRows:
    """Keys and event times of the rows of one table that are not there any more.

    Attributes:
        folder: of their files.
    """

    folder: Path

    @classmethod
    def of(cls, home: Home, view: "FeatureView") -> "GoneRows":
        """Those of a table."""
        return cls(home.tiles(view.name) / "closed")

    def note(
        self,
        rows: pl.DataFrame | None,
        date: str | None,
        part: str = parquet.PART,
        *,
        end: datetime | None = None,
    ) -> None:
        """Keep which rows of a file are gone, before the file itself is written.

        Args:
            rows: keys and event times; None or none at all if every row is there.
            date: of the file; None for a table of one file.
            part: name of the file.
            end: rows of later moments were not looked at: those that were noted stay so. None if all were.
        """
        path = self.folder / f"{date or WHOLE}+{part}"
        if rows is not None and end is not None and path.is_file():
            noted = pl.read_parquet(path, glob=False).filter(pl.col("event_timestamp") > end)
            rows = pl.concat([rows, noted.select(rows.columns)])
        if rows is None or rows.is_empty():
            path.unlink(missing_ok=True)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _UNSETTLED).touch()
        parquet.write_whole(rows.sort(rows.columns), path)

    def read(self) -> dict[tuple[str, str], pl.DataFrame]:
        """Date, or ``WHOLE``, and name of a file → keys and event times; oldest first."""
        found = {}
        for path in sorted(self.folder.glob("*.parquet")):
            date, _, part = path.name.partition("+")
            found[date, part] = parquet.read_whole(path, remedy="python -m transforms build")
        return found

    @property
    def is_settled(self) -> bool:
        """Whether all of them have been closed."""
        return not (self.folder / _UNSETTLED).exists()

    def note_settled(self) -> None:
        """All of them are closed now."""
        (self.folder / _UNSETTLED).unlink(missing_ok=True)
