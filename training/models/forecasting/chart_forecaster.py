"""Trains, evaluates and applies the forecaster of weekly charts (``chart_forecaster``).

For each chart the spine has a row for each title and origin, with its later places as labels, and the features of
``chart_run_v1`` as of the origin. One model is fitted on the data up to a year before the end and evaluated once on
that year; a second one is fitted on everything. ``forecast`` covers every title that is or lately was on a chart, as of
the newest chart.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import StoreError
from feature_repo.home import Home
from training.bundle import read_champion
from training.clock import Clock
from training.datasets import Sample, training_set
from training.datasets.chart_weeks import grids, of_chart, spine
from training.evaluate import forecast_metrics, probability_metrics
from training.models.base import FamilyModel
from training.models.forecasting import report
from training.models.forecasting.chart_runs import INPUTS, SERVICE, ChartRuns, charting
from training.models.forecasting.forecast_rows import QUANTILES, write
from training.models.forecasting.place_distribution import PlaceDistribution
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence, combine
from transforms.batch.features.chart_grid import DAY, ChartGrid
from transforms.batch.features.track_chart import AHEAD

NAME, VIEW = "chart_forecaster", "track_chart_forecast"
YEAR = 52
PERMUTED_ROWS = 20_000
"""Maximal number of training rows whose places are permuted for the floor."""


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        years: years of origins to train on.
        trees: number of trees of each model.
    """

    years: int = 12
    trees: int = 200


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Trains, evaluates and registers the model. See the module's docstring.

    Raises:
        InputError: there are too few weeks.
        StoreError: there are no charts, or features are not built or not applied.
    """
    settings = settings or Settings()
    charts = load_charts(home)
    clock = Clock(progress, 2 * len(charts) + 1)
    metrics: dict[str, dict[str, Metrics]] = {}
    files: dict[str, bytes] = {}
    extra: dict[str, Any] = {"settings": asdict(settings), "charts": {}}
    plots: list[report.ForecastPlot | report.Reliability] = []
    rows, pulled, cutoff = 0, Sample({}, {}), 0
    evidence: list[Evidence] = []
    for name, grid in charts.items():
        weeks = grid.places.shape[1]
        test = weeks - YEAR if weeks > 3 * YEAR else weeks - weeks // 4
        oldest = max(weeks - settings.years * YEAR, 0)
        recent = max(test - YEAR - max(AHEAD), oldest)
        training_data = training_set(
            SERVICE, spine(grid, [*range(oldest, recent, 2), *range(recent, weeks)], AHEAD), home=home
        )
        data, pulled = of_chart(training_data.data, name), Sample.of(training_data)
        rows += data.height
        clock.lap(f"{name} features")
        test_model = ChartRuns(grid.size, settings.trees).fit(data, test - 1)
        test_rows = data.filter(pl.col("week") >= test)
        metrics |= measure(name, test_model, test_rows)
        floor = ChartRuns(grid.size, settings.trees).fit(permuted_places(data, test - 1), test - 1)
        evidence.append(places_evidence(name, test_model, test_rows, floor))
        plots += reliabilities(name, test_model, test_rows)
        final_model = ChartRuns(grid.size, settings.trees).fit(data, weeks - 1)
        extra["charts"][name] = {str(ahead): model.constants() for ahead, model in final_model.places.items()}
        for ahead, model in final_model.places.items():
            files |= {f"{name}-{ahead}w-{part}.onnx": to_onnx(booster) for part, booster in model.boosters().items()}
        cutoff = max(cutoff, int(grid.dates.max()))
        clock.lap(f"{name} models")
    version = register_forecaster(
        home,
        NAME,
        files=files,
        metrics=metrics,
        pulled=pulled,
        inputs=list(INPUTS),
        cutoff=datetime.fromtimestamp(cutoff / 1e6, UTC).isoformat(),
        parameters={**asdict(settings), "charts": ", ".join(charts)},
        about=_ABOUT,
        extra=extra,
        evidence=combine(evidence),
    )
    page = report.write(home, NAME, version, metrics, {"settings": asdict(settings)}, plots)
    clock.lap("registration")
    return ForecastResult(NAME, version, rows, metrics, clock.seconds, page)


def measure(chart: str, model: ChartRuns, rows: pl.DataFrame) -> dict[str, dict[str, Metrics]]:
    """Evaluates on rows of a pulled spine: forecast target → forecaster → metrics.

    A title off the chart counts as one place below the last. Errors are scaled by those of the last value.
    """
    metrics: dict[str, dict[str, Metrics]] = {}
    for ahead in model.ahead:
        evaluated = rows.filter(pl.col(f"rank_{ahead}w").is_not_null())
        if not evaluated.height:
            continue
        distribution, truth, on_chart = (
            model.predict(evaluated, ahead),
            evaluated[f"rank_{ahead}w"].to_numpy(),
            charting(evaluated),
        )
        off_place = model.size + 1
        place, current_place = (
            np.where(truth > 0, truth, off_place),
            np.where(on_chart, evaluated["rank"].to_numpy(), off_place),
        )
        year_ago_rank = evaluated[f"track_chart__year_ago_{ahead}w"].to_numpy()
        year_ago = np.where(year_ago_rank > 0, year_ago_rank, off_place)
        scale = np.full(int(on_chart.sum()), max(float(np.abs(current_place - place)[on_chart].mean()), 1e-9))
        forecasts = {"chart_runs": distribution.quantile(0.5), "last_value": current_place, "seasonal_naive": year_ago}
        target = f"{chart} place {ahead}w"
        actual = place[on_chart, None].astype(float)
        metrics[target] = {
            name: forecast_metrics(actual, forecast[on_chart, None], scale) for name, forecast in forecasts.items()
        }
        stayed = on_chart & (truth > 0)
        quantiles = {level: distribution.if_on(level)[stayed, None] for level in QUANTILES}
        metrics[target]["chart_runs if on"] = forecast_metrics(
            place[stayed, None].astype(float),
            distribution.if_on(0.5)[stayed, None],
            scale[: int(stayed.sum())],
            quantiles,
        )
        for question, mask in (("stays", on_chart), ("comes back", ~on_chart)):
            metrics[f"{chart} {question} {ahead}w"] = {
                "chart_runs": probability_metrics(truth[mask] > 0, distribution.chance[mask]),
                "last_value": probability_metrics(truth[mask] > 0, on_chart[mask].astype(float)),
                "seasonal_naive": probability_metrics(truth[mask] > 0, (year_ago[mask] < off_place).astype(float)),
            }
    return metrics


def permuted_places(rows: pl.DataFrame, until: int, *, most: int = PERMUTED_ROWS, seed: int = 0) -> pl.DataFrame:
    """Draws rows of the weeks up to ``until``, whose later places are those of other rows in a drawn order."""
    past = rows.filter(pl.col("week") <= until)
    rng = np.random.default_rng(seed)
    sampled = past[np.sort(rng.permutation(past.height)[:most])]
    columns = []
    for ahead in AHEAD:
        labels = sampled[f"rank_{ahead}w"]
        usable = np.flatnonzero((labels.is_not_null() & (sampled["week"] + ahead <= until)).to_numpy())
        columns.append(labels.scatter(usable, labels.gather(rng.permutation(usable))))
    return sampled.with_columns(columns)


def places_evidence(chart: str, model: ChartRuns, rows: pl.DataFrame, floor: ChartRuns) -> Evidence:
    """Returns absolute errors in places for titles on the chart, clustered by title.

    Beside the model stand the last value, and ``floor``, which was fitted to permuted places.
    """
    units, clusters, errors = [], [], {MODEL_KEY: [], "last_value": [], PERMUTED: []}  # type: ignore[var-annotated]
    for ahead in model.ahead:
        evaluated = rows.filter(pl.col(f"rank_{ahead}w").is_not_null() & (pl.col("rank") > 0))
        if not evaluated.height:
            continue
        truth, off_place = evaluated[f"rank_{ahead}w"].to_numpy(), model.size + 1
        place = np.where(truth > 0, truth, off_place)
        for name, fitted in ((MODEL_KEY, model), (PERMUTED, floor)):
            errors[name].append(np.abs(fitted.predict(evaluated, ahead).quantile(0.5) - place))
        errors["last_value"].append(np.abs(evaluated["rank"].to_numpy() - place))
        titles, weeks = evaluated["track_id"].to_list(), evaluated["event_timestamp"].dt.date().to_list()
        units += [f"{chart}|{title}|{week}|{ahead}w" for title, week in zip(titles, weeks, strict=True)]
        clusters += titles
    values = {forecaster: np.concatenate(parts) if parts else np.empty(0) for forecaster, parts in errors.items()}
    return Evidence.of("places_off", units, values, clusters=clusters)


def reliabilities(chart: str, model: ChartRuns, rows: pl.DataFrame) -> list[report.ForecastPlot | report.Reliability]:
    """Returns reliability plots: the chance that titles on the chart stay, and that others come back."""
    plots: list[report.ForecastPlot | report.Reliability] = []
    for ahead in model.ahead:
        evaluated = rows.filter(pl.col(f"rank_{ahead}w").is_not_null())
        truth, on_chart, chance = (
            evaluated[f"rank_{ahead}w"].to_numpy() > 0,
            charting(evaluated),
            model.predict(evaluated, ahead).chance,
        )
        for question, mask in (("stays", on_chart), ("comes back", ~on_chart)):
            if mask.any():
                plots.append(report.Reliability(f"{chart}: {question}, {ahead} weeks", truth[mask], chance[mask]))
    return plots


def forecast(home: Home) -> dict[str, int]:
    """Forecasts as of the newest charts by the champion and writes the forecasts back as features; rows by view.

    Raises:
        BundleError: no version is promoted.
        StoreError: there are no charts.
    """
    folder, manifest = read_champion(home, NAME)
    written = 0
    parts_by_moment: dict[int, list[tuple[list[str], dict[str, np.ndarray]]]] = {}
    for chart, grid in load_charts(home).items():
        if chart not in manifest.extra["charts"]:
            continue
        model = _load_model(folder, chart, grid, manifest.extra["charts"][chart])
        week = grid.places.shape[1] - 1
        rows = of_chart(training_set(SERVICE, spine(grid, [week], AHEAD), home=home).data, chart)
        distributions = [model.predict(rows, ahead) for ahead in AHEAD]
        mean_levels = np.arange(0.05, 1, 0.1)
        columns = {
            column: np.column_stack([distribution.if_on(level) for distribution in distributions])
            for level, column in QUANTILES.items()
        }
        columns["mean"] = np.column_stack(
            [np.mean([distribution.if_on(level) for level in mean_levels], axis=0) for distribution in distributions]
        )
        columns["chance"] = np.column_stack([distribution.chance for distribution in distributions])
        parts_by_moment.setdefault(int(grid.dates[week]) + DAY, []).append((rows["track_id"].to_list(), columns))
    for moment, chart_parts in parts_by_moment.items():
        ids = [title for titles, _ in chart_parts for title in titles]
        joined = {column: np.concatenate([values[column] for _, values in chart_parts]) for column in chart_parts[0][1]}
        written += write(
            home,
            VIEW,
            ids,
            origin=datetime.fromtimestamp(moment / 1e6, UTC),
            step=timedelta(weeks=1),
            steps=AHEAD,
            mean=joined["mean"],
            quantiles={level: joined[column] for level, column in QUANTILES.items()},
            chance=joined["chance"],
            model=f"{NAME}:{manifest.version}",
        )
    return {VIEW: written}


def _load_model(folder: Path, chart: str, grid: ChartGrid, constants: dict[str, Any]) -> ChartRuns:
    model = ChartRuns(grid.size)
    for ahead, values in constants.items():
        content = {part: (folder / f"{chart}-{ahead}w-{part}.onnx").read_bytes() for part in ("on", "middle", "spread")}
        parts: dict[str, Any] = {part: OnnxBooster(model_bytes) for part, model_bytes in content.items()}
        model.places[int(ahead)] = PlaceDistribution(
            values["size"],
            **parts,
            platt=tuple(values["platt"]),
            errors=np.array(values["errors"]),
            warp=np.array(values["warp"]),
        )
    return model


def load_charts(home: Home) -> dict[str, ChartGrid]:
    """Loads the grid of every chart, by name.

    Raises:
        StoreError: there are no charts.
    """
    charts = grids(home)
    if not charts:
        raise StoreError(
            expected="charts in the raw table chart_entries",
            found="none",
            next_command="refrain import billboard PATH && refrain build",
        )
    return dict(sorted(charts.items()))


_ABOUT = (
    "Weekly charts: the chance that a title is on the chart in 1, 4 and 13 weeks, and its place if it is, for every "
    "title that was on it within two years. Intervals are those of the place if it is on the chart. A title that never "
    "was on a chart is not forecast."
)


MODEL = FamilyModel(
    name=NAME,
    family="forecasting",
    about="Places on weekly charts in 1, 4 and 13 weeks.",
    services=(SERVICE,),
    raw=("chart_entries",),
    writes=(VIEW,),
    program=run,
    forecast=forecast,
)
