"""Forecasts of daily streams of tracks, artists, genres and the total (``trend_forecaster``).

1. Histories are pulled through Feast: plays of every track on the day before, at every midnight.
2. Tracks are summed into artists, genres and the total. All nodes make one panel, so that one global model learns from
   all of them. Its further inputs are the calendar and, for tracks, popularity, age and popularity of the artist
   (``track_trend_v1`` as of each origin).
3. Rolling origins: the ensemble and its weights are chosen on validation origins, all of whose days lie before the
   first test origin; intervals come from its errors there. Test origins are evaluated once.
4. Forecasts are reconciled so that they add up. New tracks without plays are forecast from the first days of earlier
   tracks of their artist.
5. A bundle contains the global models as ONNX, the ensemble, the intervals and the release curve. ``forecast`` loads
   it, forecasts from the end of the data and writes the forecasts back as features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.bundle import read_champion
from training.clock import Clock
from training.datasets import Sample, all_keys, training_set
from training.datasets.series import DAY, history, last_full_day
from training.evaluate import forecast_metrics, mase_scale
from training.models.base import FamilyModel
from training.models.forecasting import calendar, report
from training.models.forecasting.backtest import Backtest, Forecaster, backtest
from training.models.forecasting.blend import Blend
from training.models.forecasting.cold_start import AGES, ReleaseCurve
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.forecast_rows import write
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.hierarchy import Hierarchy
from training.models.forecasting.naive import RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.reconcile import Reconciler
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.statistical import INTERMITTENT, THETA
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.validation.evidence import Evidence

NAME, SERVICE = "trend_forecaster", "track_trend_v1"
MOST_UNITS = 2_000
"""Maximal number of tracks whose errors are evidence."""
VIEWS = {
    "track": "track_streams_forecast",
    "artist": "artist_streams_forecast",
    "genre": "genre_streams_forecast",
    "total": "platform_streams_forecast",
}
"""Level → view with the forecasts of the level."""
_TRACK_INPUTS = (
    "log_plays_28d",
    "log_listeners_7d",
    "log_listeners_28d",
    "skip_rate_28d",
    "log_artist_plays_7d",
    "log_artist_plays_28d",
    "platform_growth",
    "explicit",
    "age_days",
)


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        horizon: number of days to forecast.
        rolling: number of origins of validation, and of test.
        stride: days between two origins.
        most_statistical: number of series above which models of single series are left out.
        trees: number of trees of each global model.
        most_rows: maximal number of training rows of a global model; with more, series are sampled.
        seed: seed of the samples.
    """

    horizon: int = 7
    rolling: int = 3
    stride: int = 3
    most_statistical: int = 3_000
    trees: int = 300
    most_rows: int = 600_000
    seed: int = 0

    @property
    def test(self) -> list[int]:
        """Days before the end of each test origin."""
        return [self.horizon + self.stride * number for number in range(self.rolling)]

    @property
    def validation(self) -> list[int]:
        """Days before the end of each validation origin; their horizons end before the first test origin."""
        return [max(self.test) + self.horizon + self.stride * number for number in range(self.rolling)]


