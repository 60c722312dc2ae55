"""Daily streams of tracks, artists, genres and all together (``trend_forecaster``).

1. Histories are pulled through Feast: plays of every track on the day before, at every midnight.
2. Tracks are summed into artists, genres and the total; all nodes make one panel, so that one global model learns from
   all of them, with the calendar, and of tracks how they are heard, how old they are and how their artist does
   (``track_trend_v1`` as of each origin).
3. Rolling origins: the ensemble and its weights are chosen on validation origins, all of whose days lie before the
   first test origin; intervals come from its errors there. Test origins are measured once.
4. Forecasts are reconciled so that they add up. Tracks that nobody has played yet are forecast from their likes.
5. A bundle holds the global models as ONNX, the ensemble, the intervals and the release curve. ``forecast`` speaks
   from it at the end of the data and writes the answers back as features.
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
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.hierarchy import Hierarchy
from training.models.forecasting.naive import RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.reconcile import Reconciler
from training.models.forecasting.result import ForecastResult, Metrics, register_forecaster
from training.models.forecasting.statistical import INTERMITTENT, THETA
from training.models.forecasting.written import write
from training.models.lightgbm_onnx import OnnxBooster, to_onnx
from training.validation.evidence import Evidence

NAME, SERVICE = "trend_forecaster", "track_trend_v1"
MOST_UNITS = 2_000
"""Tracks whose errors are kept as evidence."""
VIEWS = {
    "track": "track_streams_forecast",
    "artist": "artist_streams_forecast",
    "genre": "genre_streams_forecast",
    "total": "platform_streams_forecast",
}
"""Level → view of its forecasts."""
_OF_TRACKS = (
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
    """What a run may vary.

    Attributes:
        horizon: days ahead.
        rolling: origins of validation, and of test.
        stride: days between them.
        most_statistical: series above which one-series-at-a-time models are left out.
        trees: of the global models.
        most_rows: that one of them learns from at once; beyond, series are drawn.
        seed: of their draws.
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
        """Likewise of validation; their days end before the first test origin."""
        return [max(self.test) + self.horizon + self.stride * number for number in range(self.rolling)]


