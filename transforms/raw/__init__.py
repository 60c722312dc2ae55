"""Raw tables, and how events get into them.

- ``tables/``: one schema per raw table of music; ``declared``: all raw tables of a project.
- ``importers/``, ``logs/``, ``simulate/``: sources of rows: foreign formats, log lines, a simulated service.
- ``own_tables/``: a person's own tables, as files or in PostgreSQL.
- ``ingest``: the only writer. It validates every row, quarantines invalid ones with their reasons, and stores an event
  once. Events lie in one file per day of ``event_timestamp``; tables that change slowly (users, tracks, artists) keep
  one row per change in one file.
- ``read``, ``days``: readers of the stored rows.
"""
