"""Forecasting: what comes next, and how sure that is.

A ``Panel`` holds series of one step that end together. A forecaster has ``name``, ``fit(panel, horizon) → itself`` and
``forecast(panel, horizon) → (n, horizon)``; it sees nothing after the panel's end, never changes the panel, and answers
for every series that has a point at all: a short, constant or empty past makes a plain forecast, never a crash.
``fit`` learns what is common to all series (``global_lightgbm``); forecasters that look at one series at a time have
nothing to learn there and do their work in ``forecast``.

``backtest`` asks forecasters at origins of the past, each knowing only what came before; from that the ensembles of
``training.models.ensemble`` learn their weights, and ``conformal`` how wide the intervals must be. ``hierarchy`` makes
track, artist, genre and total add up; ``cold_start`` speaks for tracks that nobody has played.

The uses, each trained on features of a FeatureService, registered, and written back as features:
``trends`` (daily streams of tracks, artists, genres), ``chart_runs`` (weeks on a chart), ``user_behavior`` (activity
and churn), ``capacity`` (load by the hour).
"""
