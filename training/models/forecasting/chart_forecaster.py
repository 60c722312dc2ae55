"""Runs on weekly charts, end to end (``chart_forecaster``).

For each chart: spines of origins and places to come, features of ``chart_run_v1`` as of each origin, a model fitted on
what was known a year before the end and measured on that year once, then one fitted on everything. ``forecast`` speaks
for every title that is or lately was on a chart, as of the newest one.
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
from training.datasets.chart_weeks import grids, spine
from training.evaluate import forecast_metrics, probability_metrics
from training.models.base import FamilyModel
from training.models.forecasting import report
from training.models.forecasting.chart_runs import INPUTS, SERVICE, ChartRuns, charting
from training.models.forecasting.place_distribution import PlaceDistribution
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.written import QUANTILES, write
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.validation.evidence import OURS, Evidence, together
from transforms.batch.features.chart_grid import DAY, ChartGrid
from transforms.batch.features.track_chart import AHEAD

NAME, VIEW = "chart_forecaster", "track_chart_forecast"
YEAR = 52


@dataclass(frozen=True)
class Settings:
    """What a run may vary.

    Attributes:
        years: of origins to learn from.
        trees: of each model.
    """

    years: int = 12
    trees: int = 200


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Train, measure and register. See the module's docstring.

    Raises:
        InputError: too few weeks.
        StoreError: there are no charts, or features are not built or not applied.
    """
    settings = settings or Settings()
    charts = _charts(home)
    clock = Clock(progress, 2 * len(charts) + 1)
    metrics: dict[str, dict[str, Metrics]] = {}
    files: dict[str, bytes] = {}
    extra: dict[str, Any] = {"settings": asdict(settings), "charts": {}}
    shown: list[report.Shown | report.Reliability] = []
    rows, pulled, cutoff = 0, Sample({}, {}), 0
    evidence: list[Evidence] = []
    for name, grid in charts.items():
        weeks = grid.places.shape[1]
        test = weeks - YEAR if weeks > 3 * YEAR else weeks - weeks // 4
        oldest = max(weeks - settings.years * YEAR, 0)
        recent = max(test - YEAR - max(AHEAD), oldest)
        found = training_set(SERVICE, spine(grid, [*range(oldest, recent, 2), *range(recent, weeks)], AHEAD), home=home)
        data, pulled, rows = found.data, Sample.of(found), rows + found.data.height
        clock.lap(f"{name} features")
        honest = ChartRuns(grid.size, settings.trees).fit(data, test - 1)
        fresh = data.filter(pl.col("week") >= test)
        metrics |= measure(name, honest, fresh)
        evidence.append(places_evidence(name, honest, fresh))
        shown += reliabilities(name, honest, fresh)
        final = ChartRuns(grid.size, settings.trees).fit(data, weeks - 1)
        extra["charts"][name] = {str(ahead): model.constants() for ahead, model in final.places.items()}
        for ahead, model in final.places.items():
            files |= {f"{name}-{ahead}w-{part}.onnx": to_onnx(one) for part, one in model.boosters().items()}
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
        evidence=together(evidence),
    )
    page = report.write(home, NAME, version, metrics, {"settings": asdict(settings)}, shown)
    clock.lap("registration")
    return ForecastResult(NAME, version, rows, metrics, clock.seconds, page)


def measure(chart: str, model: ChartRuns, rows: pl.DataFrame) -> dict[str, dict[str, Metrics]]:
    """What is forecast → forecaster → figures, on rows of a pulled spine.

    Places are measured with one beyond the last for off; their error is scaled by that of the last value.
    """
    found: dict[str, dict[str, Metrics]] = {}
    for ahead in model.ahead:
        known = rows.filter(pl.col(f"rank_{ahead}w").is_not_null())
        if not known.height:
            continue
        said, truth, on = model.predict(known, ahead), known[f"rank_{ahead}w"].to_numpy(), charting(known)
        off = model.size + 1
        place, now = np.where(truth > 0, truth, off), np.where(on, known["rank"].to_numpy(), off)
        told = known[f"track_chart__year_ago_{ahead}w"].to_numpy()
        year_ago = np.where(told > 0, told, off)
        scale = np.full(int(on.sum()), max(float(np.abs(now - place)[on].mean()), 1e-9))
        forecasts = {"chart_runs": said.quantile(0.5), "last_value": now, "seasonal_naive": year_ago}
        what = f"{chart} place {ahead}w"
        reached = place[on, None].astype(float)
        found[what] = {name: forecast_metrics(reached, one[on, None], scale) for name, one in forecasts.items()}
        still = on & (truth > 0)
        quantiles = {level: said.if_on(level)[still, None] for level in QUANTILES}
        found[what]["chart_runs if on"] = forecast_metrics(
            place[still, None].astype(float), said.if_on(0.5)[still, None], scale[: int(still.sum())], quantiles
        )
        for question, some in (("stays", on), ("comes back", ~on)):
            found[f"{chart} {question} {ahead}w"] = {
                "chart_runs": probability_metrics(truth[some] > 0, said.chance[some]),
                "last_value": probability_metrics(truth[some] > 0, on[some].astype(float)),
                "seasonal_naive": probability_metrics(truth[some] > 0, (year_ago[some] < off).astype(float)),
            }
    return found