@dataclass
class World:
    """Histories and catalogue of all tracks up to a midnight.

    Attributes:
        home: the data folder.
        tracks: identifiers of the tracks.
        values: (tracks, days) plays a day, NaN before the first play.
        end: midnight after the last day.
        artists: artist of each track.
        genres: first genre of each track.
        released: (tracks,) release time in µs since 1970 UTC; NaN if unknown.
        countries: country code → share of the listeners.
    """

    home: Home
    tracks: list[str]
    values: np.ndarray
    end: datetime
    artists: list[str | None]
    genres: list[str | None]
    released: np.ndarray
    countries: dict[str, float]

    @classmethod
    def load(cls, home: Home, end: datetime | None = None) -> "World":
        """Pulls histories and catalogue through Feast."""
        end = end or last_full_day(home)
        names, plays = history(home, "track_plays_v1", "track_popularity__plays_1d", "track_id", end=end)
        spine = all_keys("track_display_v1", None, end, home=home)
        catalogue = training_set("track_display_v1", spine, home=home).data
        row_of = {name: number for number, name in enumerate(names)}
        unplayed = [name for name in catalogue["track_id"].to_list() if name not in row_of]
        values = np.vstack([plays, np.full((len(unplayed), plays.shape[1]), np.nan, np.float32)])
        catalogue_rows = {row["track_id"]: row for row in catalogue.select("track_id", *_DISPLAYED).to_dicts()}
        tracks = [*names, *unplayed]
        rows = [catalogue_rows.get(name, {}) for name in tracks]
        released = _released(home, tracks, end)
        artists = [row.get(_DISPLAYED[0]) for row in rows]
        genres = [(row.get(_DISPLAYED[1]) or [None])[0] for row in rows]
        return cls(home, tracks, values, end, artists, genres, released, _countries(home, end))

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """The hierarchy of tracks, artists, genres and the total."""
        return Hierarchy.of(self.tracks, {"artist": self.artists, "genre": self.genres})

    @cached_property
    def panel(self) -> Panel:
        """The series of all nodes."""
        values = self.hierarchy.sums(self.values)
        return Panel(self.hierarchy.names, values, (7,), self.end)

    def age(self, end: datetime) -> np.ndarray:
        """Computes the days since release: (tracks,)."""
        return (end.timestamp() * 1e6 - self.released) / 86_400e6


_DISPLAYED = ("track_catalogue__artist_id", "track_catalogue__genres")


class TrendInputs:
    """Inputs of the global models besides lags: calendar, level, and features of tracks as of the origin."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._inputs_by_origin: dict[datetime, np.ndarray] = {}
        self._node_of = {name: number for number, name in enumerate(world.panel.ids)}
        self._level_of_node = np.zeros(len(world.panel), np.float32)
        for number, nodes in enumerate(world.hierarchy.levels.values()):
            self._level_of_node[nodes] = number
        self.pulled = Sample({}, {})
        self.rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return (*calendar.NAMES, "level", *_TRACK_INPUTS)

    def pull(self, ends: Sequence[datetime]) -> None:
        """Pulls the features of all tracks as of the given origins in one training set."""
        ends = sorted(set(ends) - set(self._inputs_by_origin))
        if not ends:
            return
        world = self._world
        texts = {"track_id": pl.String, "artist_id": pl.String}
        tracks = pl.DataFrame({"track_id": world.tracks, "artist_id": world.artists}, schema=texts)
        origins = pl.DataFrame({"event_timestamp": ends}, schema={"event_timestamp": pl.Datetime("us", "UTC")})
        spine = origins.join(tracks, how="cross").with_columns(platform_id=pl.lit(world.home.tenant))
        training_data = training_set(SERVICE, spine, home=world.home)
        self.rows += spine.height
        self.pulled = Sample.of(training_data)
        for number, end in enumerate(ends):
            self._inputs_by_origin[end] = _track_inputs(
                training_data.data[number * len(world.tracks) : (number + 1) * len(world.tracks)]
            )

    def __call__(self, panel: Panel, horizon: int) -> np.ndarray:
        """Returns the inputs (n, horizon, k) at the panel's end."""
        self.pull([panel.end])
        calendar_inputs = calendar.days_ahead(panel.end, horizon, self._world.countries)
        nodes = np.array([self._node_of[name] for name in panel.ids], int)
        track_inputs = np.full((len(nodes), len(_TRACK_INPUTS)), np.nan, np.float32)
        is_track = nodes < len(self._world.tracks)
        track_inputs[is_track] = self._inputs_by_origin[panel.end][nodes[is_track]]
        inputs = np.empty((len(nodes), horizon, len(self.names)), np.float32)
        inputs[:, :, : calendar_inputs.shape[1]] = calendar_inputs
        inputs[:, :, calendar_inputs.shape[1]] = self._level_of_node[nodes][:, None]
        inputs[:, :, calendar_inputs.shape[1] + 1 :] = track_inputs[:, None]
        return inputs


