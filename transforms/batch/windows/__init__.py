"""Windowed tables (``feature_repo.windowed``) in batch: events → tiles → rows.

``tiles`` adds the events of each day up to parts that can be merged; they are kept in Parquet. ``rows`` takes the
tiles of as many days as the longest window reaches back and finds the windows of all keys and moments by binary
search: a window is a range of a key's tiles, a sum over it the difference of two running sums. ``backfill`` does so
for the days that are missing or whose tiles have changed. One aggregate that is more than a sum a file.
"""
