"""Forecasts by key: of tracks, artists, genres, charts, listeners and load, each with the model that made it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from feature_repo import clock
from feature_repo.bundle import Bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.features import OnlineFeatures
from inference.models import load_bundle

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = ("mean", "lower_95", "lower_80", "median", "upper_80", "upper_95", "chance")


class UnknownKey(InputError):
    """Nothing was forecast for it."""


@dataclass(frozen=True)
class Point:
    """One step of a forecast.

    Attributes:
        start: when it begins, UTC.
        end: when it ends.
        mean: what is expected; of places on a chart, and of plays of a listener, the middle of what is expected.
        lower_95: below it with 2.5 %.
        lower_80: below it with 10 %.
        median: below it with 50 %.
        upper_80: below it with 90 %.
        upper_95: below it with 97.5 %.
        chance: of being on the chart, or of no play at all; None where nothing of the kind is forecast.
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
    """What is forecast of one key.

    Attributes:
        entity: ``track``, ``artist``, ``genre``, ``platform`` or ``user``.
        id: its key.
        target: ``streams``, ``chart``, ``activity`` or ``load``.
        model: name and version of the bundle that made it.
        origin: nothing later was known.
        points: the steps, the nearest first.
        note: what to mind; None if nothing.
    """

    entity: str
    id: str
    target: str
    model: str
    origin: datetime
    points: list[Point]
    note: str | None


class Forecaster:
    """What one promoted model says, by key. Safe to share between threads.

    The forecasts themselves are features, written by ``python -m training forecast``; the bundle says which model is
    to be trusted.
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
        """The champion, or a version such as ``trend_forecaster:3``.

        Raises:
            BundleError: see ``inference.models.load_bundle``.
            StoreError: the manifest is missing or damaged.
        """
        home = home or Home.from_env()
        return cls(load_bundle(name or cls.name, home), home)

    def forecast(self, entity: str, key: str, *, horizon: int | None = None) -> Forecast:
        """The forecast of one key.

        Args:
            entity: one of ``views``.
            key: such as a track_id.
            horizon: steps; all that were forecast if None.

        Raises:
            InputError: there is no such entity here, or the horizon is longer than what was forecast.
            UnknownKey: nothing was forecast for it.
            OnlineUnavailable: Redis does not answer.
        """
        if entity not in self.views:
            raise InputError(
                expected=f"one of {sorted(self.views)}",
                found=repr(entity),
                next_command="python -m inference forecast --help",
            )
        view, join_key = self.views[entity]
        values = self._lookups[entity].get({join_key: [key]}).values
        told: dict[str, Any] = {
            name: values[f"{view}__{name}"][0] for name in (*NUMBERS, "origin", "step", "steps", "model")
        }
        if told["origin"] is None:
            raise UnknownKey(
                expected=f"a {join_key} that {self.name} has forecast",
                found=repr(key),
                next_command="python -m training forecast && python -m feature_repo materialize",
            )
        steps = list(told["steps"])
        if horizon is not None and not 1 <= horizon <= len(steps):
            raise InputError(
                expected=f"a horizon of 1 to {len(steps)} steps",
                found=str(horizon),
                next_command=f"ask for {len(steps)} at most; further ahead, nothing is known of the error",
            )
        origin = _EPOCH + timedelta(microseconds=int(told["origin"]))
        width = timedelta(microseconds=int(told["step"]))
        points = [_point(told, place, origin, width, int(step)) for place, step in enumerate(steps[:horizon])]
        return Forecast(entity, key, self.target, told["model"], origin, points, self._note(told["model"], points))

    def _note(self, model: str, points: list[Point]) -> str | None:
        if model != self.bundle.name_version:
            return f"made by {model}, not by {self.bundle.name_version}; run: python -m training forecast"
        if points and points[-1].end < clock.now():
            return "all of it lies in the past; run: python -m transforms build && python -m training forecast"
        return None


class TrendForecaster(Forecaster):
    """Daily streams of tracks, artists, genres and everything together.

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
    """Places on weekly charts in 1, 4 and 13 weeks."""

    name, target = "chart_forecaster", "chart"
    views: ClassVar[dict[str, tuple[str, str]]] = {"track": ("track_chart_forecast", "track_id")}


class UserBehaviorForecaster(Forecaster):
    """Plays of a listener in the next days, and the chance that there are none in two weeks."""

    name, target = "user_behavior_forecaster", "activity"
    views: ClassVar[dict[str, tuple[str, str]]] = {"user": ("user_activity_forecast", "user_id")}


class CapacityForecaster(Forecaster):
    """Plays of everybody by the hour, a week ahead."""

    name, target = "capacity_forecaster", "load"
    views: ClassVar[dict[str, tuple[str, str]]] = {"platform": ("platform_load_forecast", "platform_id")}


TARGETS: dict[str, type[Forecaster]] = {
    one.target: one for one in (TrendForecaster, ChartForecaster, UserBehaviorForecaster, CapacityForecaster)
}
"""Target → who forecasts it."""


def target_of(entity: str, target: str | None) -> type[Forecaster]:
    """Who forecasts a target of an entity; what comes first in ``TARGETS`` if no target is named.

    Raises:
        InputError: nobody does.
    """
    for name, one in TARGETS.items():
        if entity in one.views and target in (None, name):
            return one
    known = {name: sorted(one.views) for name, one in TARGETS.items()}
    raise InputError(
        expected=f"an entity and a target among {known}",
        found=f"{entity!r} and {target!r}",
        next_command="python -m inference forecast --help",
    )


def _point(told: dict[str, Any], place: int, origin: datetime, width: timedelta, step: int) -> Point:
    numbers = {
        name: None if told[name] is None or not len(told[name]) else float(told[name][place]) for name in NUMBERS
    }
    return Point(start=origin + width * (step - 1), end=origin + width * step, **numbers)  # type: ignore[arg-type]
