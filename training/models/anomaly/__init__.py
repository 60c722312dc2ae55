"""Anomaly detection: five detectors of one form, each trained by ``run(home)``.

A detector is a ``Detector`` (``detector.py``): a feature service, the entity that it watches, the raw tables after
whose events it scores a row, and the metrics by the minute, if there are any.

``run.py`` fits normal behaviour (``fit_rows.py``) and, once incidents are labelled, a supervised head
(``supervised.py``). It scores the history (``scores.py``), chooses thresholds for a budget of false incidents
(``threshold.py``), evaluates the newest part (``evaluate.py``) and registers.

The code that scores in serving is in ``transforms.pure.anomaly``.
"""