def _track_inputs(rows: pl.DataFrame) -> np.ndarray:
    """Computes the inputs of tracks (tracks, len(_TRACK_INPUTS)) from a pulled spine of one origin."""
    values = {name: rows[name].cast(pl.Float64).to_numpy() for name in rows.columns if rows.schema[name].is_numeric()}
    age_days = (rows["event_timestamp"] - rows["track_catalogue__released"]).dt.total_seconds().cast(
        pl.Float64
    ) / 86_400
    daily_plays = values["platform_activity__plays_7d"] / 7
    columns = [
        np.log1p(values["track_popularity__plays_28d"]),
        np.log1p(values["track_popularity__listeners_7d"]),
        np.log1p(values["track_popularity__listeners_28d"]),
        values["track_popularity__skip_rate_28d"],
        np.log1p(values["artist_popularity__plays_7d"]),
        np.log1p(values["artist_popularity__plays_28d"]),
        daily_plays / np.maximum(values["platform_activity__plays_28d"] / 28, 1),
        rows["track_catalogue__explicit"].cast(pl.Float64).to_numpy(),
        np.clip(age_days.to_numpy(), -1, 400),
    ]
    return np.column_stack(columns).astype(np.float32)


def forecasters(future_inputs: TrendInputs, settings: Settings, series: int) -> list[Forecaster]:
    """Builds the members of the ensemble."""
    boosted = GlobalLightGBM(
        trees=settings.trees,
        most_rows=settings.most_rows,
        floor=0.5,
        origins=8,
        stride=max(settings.horizon // 2, 1),
        future_inputs=future_inputs,
        future_input_names=future_inputs.names,
        seed=settings.seed,
    )
    naive: list[Forecaster] = [SeasonalNaive(), SeasonalMean(), RecentMean(7, "mean_7d"), RecentMean(28, "mean_28d")]
    statistical: list[Forecaster] = [THETA, INTERMITTENT] if series <= settings.most_statistical else []
    return [boosted, replace(boosted, name="global_difference", difference=True), *statistical, *naive]


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Trains, evaluates and registers the model. See the module's docstring.

    Raises:
        InputError: there are too few days.
        StoreError: features are not built or not applied.
    """
    settings = settings or Settings()
    clock = Clock(progress, 6)
    world = World.load(home)
    panel = world.panel
    required_days = max(settings.validation) + 2 * settings.horizon
    if panel.steps < required_days:
        raise InputError(
            expected=f"at least {required_days} days of plays for forecasts of {settings.horizon} days",
            found=f"{panel.steps}",
            next_command="python -m transforms import FORMAT PATH  (more days)",
        )
    future_inputs = TrendInputs(world)
    members = forecasters(future_inputs, settings, len(panel))
    future_inputs.pull([*_origins(panel, members[0], [0, *settings.validation, *settings.test], settings.horizon)])
    clock.lap("features")
    names = [forecaster.name for forecaster in members]
    validation = backtest(panel, members, settings.horizon, settings.validation)
    clock.lap("validation")
    blends = _choose_blends(world, validation, names)
    forecasts = _ensemble(world, validation, blends)
    reconciler = Reconciler.fit(world.hierarchy, validation, forecasts)
    forecasts = reconciler.reconcile(world.hierarchy, forecasts, validation.scale)
    conformal = {level: _conformal(validation, forecasts, part) for level, part in world.hierarchy.levels.items()}
    clock.lap("ensemble")
    test = backtest(panel, members, settings.horizon, settings.test)
    metrics, plots = measure(world, test, blends, reconciler, conformal)
    clock.lap("test")
    fitted = [forecaster.fit(panel, settings.horizon) for forecaster in members]
    curve = ReleaseCurve.fit(world.values, world.age(world.end), world.artists)
    boosted = [
        forecaster for forecaster in fitted if isinstance(forecaster, GlobalLightGBM) and forecaster.booster is not None
    ]
    files = {f"{forecaster.name}.onnx": to_onnx(forecaster.booster) for forecaster in boosted}
    extra = {
        "settings": asdict(settings),
        "blends": {level: blend.as_json() for level, blend in blends.items()},
        "reconciler": reconciler.as_json(),
        "conformal": {level: quantiles.as_json() for level, quantiles in conformal.items()},
        "curve": {"curve": curve.curve.tolist(), "everyone": curve.everyone, "pull": curve.pull},
    }
    clock.lap("fit")
    version = register_forecaster(
        home,
        NAME,
        files=files,
        metrics=metrics,
        pulled=future_inputs.pulled,
        inputs=members[0].names(panel),  # type: ignore[attr-defined]
        cutoff=world.end.isoformat(),
        parameters={**asdict(settings), "nodes": len(panel), "days": panel.steps, "trust": reconciler.trust},
        about=_ABOUT,
        extra=extra,
        evidence=_evidence(world, test, blends, reconciler),
    )
    page = report.write(home, NAME, version, metrics, {key: extra[key] for key in ("blends", "reconciler")}, plots)
    clock.lap("registration")
    return ForecastResult(NAME, version, future_inputs.rows, metrics, clock.seconds, page)


def forecast(home: Home) -> dict[str, int]:
    """Forecasts from the end of the data by the champion and writes the forecasts back as features; rows by view.

    Raises:
        BundleError: no version is promoted.
    """
    folder, manifest = read_champion(home, NAME)
    extra = manifest.extra
    settings = Settings(**extra["settings"])
    world = World.load(home)
    members = []
    for forecaster in forecasters(TrendInputs(world), settings, len(world.panel)):
        has_booster = isinstance(forecaster, GlobalLightGBM) and (folder / f"{forecaster.name}.onnx").is_file()
        booster = OnnxBooster((folder / f"{forecaster.name}.onnx").read_bytes()) if has_booster else None
        members.append(replace(forecaster, booster=booster) if isinstance(forecaster, GlobalLightGBM) else forecaster)
    conformal = {level: ConformalQuantiles.from_json(values) for level, values in extra["conformal"].items()}
    curve = extra["curve"]
    forecasts = forecast_levels(
        world,
        members,
        {level: Blend.from_json(values) for level, values in extra["blends"].items()},
        Reconciler.from_json(extra["reconciler"]),
        conformal,
        ReleaseCurve(np.array(curve["curve"]), curve["everyone"], curve["pull"]),
        settings.horizon,
    )
    written = {}
    for level, part in world.hierarchy.levels.items():
        ids = [name.partition(":")[2] for name in world.panel.ids[part]]
        mean, quantiles = forecasts[level]
        written[VIEWS[level]] = write(
            home,
            VIEWS[level],
            [home.tenant] if level == "total" else ids,
            origin=world.end,
            step=DAY,
            steps=range(1, settings.horizon + 1),
            mean=mean,
            quantiles=quantiles,
            model=f"{NAME}:{manifest.version}",
        )
    return written


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
    reconciled = panel.bounded(_ensemble(world, current, blends)[0])
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


def measure(
    world: World,
    test: Backtest,
    blends: Mapping[str, Blend],
    reconciler: Reconciler,
    conformal: Mapping[str, ConformalQuantiles],
) -> tuple[dict[str, dict[str, Metrics]], list[report.ForecastPlot]]:
    """Evaluates on the test origins: level (and new tracks) → forecaster → metrics; and the series to plot."""
    ensemble = _ensemble(world, test, blends)
    reconciled = reconciler.reconcile(world.hierarchy, ensemble, test.scale)
    metrics: dict[str, dict[str, Metrics]] = {}
    plots = []
    for level, part in world.hierarchy.levels.items():
        level_test = test.only(np.arange(len(world.panel))[part])
        quantiles = _quantiles_by_origin(conformal[level], reconciled[:, part], level_test.scale)
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


def _evidence(world: World, test: Backtest, blends: Mapping[str, Blend], reconciler: Reconciler) -> Evidence:
    """Returns the scaled errors of tracks; of many tracks only the most played."""
    reconciled = reconciler.reconcile(world.hierarchy, _ensemble(world, test, blends), test.scale)
    tracks = np.arange(len(world.panel))[world.hierarchy.levels["track"]]
    recent_plays = np.nan_to_num(world.panel.values[tracks][:, -28:]).sum(axis=1)
    chosen = np.sort(tracks[np.argsort(-recent_plays, kind="stable")[:MOST_UNITS]])
    panel = replace(
        world.panel, ids=[world.panel.ids[node] for node in chosen.tolist()], values=world.panel.values[chosen]
    )
    return test.only(chosen).evidence(reconciled[:, chosen], panel, ["seasonal_naive", "mean_28d"])


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


def _quantiles_by_origin(
    conformal: ConformalQuantiles, forecasts: np.ndarray, scale: np.ndarray
) -> dict[float, np.ndarray]:
    by_origin = [
        conformal.quantiles(forecast, origin_scale) for forecast, origin_scale in zip(forecasts, scale, strict=True)
    ]
    return {level: np.stack([quantiles[level] for quantiles in by_origin]) for level in conformal.levels}


def _conformal(validation: Backtest, forecasts: np.ndarray, part: slice) -> ConformalQuantiles:
    steps = validation.truth.shape[2]
    truth, forecast = (values[:, part].reshape(-1, steps) for values in (validation.truth, forecasts))
    return ConformalQuantiles().fit(truth, forecast, validation.scale[:, part].reshape(-1))


def _choose_blends(world: World, validation: Backtest, names: Sequence[str]) -> dict[str, Blend]:
    """Chooses a blend for each level; genres and the total share one, because they are few series."""
    nodes = np.arange(len(world.panel))
    top = np.concatenate([nodes[world.hierarchy.levels[level]] for level in ("genre", "total")])
    shared = Blend.choose(validation.only(top), names)
    lower = {
        level: Blend.choose(validation.only(nodes[world.hierarchy.levels[level]]), names)
        for level in ("track", "artist")
    }
    return {**lower, "genre": shared, "total": shared}


def _ensemble(world: World, result: Backtest, blends: Mapping[str, Blend]) -> np.ndarray:
    """Combines the forecasts of each level by its blend: (o, nodes, h)."""
    nodes = np.arange(len(world.panel))
    parts = [blends[level].of(result.only(nodes[part])) for level, part in world.hierarchy.levels.items()]
    return np.concatenate(parts, axis=1)


def _origins(panel: Panel, boosted: Any, backs: Sequence[int], horizon: int) -> list[datetime]:
    """Returns every origin at which the global model needs features."""
    inner = [horizon + boosted.stride * number for number in range(boosted.origins)]
    all_backs = {back + further for back in backs for further in (0, *inner)}
    return [panel.back(back).end for back in sorted(all_backs) if back < panel.steps - 1]


def _released(home: Home, tracks: list[str], end: datetime) -> np.ndarray:
    spine = pl.DataFrame({"track_id": tracks}).with_columns(
        event_timestamp=pl.lit(end), artist_id=pl.lit(None, pl.String), platform_id=pl.lit(home.tenant)
    )
    released = training_set(SERVICE, spine, home=home).data["track_catalogue__released"]
    return released.dt.timestamp("us").cast(pl.Float64).to_numpy()


def _countries(home: Home, end: datetime) -> dict[str, float]:
    """Computes the share of the listeners by country, of the ten largest."""
    spine = all_keys("user_behavior_v1", None, end, home=home)
    countries = training_set("user_behavior_v1", spine, home=home).data["user_profile__country"].drop_nulls()
    counts = countries.value_counts().sort("count", "user_profile__country", descending=True)[:10]
    return {str(code): count / countries.len() for code, count in counts.iter_rows()}


_ABOUT = (
    "Plays a day of tracks, artists, genres and all together: an ensemble chosen on validation, reconciled so that "
    "tracks add up to artists, genres and the total; intervals from its errors. Tracks that nobody has played yet are "
    "forecast from how tracks of their artist began."
)


MODEL = FamilyModel(
    name=NAME,
    family="forecasting",
    about="Plays of tracks, artists, genres and of everybody, day by day, four weeks ahead.",
    services=(
        SERVICE,
        "track_plays_v1",
    ),
    writes=tuple(VIEWS.values()),
    program=run,
    forecast=forecast,
)
