"""One kind of check a file; each takes a ``Subject`` and yields results.

``rows.py`` counts rows by their values: nulls, ranges, repetitions, metrics. ``times.py`` checks service levels,
``volume.py`` the rows of the newest day against those of the days before, and ``drift.py`` the values of the newest
days against those before.
"""
