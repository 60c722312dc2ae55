"""Training: from spine and feature service to registered models.

- Takes: a spine (keys, moments, labels) and a feature service; ``datasets`` pulls point-in-time-correct training sets.
- Returns: model bundles with evidence, a gate decision and a card, registered in MLflow; forecasts and vectors as
  feature tables.
- Promises: time-based splits; tuning on validation, one report on the test; no version serves that fails a gate. Never
  imports ``inference``. ``models`` has one algorithm a file.
"""
