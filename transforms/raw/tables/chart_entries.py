"""Chart positions of tracks."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class ChartEntries(Timed):
    """One row per chart, week and title; ``event_timestamp`` is the date of the chart.

    ``last_week``, ``peak`` and ``weeks_on_chart`` are the values that the chart published that week.
    """

    chart = key_column()
    track_id = key_column()
    artist_id = dy.String(nullable=True)
    rank = dy.Int64(nullable=False, min=1, max=1_000)
    last_week = dy.Int64(nullable=True, min=0)
    peak = dy.Int64(nullable=True, min=0)
    weeks_on_chart = dy.Int64(nullable=True, min=0)


CHART_ENTRIES = RawTable("chart_entries", ChartEntries, key=("chart", "track_id", "event_timestamp"))
"""The key is a title in a week of a chart: of several versions, the newest counts."""
