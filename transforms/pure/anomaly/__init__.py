"""How unusual: telemetry and feature rows to scores, the same in batch, live and in a serving process.

Two kinds of scores, and what becomes of them:

``series`` scores numbers as they come, one at a time, and learns as it goes: ``regression`` (what was to be expected),
``profile`` (what is usual at this time of day), ``novelty`` (have the last values ever looked like this), each turned
by ``tail`` into how rare it is. ``counts`` asks of numbers of events whether fewer or more came than usual. ``many``
is what both have in common: places in arrays, values in order, alarms, snapshots.

``rows`` scores whole feature rows by what was fitted to normal ones: ``columns`` (numbers and words to one scale),
``pca`` and ``isolation_forest``, averaged by rank.

``calibration`` turns either into a number that behaves like a p-value; ``alarms`` decides when to speak, and
``incidents`` merges what belongs together. Everything here is numpy alone; what must be fitted is fitted in
``training.models.anomaly``.
"""
