"""Raw events to feature tables: Parquet in, Parquet out.

``importers`` and ``simulate`` fill the raw tables (``raw``), ``build`` turns them into the tables that the feature
views of ``feature_repo`` describe, one pure function of ``features`` each. The stage after it is ``feast
materialize``; training reads the same tables.
"""