def places_evidence(chart: str, model: ChartRuns, rows: pl.DataFrame) -> Evidence:
    """How many places off, of the titles that are on the chart, beside the last place; those of a title together."""
    units, clusters, errors = [], [], {OURS: [], "last_value": []}  # type: ignore[var-annotated]
    for ahead in model.ahead:
        known = rows.filter(pl.col(f"rank_{ahead}w").is_not_null() & (pl.col("rank") > 0))
        if not known.height:
            continue
        truth, off = known[f"rank_{ahead}w"].to_numpy(), model.size + 1
        place = np.where(truth > 0, truth, off)
        errors[OURS].append(np.abs(model.predict(known, ahead).quantile(0.5) - place))
        errors["last_value"].append(np.abs(known["rank"].to_numpy() - place))
        titles, weeks = known["track_id"].to_list(), known["event_timestamp"].dt.date().to_list()
        units += [f"{chart}|{title}|{week}|{ahead}w" for title, week in zip(titles, weeks, strict=True)]
        clusters += titles
    values = {who: np.concatenate(told) if told else np.empty(0) for who, told in errors.items()}
    return Evidence.of("places_off", units, values, clusters=clusters)


def reliabilities(chart: str, model: ChartRuns, rows: pl.DataFrame) -> list[report.Shown | report.Reliability]:
    """The chances of titles on the chart to stay, and of the others to come back, beside what came."""
    found: list[report.Shown | report.Reliability] = []
    for ahead in model.ahead:
        known = rows.filter(pl.col(f"rank_{ahead}w").is_not_null())
        truth, on, chance = known[f"rank_{ahead}w"].to_numpy() > 0, charting(known), model.predict(known, ahead).chance
        for question, some in (("stays", on), ("comes back", ~on)):
            if some.any():
                found.append(report.Reliability(f"{chart}: {question}, {ahead} weeks", truth[some], chance[some]))
    return found


def forecast(home: Home) -> dict[str, int]:
    """What the champion says as of the newest charts, written back as features; rows by view.

    Raises:
        BundleError: nothing is promoted.
        StoreError: there are no charts.
    """
    folder, manifest = read_champion(home, NAME)
    written = 0
    parts: dict[int, list[tuple[list[str], dict[str, np.ndarray]]]] = {}
    for name, grid in _charts(home).items():
        if name not in manifest.extra["charts"]:
            continue
        model = _loaded(folder, name, grid, manifest.extra["charts"][name])
        week = grid.places.shape[1] - 1
        rows = training_set(SERVICE, spine(grid, [week], AHEAD), home=home).data
        said = [model.predict(rows, ahead) for ahead in AHEAD]
        between = np.arange(0.05, 1, 0.1)
        columns = {column: np.column_stack([one.if_on(level) for one in said]) for level, column in QUANTILES.items()}
        columns["mean"] = np.column_stack([np.mean([one.if_on(level) for level in between], axis=0) for one in said])
        columns["chance"] = np.column_stack([one.chance for one in said])
        parts.setdefault(int(grid.dates[week]) + DAY, []).append((rows["track_id"].to_list(), columns))
    for moment, pieces in parts.items():
        ids = [name for names, _ in pieces for name in names]
        together = {column: np.concatenate([told[column] for _, told in pieces]) for column in pieces[0][1]}
        written += write(
            home,
            VIEW,
            ids,
            origin=datetime.fromtimestamp(moment / 1e6, UTC),
            step=timedelta(weeks=1),
            steps=AHEAD,
            mean=together["mean"],
            quantiles={level: together[column] for level, column in QUANTILES.items()},
            chance=together["chance"],
            model=f"{NAME}:{manifest.version}",
        )
    return {VIEW: written}


def _loaded(folder: Path, chart: str, grid: ChartGrid, constants: dict[str, Any]) -> ChartRuns:
    model = ChartRuns(grid.size)
    for ahead, told in constants.items():
        content = {part: (folder / f"{chart}-{ahead}w-{part}.onnx").read_bytes() for part in ("on", "middle", "spread")}
        parts: dict[str, Any] = {part: OnnxBooster(one) for part, one in content.items()}
        model.places[int(ahead)] = PlaceDistribution(
            told["size"],
            **parts,
            platt=tuple(told["platt"]),
            errors=np.array(told["errors"]),
            warp=np.array(told["warp"]),
        )
    return model


def _charts(home: Home) -> dict[str, ChartGrid]:
    found = grids(home)
    if not found:
        raise StoreError(
            expected="charts in the raw table chart_entries",
            found="none",
            next_command="python -m transforms import billboard PATH && python -m transforms build",
        )
    return dict(sorted(found.items()))


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
