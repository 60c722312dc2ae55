"""Evaluates forecasts of trends on test origins: metrics by level and of new tracks, and errors as evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from training.datasets.series import DAY
from training.evaluate import forecast_metrics
from training.models.forecasting import report
from training.models.forecasting.backtest import Backtest, Forecaster
from training.models.forecasting.blend import Blend
from training.models.forecasting.cold_start import AGES, ReleaseCurve
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.permuted import permuted_forecasts
from training.models.forecasting.reconcile import Reconciler
from training.models.forecasting.result import Metrics
from training.models.forecasting.trend_ensemble import combine_by_level, quantiles_by_origin
from training.models.forecasting.trend_histories import World
from training.validation.evidence import Evidence

MOST_UNITS = 2_000
"""Maximal number of tracks whose errors are evidence."""


def measure(
    world: World,
    test: Backtest,
    blends: Mapping[str, Blend],
    reconciler: Reconciler,
    conformal: Mapping[str, ConformalQuantiles],
) -> tuple[dict[str, dict[str, Metrics]], list[report.ForecastPlot]]:
    """Evaluates on the test origins: level (and new tracks) → forecaster → metrics; and the series to plot."""
    ensemble = combine_by_level(world, test, blends)
    reconciled = reconciler.reconcile(world.hierarchy, ensemble, test.scale)
    metrics: dict[str, dict[str, Metrics]] = {}
    plots = []
    for level, part in world.hierarchy.levels.items():
        level_test = test.only(np.arange(len(world.panel))[part])
        quantiles = quantiles_by_origin(conformal[level], reconciled[:, part], level_test.scale)
        by_forecaster: dict[str, Metrics] = {"reconciled": level_test.metrics(reconciled[:, part], quantiles)}
        by_forecaster["ensemble"] = level_test.metrics(ensemble[:, part])
        by_forecaster |= {name: level_test.metrics(values) for name, values in level_test.forecasts.items()}
        metrics[level] = by_forecaster
        busiest = np.argsort(-np.nan_to_num(world.panel.values[part][:, -28:]).sum(axis=1), kind="stable")[:2]
        for number in busiest.tolist():
            node = range(len(world.panel))[part][number]
            plots.append(
                report.ForecastPlot(
                    world.panel.ids[node],
                    world.panel.values[node][-60:],
                    int(world.panel.steps - test.origins[0]),
                    reconciled[0, node],
                    {name: values[0, number] for name, values in quantiles.items()},
                )
            )
    metrics["new tracks"] = new_tracks(world, test, ensemble)
    return metrics, plots


def new_tracks(world: World, test: Backtest, ensemble: np.ndarray) -> dict[str, Metrics]:
    """Evaluates tracks released lately and without plays at a test origin, beside simple forecasts.

    Errors are scaled by the mean plays of such tracks.
    """
    tracks, horizon = world.hierarchy.levels["track"], test.truth.shape[2]
    by_forecaster: dict[str, list[np.ndarray]] = {"from_likes": [], "ensemble": [], "mean_of_all": [], "truth": []}
    for origin, steps in enumerate(test.origins.tolist()):
        past = world.values[:, :steps]
        age_days = world.age(world.end - (world.values.shape[1] - steps) * DAY)
        is_new = ~np.isfinite(past).any(axis=1) & (age_days >= 0) & (age_days < AGES)
        curve = ReleaseCurve.fit(past, age_days, world.artists)
        by_forecaster["from_likes"].append(curve.forecast(curve.level(past, world.artists), age_days, horizon)[is_new])
        by_forecaster["ensemble"].append(ensemble[origin, tracks][is_new])
        by_forecaster["mean_of_all"].append(np.full((int(is_new.sum()), horizon), curve.everyone))
        by_forecaster["truth"].append(np.nan_to_num(world.values[is_new, steps : steps + horizon]))
    truth = np.concatenate(by_forecaster.pop("truth"))
    scale = np.full(len(truth), max(float(truth.mean()), 1e-9) if truth.size else 1.0)
    return {name: forecast_metrics(truth, np.concatenate(parts), scale) for name, parts in by_forecaster.items()}


def evidence_of_tracks(
    world: World,
    test: Backtest,
    blends: Mapping[str, Blend],
    reconciler: Reconciler,
    members: Sequence[Forecaster],
    backs: Sequence[int],
) -> Evidence:
    """Returns the scaled errors of tracks; of many tracks only the most played.

    Args:
        world: the histories.
        test: backtest at the test origins.
        blends: ensemble of each level.
        reconciler: makes the levels add up.
        members: forecasters of the ensembles, for the floor.
        backs: test origins in days before the end.
    """
    reconciled = reconciler.reconcile(world.hierarchy, combine_by_level(world, test, blends), test.scale)
    tracks = np.arange(len(world.panel))[world.hierarchy.levels["track"]]
    recent_plays = np.nan_to_num(world.panel.values[tracks][:, -28:]).sum(axis=1)
    chosen = np.sort(tracks[np.argsort(-recent_plays, kind="stable")[:MOST_UNITS]])
    panel = replace(
        world.panel, ids=[world.panel.ids[node] for node in chosen.tolist()], values=world.panel.values[chosen]
    )
    floor = permuted_forecasts(panel, members, blends["track"], test.truth.shape[2], backs)
    return test.only(chosen).evidence(reconciled[:, chosen], panel, ["seasonal_naive", "mean_28d"], floor)