@dataclass
class World:
    """Everything that is known.

    Attributes:
        home: the data folder.
        tracks: their names.
        values: (tracks, days) plays, NaN before the first.
        end: the midnight after the last day.
        artists: of each track.
        genres: of each track, the first named.
        released: of each track, microseconds since 1970, NaN if not told.
        countries: share of listeners.
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
        """Pull it through Feast."""
        end = end or last_full_day(home)
        names, told = history(home, "track_plays_v1", "track_popularity__plays_1d", "track_id", end=end)
        spine = all_keys("track_display_v1", None, end, home=home)
        catalogue = training_set("track_display_v1", spine, home=home).data
        place = {name: number for number, name in enumerate(names)}
        unheard = [name for name in catalogue["track_id"].to_list() if name not in place]
        values = np.vstack([told, np.full((len(unheard), told.shape[1]), np.nan, np.float32)])
        of = {row["track_id"]: row for row in catalogue.select("track_id", *_DISPLAYED).to_dicts()}
        tracks = [*names, *unheard]
        rows = [of.get(name, {}) for name in tracks]
        released = _released(home, tracks, end)
        artists = [row.get(_DISPLAYED[0]) for row in rows]
        genres = [(row.get(_DISPLAYED[1]) or [None])[0] for row in rows]
        return cls(home, tracks, values, end, artists, genres, released, _countries(home, end))

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """Tracks, artists, genres, total."""
        return Hierarchy.of(self.tracks, {"artist": self.artists, "genre": self.genres})

    @cached_property
    def panel(self) -> Panel:
        """All nodes."""
        values = self.hierarchy.sums(self.values)
        return Panel(self.hierarchy.names, values, (7,), self.end)

    def age(self, end: datetime) -> np.ndarray:
        """(tracks,) days since release."""
        return (end.timestamp() * 1e6 - self.released) / 86_400e6


_DISPLAYED = ("track_catalogue__artist_id", "track_catalogue__genres")


class Known:
    """Inputs of the global models besides the lags: the calendar, the level, and of tracks their features by origin."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._at: dict[datetime, np.ndarray] = {}
        self._place = {name: number for number, name in enumerate(world.panel.ids)}
        self._level = np.zeros(len(world.panel), np.float32)
        for number, part in enumerate(world.hierarchy.levels.values()):
            self._level[part] = number
        self.pulled = Sample({}, {})
        self.rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs."""
        return (*calendar.NAMES, "level", *_OF_TRACKS)

    def pull(self, ends: Sequence[datetime]) -> None:
        """The features of all tracks as of some origins, at once."""
        ends = sorted(set(ends) - set(self._at))
        if not ends:
            return
        world = self._world
        texts = {"track_id": pl.String, "artist_id": pl.String}
        tracks = pl.DataFrame({"track_id": world.tracks, "artist_id": world.artists}, schema=texts)
        moments = pl.DataFrame({"event_timestamp": ends}, schema={"event_timestamp": pl.Datetime("us", "UTC")})
        spine = moments.join(tracks, how="cross").with_columns(platform_id=pl.lit(world.home.tenant))
        found = training_set(SERVICE, spine, home=world.home)
        self.rows += spine.height
        self.pulled = Sample.of(found)
        for number, end in enumerate(ends):
            self._at[end] = _of_tracks(found.data[number * len(world.tracks) : (number + 1) * len(world.tracks)])

    def __call__(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon, k) at the panel's end."""
        self.pull([panel.end])
        days = calendar.days_ahead(panel.end, horizon, self._world.countries)
        place = np.array([self._place[name] for name in panel.ids], int)
        told = np.full((len(place), len(_OF_TRACKS)), np.nan, np.float32)
        tracks = place < len(self._world.tracks)
        told[tracks] = self._at[panel.end][place[tracks]]
        made = np.empty((len(place), horizon, len(self.names)), np.float32)
        made[:, :, : days.shape[1]] = days
        made[:, :, days.shape[1]] = self._level[place][:, None]
        made[:, :, days.shape[1] + 1 :] = told[:, None]
        return made


def _of_tracks(rows: pl.DataFrame) -> np.ndarray:
    """(tracks, len(_OF_TRACKS)) from a pulled spine of one origin."""
    get = {name: rows[name].cast(pl.Float64).to_numpy() for name in rows.columns if rows.schema[name].is_numeric()}
    age = (rows["event_timestamp"] - rows["track_catalogue__released"]).dt.total_seconds().cast(pl.Float64) / 86_400
    weekly = get["platform_activity__plays_7d"] / 7
    columns = [
        np.log1p(get["track_popularity__plays_28d"]),
        np.log1p(get["track_popularity__listeners_7d"]),
        np.log1p(get["track_popularity__listeners_28d"]),
        get["track_popularity__skip_rate_28d"],
        np.log1p(get["artist_popularity__plays_7d"]),
        np.log1p(get["artist_popularity__plays_28d"]),
        weekly / np.maximum(get["platform_activity__plays_28d"] / 28, 1),
        rows["track_catalogue__explicit"].cast(pl.Float64).to_numpy(),
        np.clip(age.to_numpy(), -1, 400),
    ]
    return np.column_stack(columns).astype(np.float32)


