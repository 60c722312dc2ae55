"""Anomaly scores of telemetry and feature rows, the same in batch, in the stream and in a serving process.

There are two kinds of scores:

``series`` scores values online, one at a time, and learns from each: ``roots`` (the scale of the values),
``regression`` (the forecast), ``profile`` (the usual value at this time of day), ``novelty`` (distance of the last
values from earlier ones). ``tail`` turns each into its rarity; ``recurrence`` knows what has happened before.
``counts`` tests whether numbers of events are lower or higher than usual. ``many`` is the base class of both: rows of
state arrays, order of values, alarms, snapshots.

``rows`` scores whole feature rows by a model of normal rows: ``columns`` (numbers and words on one scale), ``pca``,
``isolation_forest`` and ``tails``.

``calibration`` turns scores into numbers that behave like p-values, ``alarms`` decides which scores raise an alarm,
and ``incidents`` merges alarms. Everything here uses numpy alone; models are fitted in ``training.models.anomaly``.
"""
