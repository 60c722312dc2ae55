"""Forecasts of every level of the hierarchy: an ensemble for each level, its intervals, and their reconciliation."""

from collections.abc import Mapping, Sequence

import numpy as np

from training.evaluate import mase_scale
from training.models.forecasting.backtest import Backtest, Forecaster
from training.models.forecasting.blend import Blend
from training.models.forecasting.cold_start import ReleaseCurve
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.reconcile import Reconciler
from training.models.forecasting.trend_histories import World


def forecast_levels(
    world: World,
    members: Sequence[Forecaster],
    blends: Mapping[str, Blend],
    reconciler: Reconciler,
    conformal: Mapping[str, ConformalQuantiles],
    curve: ReleaseCurve,
    horizon: int,
) -> dict[str, tuple[np.ndarray, dict[float, np.ndarray]]]:
    """Forecasts every level at the end of the histories: level → reconciled means (n, horizon) and their quantiles."""
    panel = world.panel
    forecasts = {member.name: member.forecast(panel, horizon)[None] for member in members}
    scale = mase_scale(panel.values, panel.season)
    no_truth = np.full((1, len(panel), horizon), np.nan)
    current = Backtest(forecasts, no_truth, scale[None], np.array([panel.steps]))
    reconciled = panel.bounded(combine_by_level(world, current, blends)[0])
    tracks = world.hierarchy.levels["track"]
    unplayed = panel.lengths[tracks] == 0
    artist_level = curve.level(world.values, world.artists)
    age_days = world.age(world.end)
    # tracks without plays long after their release are not expected to be played
    new_track_forecasts = (
        curve.forecast(artist_level, age_days, horizon) * ((age_days >= -1) & (age_days < len(curve.curve)))[:, None]
    )
    reconciled[tracks] = np.where(unplayed[:, None], new_track_forecasts, reconciled[tracks])
    reconciled = reconciler.reconcile(world.hierarchy, reconciled[None], scale[None])[0]
    levels = world.hierarchy.levels
    return {
        level: (reconciled[part], conformal[level].quantiles(reconciled[part], scale[part]))
        for level, part in levels.items()
    }


def choose_blends(world: World, validation: Backtest, names: Sequence[str]) -> dict[str, Blend]:
    """Chooses a blend for each level; genres and the total share one, because they are few series."""
    nodes = np.arange(len(world.panel))
    top = np.concatenate([nodes[world.hierarchy.levels[level]] for level in ("genre", "total")])
    shared = Blend.choose(validation.only(top), names)
    lower = {
        level: Blend.choose(validation.only(nodes[world.hierarchy.levels[level]]), names)
        for level in ("track", "artist")
    }
    return {**lower, "genre": shared, "total": shared}


def combine_by_level(world: World, result: Backtest, blends: Mapping[str, Blend]) -> np.ndarray:
    """Combines the forecasts of each level by its blend: (o, nodes, h)."""
    nodes = np.arange(len(world.panel))
    parts = [blends[level].of(result.only(nodes[part])) for level, part in world.hierarchy.levels.items()]
    return np.concatenate(parts, axis=1)


def fit_intervals(validation: Backtest, forecasts: np.ndarray, part: slice) -> ConformalQuantiles:
    """Fits the intervals of one level to the errors of its forecasts on validation."""
    steps = validation.truth.shape[2]
    truth, forecast = (values[:, part].reshape(-1, steps) for values in (validation.truth, forecasts))
    return ConformalQuantiles().fit(truth, forecast, validation.scale[:, part].reshape(-1))


def quantiles_by_origin(
    conformal: ConformalQuantiles, forecasts: np.ndarray, scale: np.ndarray
) -> dict[float, np.ndarray]:
    """Computes quantiles of the forecasts (o, n, h) of every origin: level of the quantile → (o, n, h)."""
    by_origin = [
        conformal.quantiles(forecast, origin_scale) for forecast, origin_scale in zip(forecasts, scale, strict=True)
    ]
    return {level: np.stack([quantiles[level] for quantiles in by_origin]) for level in conformal.levels}
