"""Targets of forecasts: an ensemble and each of its members, from changed histories of whole panels.

Every forecaster is fitted to the true past before an origin, and forecasts from the changed one: what is measured is
how a forecast follows a history that is wrong, not what is learned from one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from training.evaluate import mase_scale
from training.models.forecasting.backtest import Backtest, Forecaster, backtest
from training.models.forecasting.blend import Blend
from training.models.forecasting.panel import Panel
from training.robustness.target import Target


def panel_targets(
    panel: Panel,
    forecasters: Sequence[Forecaster],
    horizon: int,
    *,
    validation: Sequence[int],
    test: Sequence[int],
    judged: str,
) -> list[Target[np.ndarray]]:
    """Makes the target of the ensemble that validation chooses, and of each member; units are series at origins.

    Args:
        panel: all series.
        forecasters: the members.
        horizon: steps to forecast.
        validation: origins that choose the ensemble, in steps before the end.
        test: origins that are asked about.
        judged: what was learned from, and what is asked.
    """
    names = [one.name for one in forecasters]
    blend = Blend.choose(backtest(panel, forecasters, horizon, validation), names)
    pasts = [panel.back(back) for back in test]
    fitted = [{one.name: one.fit(past, horizon) for one in forecasters} for past in pasts]
    scales = [mase_scale(past.values, panel.season) for past in pasts]
    truths = [panel.truth(back, horizon) for back in test]
    units = [
        (origin, row)
        for origin, past in enumerate(pasts)
        for row in range(len(panel))
        if past.lengths[row] and np.isfinite(scales[origin][row]) and np.isfinite(truths[origin][row]).all()
    ]
    histories = [pasts[origin].values[row] for origin, row in units]

    def errors(changed: Any, numbers: np.ndarray, member: str) -> np.ndarray:
        result = np.full(len(numbers), np.nan)
        for origin, past in enumerate(pasts):
            places = [place for place, number in enumerate(numbers) if units[number][0] == origin]
            if not places:
                continue
            values, rows = past.values.copy(), [units[numbers[place]][1] for place in places]
            for place, row in zip(places, rows, strict=True):
                values[row] = changed[place]
            attacked = replace(past, values=values)
            needed = [member] if member else list(blend.members)
            forecasts = {name: fitted[origin][name].forecast(attacked, horizon)[None] for name in needed}
            if member:
                forecast = forecasts[member][0]
            else:
                no_truth = np.full((1, len(panel), horizon), np.nan)
                current = Backtest(forecasts, no_truth, scales[origin][None], np.array([past.steps]))
                forecast = blend.of(current)[0]
            error = np.abs(panel.bounded(forecast) - truths[origin]).mean(axis=1) / scales[origin]
            result[places] = error[rows]
        return -result

    def target(member: str) -> Target[np.ndarray]:
        return Target(
            "series",
            histories,
            lambda changed, numbers: errors(changed, numbers, member),
            "scaled_error",
            graded=True,
            higher_is_better=False,
            clusters=np.array([row if len(panel) > 1 else origin for origin, row in units]),
            judged=f"{judged} The ensemble is {blend.kind}.",
            part=f"member {member}" if member else "",
        )

    return [target(""), *(target(name) for name in names)]
