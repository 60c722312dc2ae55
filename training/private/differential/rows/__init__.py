"""Differentially private models of rows, from features to a registered bundle; the unit is a person with all rows.

1. ``own_features``: the features that are made of the person's own events, or of public tables; others are left out.
2. ``person_rows``: a few rows of each person, chosen without regard to anybody else.
3. ``column_ranges``: where the columns lie, from declared bounds, or from a release of its own.
4. ``fit``: one release, by noisy sums (``linear``) or noisy gradients of everybody (``network``).
5. ``run``: pays, keeps the release and registers it with its statement.
"""
