"""Forecasts by key, each with its model: for tracks, artists, genres, charts, listeners and load."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from feature_repo import clock
from feature_repo.bundle import Bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.features import OnlineFeatures
from inference.features.consent import require_consent
from inference.models import load_bundle

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = ("mean", "lower_95", "lower_80", "median", "upper_80", "upper_95", "chance")


class UnknownKey(InputError):
    """There is no forecast for the key."""


@dataclass(frozen=True)
class Point:
    """One step of a forecast.

    Attributes:
        start: beginning of the step, UTC.
        end: end of the step, UTC.
        mean: expected value; for places on a chart and plays of a listener, the median.
        lower_95: 2.5 % quantile.
        lower_80: 10 % quantile.
        median: 50 % quantile.
        upper_80: 90 % quantile.
        upper_95: 97.5 % quantile.
        chance: probability of being on the chart, or of no play at all; None for other targets.
    """

    start: datetime
    end: datetime
    mean: float
    lower_95: float
    lower_80: float
    median: float
    upper_80: float
    upper_95: float
    chance: float | None


@dataclass(frozen=True)
class Forecast:
    """The forecast of one key.

    Attributes:
        entity: ``track``, ``artist``, ``genre``, ``platform`` or ``user``.
        id: key of the entity.
        target: ``streams``, ``chart``, ``activity`` or ``load``.
        model: name and version of the bundle that made it.
        origin: time of the forecast; it uses no later data.
        points: steps of the forecast, the nearest first.
        note: a warning; None if there is none.
    """

    entity: str
    id: str
    target: str
    model: str
    origin: datetime
    points: list[Point]
    note: str | None


class Forecaster:
    """The forecasts of one promoted model, by key. Safe to share between threads.

    The forecasts themselves are features, written by ``refrain model forecast``; the bundle identifies the model
    that should have made them.
    """

    name: ClassVar[str]
    target: ClassVar[str]
    views: ClassVar[dict[str, tuple[str, str]]]
    """Entity → view of its forecasts, and its join key."""

    def __init__(self, bundle: Bundle, home: Home) -> None:
        self.bundle, self._home = bundle, home
        self._lookups = {entity: OnlineFeatures(f"{view}_v1", home) for entity, (view, _) in self.views.items()}

    @classmethod
    def load(cls, name: str | None = None, home: Home | None = None) -> "Forecaster":
        """Load the champion, or a version such as ``trend_forecaster:3``.

        Raises:
            BundleError: see ``inference.models.load_bundle``.
            StoreError: the manifest is missing or damaged.
        """
        home = home or Home.from_env()
        return cls(load_bundle(name or cls.name, home), home)

    def lookup(self, entity: str) -> tuple[OnlineFeatures, str]:
        """Return the lookup of an entity's forecasts, and its join key.

        Raises:
            InputError: the model does not forecast this entity.

        >>> Forecaster.load().lookup("user")[1]                                         # doctest: +SKIP
        'user_id'
        """
        if entity not in self.views:
            raise InputError(
                expected=f"one of {sorted(self.views)}",
                found=repr(entity),
                next_command="refrain forecast --help",
            )
        return self._lookups[entity], self.views[entity][1]

    def forecast(self, entity: str, key: str, *, horizon: int | None = None) -> Forecast:
        """Look up the forecast of one key.

        Args:
            entity: one of ``views``.
            key: key of the entity, such as a track_id.
            horizon: number of steps; all steps of the forecast if None.

        Raises:
            InputError: the model does not forecast this entity, or the horizon is longer than the forecast.
            UnknownKey: there is no forecast for the key.
            ConsentError: the person has not consented to the purpose of the forecast.
            OnlineUnavailable: Redis does not answer.
        """
        lookup, join_key = self.lookup(entity)
        view = self.views[entity][0]
        rows = lookup.get({join_key: [key]})
        require_consent(rows)
        columns = rows.values
        values: dict[str, Any] = {
            name: columns[f"{view}__{name}"][0] for name in (*NUMBERS, "origin", "step", "steps", "model")
        }
        if values["origin"] is None:
            raise UnknownKey(
                expected=f"a {join_key} that {self.name} has forecast",
                found=repr(key),
                next_command="refrain model forecast && refrain materialize",
            )
        steps = list(values["steps"])
        if horizon is not None and not 1 <= horizon <= len(steps):
            raise InputError(
                expected=f"a horizon of 1 to {len(steps)} steps",
                found=str(horizon),
                next_command=f"ask for {len(steps)} at most; the error is not known further ahead",
            )
        origin = _EPOCH + timedelta(microseconds=int(values["origin"]))
        width = timedelta(microseconds=int(values["step"]))
        points = [_point(values, place, origin, width, int(step)) for place, step in enumerate(steps[:horizon])]
        return Forecast(entity, key, self.target, values["model"], origin, points, self._note(values["model"], points))

    def _note(self, model: str, points: list[Point]) -> str | None:
        if model != self.bundle.name_version:
            return f"made by {model}, not by {self.bundle.name_version}; run: refrain model forecast"
        if points and points[-1].end < clock.now():
            return "all of it lies in the past; run: refrain build && refrain model forecast"
        return None


class TrendForecaster(Forecaster):
    """Forecasts daily streams of tracks, artists, genres and the whole platform.

    >>> TrendForecaster.load().forecast("track", "t000042", horizon=7)                # doctest: +SKIP
    """

    name, target = "trend_forecaster", "streams"
    views: ClassVar[dict[str, tuple[str, str]]] = {
        "track": ("track_streams_forecast", "track_id"),
        "artist": ("artist_streams_forecast", "artist_id"),
        "genre": ("genre_streams_forecast", "genre"),
        "platform": ("platform_streams_forecast", "platform_id"),
    }


class ChartForecaster(Forecaster):
    """Forecasts places on weekly charts in 1, 4 and 13 weeks.

    >>> ChartForecaster.load().forecast("track", "t000042").points[0].chance        # doctest: +SKIP
    0.31
    """

    name, target = "chart_forecaster", "chart"
    views: ClassVar[dict[str, tuple[str, str]]] = {"track": ("track_chart_forecast", "track_id")}


class UserBehaviorForecaster(Forecaster):
    """Forecasts plays of a listener in the next days, and the probability of none in two weeks.

    >>> UserBehaviorForecaster.load().forecast("user", "u000042").points[0].mean    # doctest: +SKIP
    12.5
    """

    name, target = "user_behavior_forecaster", "activity"
    views: ClassVar[dict[str, tuple[str, str]]] = {"user": ("user_activity_forecast", "user_id")}


class CapacityForecaster(Forecaster):
    """Forecasts hourly plays of all listeners, a week ahead.

    >>> CapacityForecaster.load().forecast("platform", "default", horizon=24).points  # doctest: +SKIP
    """

    name, target = "capacity_forecaster", "load"
    views: ClassVar[dict[str, tuple[str, str]]] = {"platform": ("platform_load_forecast", "platform_id")}


TARGETS: dict[str, type[Forecaster]] = {
    forecaster.target: forecaster
    for forecaster in (TrendForecaster, ChartForecaster, UserBehaviorForecaster, CapacityForecaster)
}
"""Target → class that forecasts it."""


def target_of(entity: str, target: str | None) -> type[Forecaster]:
    """Return the forecaster of a target of an entity; the first one in ``TARGETS`` if no target is named.

    Raises:
        InputError: there is none.
    """
    for name, forecaster in TARGETS.items():
        if entity in forecaster.views and target in (None, name):
            return forecaster
    entities = {name: sorted(forecaster.views) for name, forecaster in TARGETS.items()}
    raise InputError(
        expected=f"an entity and a target among {entities}",
        found=f"{entity!r} and {target!r}",
        next_command="refrain forecast --help",
    )


def _point(values: dict[str, Any], index: int, origin: datetime, width: timedelta, step: int) -> Point:
    numbers = {
        name: None if values[name] is None or not len(values[name]) else float(values[name][index]) for name in NUMBERS
    }
    return Point(start=origin + width * (step - 1), end=origin + width * step, **numbers)  # type: ignore[arg-type]
