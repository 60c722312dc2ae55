"""Raw events to feature tables.

- Takes: files in foreign formats, logs, audio, texts and live events.
- Returns: Parquet tables with the schemas of ``feature_repo``'s views, and packed rows in the online store.
- Rooms, by the flow: ``raw`` (imported events), ``batch`` (past days), ``stream`` (live events), ``logged`` (logs that
  serving writes), ``pure`` (functions of arrays and texts: the only room that a serving process imports).
- Promises: a row stamped T uses only events before T; batch and stream give the same values; only ``feature_tables``
  writes feature tables, and a file is written whole or not at all.
"""
