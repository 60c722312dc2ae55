"""Forecasts of the series of a file, by the best of several forecasters or an ensemble of them.

Rolling origins: the last part of the series is the test, at origins a horizon apart; the origins before it are the
validation, on which an ensemble is chosen (``Blend``) and intervals are learned (``ConformalQuantiles``). The test is
measured once, beside the seasonal naive; then everything is fitted to all steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from refrain.own_file.result import FEWEST, Result, Section, Verdict, figures_table, verdict_of
from refrain.own_file.series import OwnSeries, Request, read_series
from refrain.own_file.steps import DAY, Step
from refrain.own_file.table import OwnFile
from training.evaluate import mase_scale
from training.models.forecasting.backtest import Backtest, Forecaster, backtest
from training.models.forecasting.blend import Blend, segment_of
from training.models.forecasting.conformal import LEVELS, ConformalQuantiles
from training.models.forecasting.global_lightgbm import GLOBAL_CHANGE, GLOBAL_LOG_CHANGE, GlobalLightGBM
from training.models.forecasting.hierarchy import Hierarchy
from training.models.forecasting.naive import LastValue, RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.reconcile import Reconciler
from training.models.forecasting.statistical import CES, ETS, INTERMITTENT, MSTL, THETA
from transforms.pure import svg

PLAIN = "seasonal_naive"
"""Name of the plain model."""
VALIDATION_ORIGINS, LEAST_HISTORY, TREES = 4, 8, 150
LARGE, VERY_LARGE = 100_000, 3_000_000
"""Values to fit (of all series at all origins) beyond which the slower statistical members are left out, and all."""
PICTURES, PAST = 12, 4
"""Series that are drawn, and horizons of the past that are drawn before a forecast."""
SINGLE = "series"
"""Name of the lowest level."""
UNCHANGING = "no series changes before the test, so that no error can be measured"


@dataclass(frozen=True)
class Origins:
    """Origins in steps before the end.

    Attributes:
        validation: those to choose on, the newest first.
        test: those to measure on, the newest first; each a horizon apart.
    """

    validation: list[int]
    test: list[int]

    @classmethod
    def of(cls, steps: int, series: int, horizon: int) -> "Origins":
        """Lays out origins; none where the series are too short for one of each."""
        usable = (steps - LEAST_HISTORY) // horizon
        if usable < 2:
            return cls([], [])
        wanted = max(math.ceil(FEWEST / series), 2)  # a series at an origin is a test case
        tests = int(np.clip(usable // 3, 1, wanted))
        validations = int(np.clip(usable - tests, 1, max(VALIDATION_ORIGINS, 16 // series)))
        backs = [horizon * number for number in range(1, tests + validations + 1)]
        return cls(backs[tests:], backs[:tests])


@dataclass(frozen=True)
class Chosen:
    """A choice on validation.

    Attributes:
        blend: the ensemble or the single forecaster.
        conformal: level of the hierarchy → intervals, by the errors on validation.
        reconciler: makes the forecasts of a hierarchy add up; None without a hierarchy.
    """

    blend: Blend
    conformal: Mapping[str, ConformalQuantiles]
    reconciler: Reconciler | None


def forecast_file(
    file: OwnFile, request: Request, *, horizon: int, seed: int = 0, progress: Progress = silent
) -> Result:
    """Forecasts the series of a file.

    Args:
        file: the file.
        request: which columns and steps.
        horizon: number of steps ahead.
        seed: seed of the models.
        progress: callback of the progress.

    Returns:
        The result; its answers have ``level``, ``series``, ``time``, ``forecast`` and the ends of the 80 % and 95 %
        intervals, which are null where too little is known for intervals.

    Raises:
        InputError: the file has no series that can be read; a hierarchy of negative values.
    """
    own = read_series(file, request)
    hierarchy = _hierarchy(own)
    panel = own.panel if hierarchy is None else _nodes(own, hierarchy)
    levels = {SINGLE: slice(0, len(panel))} if hierarchy is None else hierarchy.levels
    origins = Origins.of(panel.steps, len(panel), horizon)
    if not origins.test:
        return _unmeasured(file, own, panel, levels, horizon)
    work = int(panel.lengths.sum()) * (len(origins.test) + len(origins.validation))
    members, left_out = _members(panel, own.step, work, seed)
    count = len(origins.validation) + len(origins.test) + 1

    def part(first: int, size: int) -> Progress:
        def report(done: float, total: float, note: str = "") -> None:
            progress(first + size * done / max(total, 1), count, note)

        return report

    missing = own.missing if hierarchy is None else (hierarchy.summing @ own.missing.astype(np.float32)) > 0
    past = backtest(panel, members, horizon, origins.validation, progress=part(0, len(origins.validation)))
    past = _without(past, missing)
    if not past.measurable.any():
        return _unmeasured(file, own, panel, levels, horizon, UNCHANGING)
    chosen = _choose(past, [member.name for member in members], hierarchy, levels, panel)
    test = backtest(panel, members, horizon, origins.test, progress=part(len(origins.validation), len(origins.test)))
    test = _without(test, missing)
    test_forecasts = _combined(test, chosen, hierarchy, panel)
    kind = chosen.blend.kind
    name = kind if kind in test.forecasts else f"ensemble ({kind})"
    quantiles = _quantiles(test_forecasts, test.scale, chosen.conformal, levels, panel.nonnegative)
    figures = _figures(test, test_forecasts, name)
    evidence = test.evidence(test_forecasts, panel, [PLAIN])
    verdict = (
        verdict_of(evidence, PLAIN, is_baseline=kind == PLAIN)
        if test.measurable.any()
        else Verdict("undecided", UNCHANGING)
    )
    final_forecasts, final = _final(panel, members, chosen, hierarchy, levels, horizon, (past, test, test_forecasts))
    progress(count, count, "done")
    coverage = ", ".join(
        f"{level} % intervals held {share:.0%}" for level, share in _coverage(test.truth, quantiles).items()
    )
    lines = [
        *file.lines,
        *own.lines,
        *([left_out] if left_out else []),
        f"chosen on {len(origins.validation)} origins of validation: {name}; measured once at {len(origins.test)} "
        f"{'origin' if len(origins.test) == 1 else 'origins'} after them, {horizon} steps each",
        f"intervals on the test: {coverage}",
    ]
    sections = [
        Section(
            "Models on the test",
            (
                "Mean absolute scaled error (1 is the seasonal naive within the history) and sMAPE, lower is better. "
                f"The choice was made on validation alone; the plain model is {PLAIN}.",
            ),
            figures_table(figures, name),
        ),
        Section("Forecasts", figures=_pictures(own, panel, levels, final_forecasts, final, horizon)),
    ]
    answers = _answers(own, panel, levels, final_forecasts, final, horizon)
    return Result(f"Forecast of {file.path.name}, {horizon} steps", lines, verdict, sections, answers)


def _without(measured: Backtest, missing: np.ndarray) -> Backtest:
    """The backtest without the truth of steps whose values are missing and filled."""
    truth = measured.truth.copy()
    for number, origin in enumerate(measured.origins.tolist()):
        ahead = missing[:, origin : origin + truth.shape[2]]
        truth[number][:, : ahead.shape[1]][ahead] = np.nan
    return replace(measured, truth=truth)


def _hierarchy(own: OwnSeries) -> Hierarchy | None:
    if not own.groups:
        return None
    if not own.panel.nonnegative:
        raise InputError(
            expected="values of 0 or more for a hierarchy, whose forecasts add up",
            found="negative values",
            next_command="repeat the command without --hierarchy",
        )
    return Hierarchy.of(own.panel.ids, own.groups, SINGLE)


def _nodes(own: OwnSeries, hierarchy: Hierarchy) -> Panel:
    return replace(own.panel, ids=hierarchy.names, values=hierarchy.sums(own.panel.values))


def _members(panel: Panel, step: Step, work: int, seed: int) -> tuple[list[Forecaster], str]:
    """The forecasters that fit the size of the data, and which were left out."""
    members: list[Forecaster] = [LastValue(), SeasonalNaive(), RecentMean(max(2 * panel.season, 4))]
    if panel.seasons:
        members.append(SeasonalMean())
    if panel.nonnegative and np.mean(panel.values[np.isfinite(panel.values)] == 0) > 0.3:
        members.append(INTERMITTENT)
    if int(panel.lengths.sum()) >= 500:
        members.append(GlobalLightGBM(trees=TREES, seed=seed))
        if step.months or step.micros >= DAY:  # within a day the hour says more than the last value
            members += [replace(member, trees=TREES, seed=seed) for member in (GLOBAL_CHANGE, GLOBAL_LOG_CHANGE)]
    slow = [ETS, CES, *([MSTL] if panel.seasons else [])]
    if work > VERY_LARGE:
        return members, f"left out, as {work:,} values are to be fitted: theta, ets, ces, mstl"
    if work > LARGE:
        return [*members, THETA], f"left out, as {work:,} values are to be fitted: ets, ces, mstl"
    return [*members, THETA, *slow], ""


def _choose(
    past: Backtest, names: Sequence[str], hierarchy: Hierarchy | None, levels: Mapping[str, slice], panel: Panel
) -> Chosen:
    blend = Blend.choose(past, names)
    forecasts = panel.bounded(blend.of(past))
    reconciler = None
    if hierarchy is not None:
        reconciler = Reconciler.fit(hierarchy, past, forecasts)
        forecasts = reconciler.reconcile(hierarchy, forecasts, past.scale)
    return Chosen(blend, _intervals([(past, forecasts)], levels), reconciler)


def _intervals(
    parts: Sequence[tuple[Backtest, np.ndarray]], levels: Mapping[str, slice]
) -> dict[str, ConformalQuantiles]:
    """Learns the intervals of each level from the errors of backtests."""
    steps = parts[0][1].shape[2]
    result = {}
    for level, nodes in levels.items():
        truth = np.concatenate([past.truth[:, nodes].reshape(-1, steps) for past, _ in parts])
        forecast = np.concatenate([forecasts[:, nodes].reshape(-1, steps) for _, forecasts in parts])
        scale = np.concatenate([past.scale[:, nodes].reshape(-1) for past, _ in parts])
        result[level] = ConformalQuantiles().fit(truth, forecast, scale)
    return result


def _combined(test: Backtest, chosen: Chosen, hierarchy: Hierarchy | None, panel: Panel) -> np.ndarray:
    """(o, n, h) forecasts of the chosen ensemble, reconciled."""
    forecasts = panel.bounded(chosen.blend.of(test))
    if hierarchy is None or chosen.reconciler is None:
        return forecasts
    return chosen.reconciler.reconcile(hierarchy, forecasts, test.scale)


def _quantiles(
    forecasts: np.ndarray,
    scale: np.ndarray,
    conformal: Mapping[str, ConformalQuantiles],
    levels: Mapping[str, slice],
    nonnegative: bool,
) -> dict[float, np.ndarray]:
    """Quantile level → (o, n, h)."""
    result = {level: np.empty_like(forecasts) for level in LEVELS}
    for name, nodes in levels.items():
        for origin, forecast in enumerate(forecasts[:, nodes]):
            at_origin = conformal[name].quantiles(forecast, scale[origin, nodes], nonnegative=nonnegative)
            for level, values in at_origin.items():
                result[level][origin, nodes] = values
    return result


def _coverage(truth: np.ndarray, quantiles: Mapping[float, np.ndarray]) -> dict[int, float]:
    known = np.isfinite(truth)
    ends = {95: (LEVELS[0], LEVELS[-1]), 80: (LEVELS[1], LEVELS[-2])}
    return {
        name: float(np.mean(((truth >= quantiles[low]) & (truth <= quantiles[high]))[known]))
        for name, (low, high) in ends.items()
    }


def _figures(test: Backtest, forecasts: np.ndarray, name: str) -> dict[str, dict[str, float]]:
    all_forecasts = {**test.forecasts, name: forecasts}
    metrics = {model: test.metrics(values) for model, values in all_forecasts.items()}
    rows = {model: {"MASE": values.mase, "sMAPE": values.smape} for model, values in metrics.items()}
    return dict(sorted(rows.items(), key=lambda item: item[1]["MASE"]))


def _final(
    panel: Panel,
    members: Sequence[Forecaster],
    chosen: Chosen,
    hierarchy: Hierarchy | None,
    levels: Mapping[str, slice],
    horizon: int,
    measured: tuple[Backtest, Backtest, np.ndarray],
) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """(n, h) forecasts at the end, and quantiles that learned from validation and test."""
    past, test, test_forecasts = measured
    used = [member for member in members if _weighs(chosen.blend, member.name)]
    forecasts = {member.name: member.fit(panel, horizon).forecast(panel, horizon) for member in used}
    forecasts |= {member.name: forecasts[used[0].name] for member in members if member.name not in forecasts}
    scale = mase_scale(panel.values, panel.season)
    middle = np.median(np.stack(list(forecasts.values())), axis=0).mean(axis=1)
    combined = panel.bounded(chosen.blend.combine(forecasts, scale, segment_of(middle, scale)))
    if hierarchy is not None and chosen.reconciler is not None:
        combined = chosen.reconciler.reconcile(hierarchy, combined[None], scale[None])[0]
    parts = [(past, _combined(past, chosen, hierarchy, panel)), (test, test_forecasts)]
    quantiles = _quantiles(combined[None], scale[None], _intervals(parts, levels), levels, panel.nonnegative)
    return combined, {level: values[0] for level, values in quantiles.items()}


def _weighs(blend: Blend, name: str) -> bool:
    """Whether the forecasts of a member can enter the ensemble."""
    if blend.kind in ("mean", "median", "selection", "stacking"):
        return True
    weights: Mapping[str, float] = getattr(blend.ensemble, "weights", {})
    return bool(weights.get(name))


def _unmeasured(
    file: OwnFile,
    own: OwnSeries,
    panel: Panel,
    levels: Mapping[str, slice],
    horizon: int,
    why: str = "",
) -> Result:
    """The answers of the plain model, of which nothing could be measured."""
    needed = LEAST_HISTORY + 2 * horizon
    why = why or f"{panel.steps} steps are too few to choose and to measure {horizon} steps ahead: {needed} are needed"
    forecasts = panel.bounded(SeasonalNaive().forecast(panel, horizon))
    lines = [*file.lines, *own.lines, f"not measured: {why}; the answers repeat the last season or the last value"]
    answers = _answers(own, panel, levels, forecasts, {}, horizon)
    sections = [Section("Forecasts", figures=_pictures(own, panel, levels, forecasts, {}, horizon))]
    title = f"Forecast of {file.path.name}, {horizon} steps"
    return Result(title, lines, Verdict("undecided", why), sections, answers)


def _node_scale(own: OwnSeries, panel: Panel) -> np.ndarray:
    """(n,) factor of the values of each node; all nodes of a hierarchy share one."""
    return own.scale if len(own.scale) == len(panel) and not own.groups else np.full(len(panel), own.scale[0])


def _answers(
    own: OwnSeries,
    panel: Panel,
    levels: Mapping[str, slice],
    forecasts: np.ndarray,
    quantiles: Mapping[float, np.ndarray],
    horizon: int,
) -> pl.DataFrame:
    scale = _node_scale(own, panel)[:, None]
    level = [name for name, nodes in levels.items() for _ in panel.ids[nodes]]
    names = [name.removeprefix(f"{of}:") if own.groups else name for of, name in zip(level, panel.ids, strict=True)]
    times = [own.step.moment(own.last + step) for step in range(1, horizon + 1)]
    columns = {
        "level": np.repeat(level, horizon),
        "series": np.repeat(names, horizon),
        "time": times * len(panel),
        "forecast": (forecasts * scale).reshape(-1),
    }
    ends = {"lower_95": LEVELS[0], "lower_80": LEVELS[1], "upper_80": LEVELS[-2], "upper_95": LEVELS[-1]}
    for name, end in ends.items():
        values = (quantiles[end] * scale).reshape(-1) if quantiles else [None] * len(panel) * horizon
        columns[name] = values
    schema: dict[str, pl.DataType] = {"time": pl.Datetime("us", "UTC"), **dict.fromkeys(ends, pl.Float64())}
    frame = pl.DataFrame(columns, schema_overrides=schema)
    return frame if own.groups else frame.drop("level")


def _pictures(
    own: OwnSeries,
    panel: Panel,
    levels: Mapping[str, slice],
    forecasts: np.ndarray,
    quantiles: Mapping[float, np.ndarray],
    horizon: int,
) -> list[str]:
    """Charts of the first series, the highest level first: the past, the forecast and its 80 % interval."""
    scale = _node_scale(own, panel)
    order = [node for nodes in reversed(list(levels.values())) for node in range(len(panel))[nodes]][:PICTURES]
    pictures = []
    for node in order:
        past = (panel.values[node, -PAST * horizon :] * scale[node]).tolist()
        before = [None] * (len(past) - 1)
        ahead = [
            [*before, past[-1], *(values[node] * scale[node]).tolist()]
            for values in (forecasts, *(quantiles[level] for level in (LEVELS[1], LEVELS[-2]) if quantiles))
        ]
        names = ("past", "forecast", "lower 80 %", "upper 80 %")[: 1 + len(ahead)]
        pictures.append(svg.lines(panel.ids[node], [past, *ahead], names))
    return pictures