def forecasters(known: Known, settings: Settings, series: int) -> list[Forecaster]:
    """Whom the ensemble is made of."""
    learned = GlobalLightGBM(
        trees=settings.trees,
        most_rows=settings.most_rows,
        floor=0.5,
        origins=8,
        stride=max(settings.horizon // 2, 1),
        known=known,
        known_names=known.names,
        seed=settings.seed,
    )
    plain: list[Forecaster] = [SeasonalNaive(), SeasonalMean(), RecentMean(7, "mean_7d"), RecentMean(28, "mean_28d")]
    statistical: list[Forecaster] = [THETA, INTERMITTENT] if series <= settings.most_statistical else []
    return [learned, replace(learned, name="global_difference", difference=True), *statistical, *plain]


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> ForecastResult:
    """Train, measure and register. See the module's docstring.

    Raises:
        InputError: too few days.
        StoreError: features are not built or not applied.
    """
    settings = settings or Settings()
    clock = Clock(progress, 6)
    world = World.load(home)
    panel = world.panel
    enough = max(settings.validation) + 2 * settings.horizon
    if panel.steps < enough:
        raise InputError(
            expected=f"at least {enough} days of plays for forecasts of {settings.horizon} days",
            found=f"{panel.steps}",
            next_command="python -m transforms import FORMAT PATH  (more days)",
        )
    known = Known(world)
    members = forecasters(known, settings, len(panel))
    known.pull([*_origins(panel, members[0], [0, *settings.validation, *settings.test], settings.horizon)])
    clock.lap("features")
    names = [one.name for one in members]
    past = backtest(panel, members, settings.horizon, settings.validation)
    clock.lap("validation")
    blends = _choose(world, past, names)
    said = _ensemble(world, past, blends)
    reconciler = Reconciler.fit(world.hierarchy, past, said)
    said = reconciler.of(world.hierarchy, said, past.scale)
    conformal = {level: _conformal(past, said, part) for level, part in world.hierarchy.levels.items()}
    clock.lap("ensemble")
    test = backtest(panel, members, settings.horizon, settings.test)
    metrics, shown = measure(world, test, blends, reconciler, conformal)
    clock.lap("test")
    fitted = [one.fit(panel, settings.horizon) for one in members]
    curve = ReleaseCurve.fit(world.values, world.age(world.end), world.artists)
    learned = [one for one in fitted if isinstance(one, GlobalLightGBM) and one.booster is not None]
    files = {f"{one.name}.onnx": to_onnx(one.booster) for one in learned}
    extra = {
        "settings": asdict(settings),
        "blends": {level: one.as_json() for level, one in blends.items()},
        "reconciler": reconciler.as_json(),
        "conformal": {level: one.as_json() for level, one in conformal.items()},
        "curve": {"curve": curve.curve.tolist(), "everyone": curve.everyone, "pull": curve.pull},
    }
    clock.lap("fit")
    version = register_forecaster(
        home,
        NAME,
        files=files,
        metrics=metrics,
        pulled=known.pulled,
        inputs=members[0].names(panel),  # type: ignore[attr-defined]
        cutoff=world.end.isoformat(),
        parameters={**asdict(settings), "nodes": len(panel), "days": panel.steps, "trust": reconciler.trust},
        about=_ABOUT,
        extra=extra,
        evidence=_evidence(world, test, blends, reconciler),
    )
    page = report.write(home, NAME, version, metrics, {key: extra[key] for key in ("blends", "reconciler")}, shown)
    clock.lap("registration")
    return ForecastResult(NAME, version, known.rows, metrics, clock.seconds, page)


def forecast(home: Home) -> dict[str, int]:
    """What the champion says from the end of the data on, written back as features; rows by view.

    Raises:
        BundleError: nothing is promoted.
    """
    folder, manifest = read_champion(home, NAME)
    extra = manifest.extra
    settings = Settings(**extra["settings"])
    world = World.load(home)
    members = []
    for one in forecasters(Known(world), settings, len(world.panel)):
        loaded = isinstance(one, GlobalLightGBM) and (folder / f"{one.name}.onnx").is_file()
        booster = OnnxBooster((folder / f"{one.name}.onnx").read_bytes()) if loaded else None
        members.append(replace(one, booster=booster) if isinstance(one, GlobalLightGBM) else one)
    conformal = {level: ConformalQuantiles.from_json(told) for level, told in extra["conformal"].items()}
    curve = extra["curve"]
    made = speak(
        world,
        members,
        {level: Blend.from_json(told) for level, told in extra["blends"].items()},
        Reconciler.from_json(extra["reconciler"]),
        conformal,
        ReleaseCurve(np.array(curve["curve"]), curve["everyone"], curve["pull"]),
        settings.horizon,
    )
    written = {}
    for level, part in world.hierarchy.levels.items():
        ids = [name.partition(":")[2] for name in world.panel.ids[part]]
        mean, quantiles = made[level]
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


def speak(
    world: World,
    members: Sequence[Forecaster],
    blends: Mapping[str, Blend],
    reconciler: Reconciler,
    conformal: Mapping[str, ConformalQuantiles],
    curve: ReleaseCurve,
    horizon: int,
) -> dict[str, tuple[np.ndarray, dict[float, np.ndarray]]]:
    """Level → forecasts (n, horizon) that add up, and their quantiles, at the end of the world's histories."""
    panel = world.panel
    forecasts = {one.name: one.forecast(panel, horizon)[None] for one in members}
    scale = mase_scale(panel.values, panel.season)
    unknown = np.full((1, len(panel), horizon), np.nan)
    now = Backtest(forecasts, unknown, scale[None], np.array([panel.steps]))
    said = panel.bounded(_ensemble(world, now, blends)[0])
    tracks = world.hierarchy.levels["track"]
    unheard = panel.lengths[tracks] == 0
    level = curve.level(world.values, world.artists)
    age = world.age(world.end)
    # nothing of a track that is out for long and was never played speaks for plays to come
    likes = curve.forecast(level, age, horizon) * ((age >= -1) & (age < len(curve.curve)))[:, None]
    said[tracks] = np.where(unheard[:, None], likes, said[tracks])
    said = reconciler.of(world.hierarchy, said[None], scale[None])[0]
    levels = world.hierarchy.levels
    return {name: (said[part], conformal[name].quantiles(said[part], scale[part])) for name, part in levels.items()}


def measure(
    world: World,
    test: Backtest,
    blends: Mapping[str, Blend],
    reconciler: Reconciler,
    conformal: Mapping[str, ConformalQuantiles],
) -> tuple[dict[str, dict[str, Metrics]], list[report.Shown]]:
    """Level, and new tracks → forecaster → figures over the test origins; and what to draw."""
    ensemble = _ensemble(world, test, blends)
    said = reconciler.of(world.hierarchy, ensemble, test.scale)
    metrics: dict[str, dict[str, Metrics]] = {}
    shown = []
    for level, part in world.hierarchy.levels.items():
        mine = test.only(np.arange(len(world.panel))[part])
        quantiles = _at_each(conformal[level], said[:, part], mine.scale)
        of: dict[str, Metrics] = {"reconciled": mine.metrics(said[:, part], quantiles)}
        of["ensemble"] = mine.metrics(ensemble[:, part])
        of |= {name: mine.metrics(values) for name, values in mine.forecasts.items()}
        metrics[level] = of
        busiest = np.argsort(-np.nan_to_num(world.panel.values[part][:, -28:]).sum(axis=1), kind="stable")[:2]
        for number in busiest.tolist():
            node = range(len(world.panel))[part][number]
            shown.append(
                report.Shown(
                    world.panel.ids[node],
                    world.panel.values[node][-60:],
                    int(world.panel.steps - test.origins[0]),
                    said[0, node],
                    {name: values[0, number] for name, values in quantiles.items()},
                )
            )
    metrics["new tracks"] = new_tracks(world, test, ensemble)
    return metrics, shown


def _evidence(world: World, test: Backtest, blends: Mapping[str, Blend], reconciler: Reconciler) -> Evidence:
    """Of tracks, the ones that were played most if they are many."""
    said = reconciler.of(world.hierarchy, _ensemble(world, test, blends), test.scale)
    tracks = np.arange(len(world.panel))[world.hierarchy.levels["track"]]
    played = np.nan_to_num(world.panel.values[tracks][:, -28:]).sum(axis=1)
    chosen = np.sort(tracks[np.argsort(-played, kind="stable")[:MOST_UNITS]])
    panel = replace(
        world.panel, ids=[world.panel.ids[node] for node in chosen.tolist()], values=world.panel.values[chosen]
    )
    return test.only(chosen).evidence(said[:, chosen], panel, ["seasonal_naive", "mean_28d"])


def new_tracks(world: World, test: Backtest, said: np.ndarray) -> dict[str, Metrics]:
    """Tracks that came out lately and nobody had played at a test origin: from their likes, beside the plain ways.

    Errors are scaled by the mean of what such tracks were played.
    """
    tracks, horizon = world.hierarchy.levels["track"], test.truth.shape[2]
    found: dict[str, list[np.ndarray]] = {"from_likes": [], "ensemble": [], "mean_of_all": [], "truth": []}
    for place, steps in enumerate(test.origins.tolist()):
        past = world.values[:, :steps]
        age = world.age(world.end - (world.values.shape[1] - steps) * DAY)
        new = ~np.isfinite(past).any(axis=1) & (age >= 0) & (age < AGES)
        curve = ReleaseCurve.fit(past, age, world.artists)
        found["from_likes"].append(curve.forecast(curve.level(past, world.artists), age, horizon)[new])
        found["ensemble"].append(said[place, tracks][new])
        found["mean_of_all"].append(np.full((int(new.sum()), horizon), curve.everyone))
        found["truth"].append(np.nan_to_num(world.values[new, steps : steps + horizon]))
    truth = np.concatenate(found.pop("truth"))
    scale = np.full(len(truth), max(float(truth.mean()), 1e-9) if truth.size else 1.0)
    return {name: forecast_metrics(truth, np.concatenate(parts), scale) for name, parts in found.items()}


def _at_each(conformal: ConformalQuantiles, said: np.ndarray, scale: np.ndarray) -> dict[float, np.ndarray]:
    made = [conformal.quantiles(at, size) for at, size in zip(said, scale, strict=True)]
    return {level: np.stack([one[level] for one in made]) for level in conformal.levels}


def _conformal(past: Backtest, said: np.ndarray, part: slice) -> ConformalQuantiles:
    steps = past.truth.shape[2]
    truth, forecast = (values[:, part].reshape(-1, steps) for values in (past.truth, said))
    return ConformalQuantiles().fit(truth, forecast, past.scale[:, part].reshape(-1))


def _choose(world: World, past: Backtest, names: Sequence[str]) -> dict[str, Blend]:
    """A blend for each level; genres and the total, of which there are few, share one."""
    nodes = np.arange(len(world.panel))
    top = np.concatenate([nodes[world.hierarchy.levels[level]] for level in ("genre", "total")])
    shared = Blend.choose(past.only(top), names)
    lower = {
        level: Blend.choose(past.only(nodes[world.hierarchy.levels[level]]), names) for level in ("track", "artist")
    }
    return {**lower, "genre": shared, "total": shared}


def _ensemble(world: World, found: Backtest, blends: Mapping[str, Blend]) -> np.ndarray:
    """(o, nodes, h) what the blends say."""
    nodes = np.arange(len(world.panel))
    parts = [blends[level].of(found.only(nodes[part])) for level, part in world.hierarchy.levels.items()]
    return np.concatenate(parts, axis=1)


def _origins(panel: Panel, learned: Any, backs: Sequence[int], horizon: int) -> list[datetime]:
    """Every origin at which the global model will ask for features."""
    inner = [horizon + learned.stride * number for number in range(learned.origins)]
    found = {back + more for back in backs for more in (0, *inner)}
    return [panel.back(back).end for back in sorted(found) if back < panel.steps - 1]


def _released(home: Home, tracks: list[str], end: datetime) -> np.ndarray:
    spine = pl.DataFrame({"track_id": tracks}).with_columns(
        event_timestamp=pl.lit(end), artist_id=pl.lit(None, pl.String), platform_id=pl.lit(home.tenant)
    )
    found = training_set(SERVICE, spine, home=home).data["track_catalogue__released"]
    return found.dt.timestamp("us").cast(pl.Float64).to_numpy()


def _countries(home: Home, end: datetime) -> dict[str, float]:
    """Share of the listeners by country."""
    spine = all_keys("user_behavior_v1", None, end, home=home)
    told = training_set("user_behavior_v1", spine, home=home).data["user_profile__country"].drop_nulls()
    counts = told.value_counts().sort("count", "user_profile__country", descending=True)[:10]
    return {str(code): count / told.len() for code, count in counts.iter_rows()}


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
