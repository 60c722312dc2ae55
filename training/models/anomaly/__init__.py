"""What is unusual: five detectors on one contract, each with ``run(home)``.

A detector is a ``Detector`` (``detector.py``): a feature service, whom it is about, when its rows are looked at, and,
where there are metrics that come by the minute, those.

``run.py`` fits what is normal (``fit_rows.py``), a supervised head once incidents are labelled (``supervised.py``),
chooses thresholds for a stated number of false incidents (``threshold.py``), measures on the newest part and registers.
What scores afterwards lies in ``transforms.pure.anomaly``.
"""
