"""Forecasting of series, with prediction intervals.

A ``Panel`` contains series with a common step and a common end. A forecaster has ``name``, ``fit(panel, horizon)``,
which returns a forecaster, and ``forecast(panel, horizon) → (n, horizon)``. It uses nothing after the panel's end,
never changes the panel, and forecasts every series: with a short, constant or empty past the forecast is a naive one,
never an error. ``fit`` learns what is common to all series (``global_lightgbm``); models of single series learn
nothing there and do their work in ``forecast``.

``backtest`` forecasts from past origins with only the data before each. From its errors the ensembles of
``training.models.ensemble`` learn their weights, and ``conformal`` the width of the intervals. ``hierarchy`` reconciles
track, artist, genre and total; ``cold_start`` forecasts new tracks without plays.

The applications, each trained on features of a FeatureService, registered, and written back as features:
``trends`` (daily streams of tracks, artists, genres), ``chart_runs`` (weeks on a chart), ``user_behavior`` (activity
and churn), ``capacity`` (load by the hour).
"""
