"""The logs of serving as tables: answers, exposures, impressions, lookups.

Serving processes append JSON lines, because they import no data frames. ``pack`` converts these lines to Parquet, and
every reader here reads both.
"""
