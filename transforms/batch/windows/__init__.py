"""Windowed tables (``feature_repo.definitions.windowed``) in batch: events → tiles → rows.

``tiles`` aggregates the events of each day to tiles, which are kept in Parquet. ``rows`` takes the tiles of as many
days as the longest window reaches back, and finds the windows of all keys and moments by binary search: a window is a
range of a key's tiles, and the sum over it the difference of two prefix sums. ``backfill`` computes the days that are
missing or whose tiles have changed. Each aggregate that is more than a sum has its own file.
"""
