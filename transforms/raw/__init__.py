"""Raw tables, and how events get into them.

- ``tables/``: one schema per raw table.
- ``importers/``, ``logs/``, ``simulate/``: sources of rows: foreign formats, log lines, a simulated service.
- ``ingest``: the only writer. It validates every row, quarantines invalid ones with their reasons, and stores an event
  once. Events lie in one file per day of ``event_timestamp``; tables that change slowly (users, tracks, artists) keep
  one row per change in one file.
- ``read``, ``days``: readers of the stored rows.
"""

from feature_repo.discovery import definitions
from transforms.raw.table import RawTable

TABLES: dict[str, RawTable] = definitions("transforms.raw.tables", RawTable)
"""Every raw table, by name."""

__all__ = ["TABLES", "RawTable"]
