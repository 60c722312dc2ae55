"""An online detector for numbers: scores each value of a series by the series' own past, in constant memory.

Every value is compared in six channels. The rarity of each statistic is its share in the history (``tail``):

``step``      mean error of the autoregression over the last values,
``level``     distance from the mean level,
``wobble``    change of the size of the errors, up or down,
``habit``     distance from the usual value of this time of day,
``shape``     distance of the last values from earlier windows,
``still``     number of equal values in a row.

The score is the sum of ``-log10`` of the rarities, less where the same has happened before (``recurrence``). Series
without negative values are compared as square roots (``roots``): their variance grows with their level. Errors are
clipped at ``CLIP`` times their usual size before the detector learns from them, so that an incident does not become the
new normal. A series that stays at another level for ``relearn`` values is reset and reported as relearned.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.pure.anomaly import moments, novelty, profile, recurrence, regression, roots, tail
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import ManySeries, State

CHANNELS = ("step", "level", "wobble", "habit", "shape", "still")
CLIP = 3.0
FARTHEST = 20.0
"""Standard deviations at which values are clipped."""
LEARNING = 50
"""Number of values after which errors are clipped."""
APART = 200
"""Consecutive values far from the level after which the level waits: it is learned anew, or the values come back."""
_TINY, _LEAST = 1e-9, 1e-30


@dataclass(frozen=True)
class SeriesSettings:
    """Parameters of the score, the same for all series.

    Attributes:
        lags: number of earlier values in the regression.
        short: number of values over which ``step`` is averaged.
        wobble: number of values over which ``wobble`` is averaged.
        half_life: half-life of the error statistics and histograms, in values.
        level_half_life: half-life of the level, in values.
        regression_half_life: half-life of the regression, in values.
        windows: number of remembered windows per series.
        relearn: consecutive values far from the level after which a series is reset.
        recall: whether what has happened before scores less (``recurrence``). Off where a threshold is extrapolated
            from the highest scores of normal data: those that are no news then say little about one that is.
    """

    lags: int = 8
    short: int = 8
    wobble: int = 20
    half_life: float = 4_000.0
    level_half_life: float = 3_000.0
    regression_half_life: float = 1_000.0
    windows: int = 150
    relearn: int = 1_000
    recall: bool = True


DEFAULT_POLICY = AlarmPolicy(threshold=4.75, aging=1 / 6, longest=2_500.0)


class SeriesDetector(ManySeries[SeriesSettings]):
    """The detector: keeps the state of many series, and scores one more value of any of them.

    >>> import numpy as np
    >>> detector = SeriesDetector()
    >>> for minute in range(200):
    ...     scores = detector.update(["web-1/cpu"], np.array([minute * 60_000_000]), np.array([minute % 7.0]))
    >>> bool(detector.update(["web-1/cpu"], np.array([200 * 60_000_000]), np.array([500.0])).alarm[0])
    True
    """

    CHANNELS: ClassVar[tuple[str, ...]] = CHANNELS
    POLICY: ClassVar[AlarmPolicy] = DEFAULT_POLICY
    SETTINGS: ClassVar[type] = SeriesSettings

    def _initial_state(self, series: int) -> State:
        settings = self.settings
        weights, inverse = regression.start(series, settings.lags + 2)

        def zeros(*shape: int, dtype: Any = np.float64) -> np.ndarray:
            return np.zeros((series, *shape), dtype)

        return {
            "count": zeros(dtype=np.int64),
            "lags": zeros(settings.lags),
            "weights": weights,
            "inverse": inverse,
            **{
                f"{statistic}_{moment}": zeros()
                for statistic in ("level", "error", "calm", "off")
                for moment in ("mean", "var", "weight")
            },
            "ran": zeros(),
            "log_size": zeros(),
            "away": zeros(),
            "elsewhere": zeros(dtype=np.int64),
            "part_mean": zeros(profile.PARTS),
            "part_seen": zeros(profile.PARTS, dtype=np.float32),
            "windows": zeros(settings.lags, settings.windows),
            "kept": zeros(dtype=np.int64),
            "run": zeros(),
            "counts": zeros(len(CHANNELS), tail.BINS, dtype=np.float32),
            "signed": zeros(dtype=bool),
            **recurrence.start(series),
        }

    def _score(
        self, state: State, times: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return _score(state, self.settings, times, values)


def _fade_factor(half_life: float) -> float:
    return float(0.5 ** (1 / half_life))


def _score(
    s: dict[str, np.ndarray], settings: SeriesSettings, times: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Score values and update the state ``s``; returns score, channels, expected value, and which series to reset."""
    is_negative = values < 0
    roots.leave(s, is_negative & ~s["signed"])
    s["signed"] = s["signed"] | is_negative
    values = roots.take(values, s["signed"])
    s["level_mean"] = np.where(s["count"] == 0, values, s["level_mean"])
    mean_level = s["level_mean"]
    scale = np.sqrt(s["level_var"]) + _TINY * np.abs(mean_level) + _LEAST
    level = _clip((values - mean_level) / scale)
    lags = _clip((s["lags"] - mean_level[:, None]) / scale[:, None])
    part = profile.part_of(times)
    usual, has_profile = profile.usual(s["part_mean"], s["part_seen"], part)
    habit = np.where(has_profile, _clip((usual - mean_level) / scale), 0.0)
    inputs = _columns(np.ones(len(values)), *lags.T, habit)
    expected = regression.predict(s["weights"], inputs)
    error = level - expected
    size = np.sqrt(s["error_var"] + s["error_mean"] ** 2) + 1e-6
    surprise = error / size
    ready = s["count"] > settings.lags

    window = _columns(values, *s["lags"].T[:-1])
    window_distance, has_windows = novelty.distance(s["windows"], s["kept"], window)
    changed, run_length = values != s["lags"][:, 0], s["run"]
    s["run"] = np.where(changed, 1, run_length + 1)
    deviation = _profile_deviation(s, values, usual, has_profile, _fade_factor(settings.half_life))
    statistics = _columns(
        _running_mean(s, "ran", moments.clip(surprise, -6, 6), settings.short),
        level,
        _error_size_change(s, surprise, settings),
        _running_mean(s, "away", moments.clip(deviation, -6, 6), settings.short),
        np.minimum(window_distance / scale, FARTHEST) + 1e-3,
        s["run"],
    )
    np.abs(statistics, out=statistics)
    channels = -np.log10(tail.exceedance(s["counts"], statistics))
    is_counted = _columns(ready, ready, ready, ready & has_profile, ready & has_windows, ready & changed)
    statistics[:, 5] = run_length  # a run is counted when it ends; otherwise it would lower its own score
    tail.add(s["counts"], statistics, _fade_factor(settings.half_life), is_counted)

    score = channels.sum(axis=1)
    if settings.recall:
        newest = roots.invert(window[:, : recurrence.LENGTH], s["signed"])
        score = score * recurrence.discount(s, score, newest, roots.invert(mean_level, s["signed"]), s["count"])

    _learn(s, settings, values, inputs, error, size, level, scale)
    novelty.remember(s["windows"], s["kept"], window, s["count"], ready)
    profile.learn(
        s["part_mean"],
        s["part_seen"],
        part,
        np.where(s["count"] < LEARNING, values, mean_level + moments.clip(level, -4, 4) * scale),
    )
    s["lags"] = window
    s["count"] = s["count"] + 1
    is_far = (np.abs(level) >= 4) & (s["count"] > LEARNING)
    s["elsewhere"] = np.where(is_far, s["elsewhere"] + 1, 0)
    forecast = roots.invert(mean_level + expected * scale, s["signed"])
    return score, channels, forecast, s["elsewhere"] >= settings.relearn


def _clip(values: np.ndarray) -> np.ndarray:
    return moments.clip(values, -FARTHEST, FARTHEST)


def _columns(*columns: np.ndarray) -> np.ndarray:
    """``np.column_stack`` of (n,) columns of one type, for few values in half of its time."""
    matrix = np.empty((len(columns[0]), len(columns)), columns[0].dtype)
    for number, column in enumerate(columns):
        matrix[:, number] = column
    return matrix


def _running_mean(s: dict[str, np.ndarray], name: str, values: np.ndarray, length: int) -> np.ndarray:
    """Running mean, in units of the standard deviation that it has for independent values."""
    fade = 1 - 1 / length
    s[name] = fade * s[name] + (1 - fade) * values
    return s[name] * math.sqrt((1 + fade) / (1 - fade))


def _error_size_change(s: dict[str, np.ndarray], surprise: np.ndarray, settings: SeriesSettings) -> np.ndarray:
    fade = 1 - 1 / settings.wobble
    s["log_size"] = fade * s["log_size"] + (1 - fade) * np.log(np.abs(surprise) + 0.02)
    change = (s["log_size"] - s["calm_mean"]) / (np.sqrt(s["calm_var"]) + 1e-6)
    _update_moments(s, "calm", s["log_size"], _fade_factor(settings.half_life), s["count"] > settings.lags)
    return change


def _profile_deviation(
    s: dict[str, np.ndarray], values: np.ndarray, usual: np.ndarray, has_profile: np.ndarray, fade: float
) -> np.ndarray:
    """Distance from the usual value of this time of day, in units of its usual size."""
    distance = np.where(has_profile, values - usual, 0.0)
    size = np.sqrt(s["off_var"] + s["off_mean"] ** 2) + _TINY * np.abs(s["level_mean"]) + _LEAST
    _update_moments(s, "off", moments.clip(distance, -4 * size, 4 * size), fade, has_profile & (s["count"] > 0))
    return distance / size


def _learn(
    s: dict[str, np.ndarray],
    settings: SeriesSettings,
    values: np.ndarray,
    inputs: np.ndarray,
    error: np.ndarray,
    size: np.ndarray,
    level: np.ndarray,
    scale: np.ndarray,
) -> None:
    is_young = s["count"] < LEARNING
    clipped = np.where(is_young, error, moments.clip(error, -CLIP * size, CLIP * size))
    s["weights"], s["inverse"] = regression.learn(
        s["weights"], s["inverse"], inputs, clipped, _fade_factor(settings.regression_half_life)
    )
    _update_moments(s, "error", clipped, _fade_factor(settings.half_life), s["count"] > settings.lags)
    clipped_values = np.where(is_young, values, s["level_mean"] + moments.clip(level, -4, 4) * scale)
    _update_moments(s, "level", clipped_values, _fade_factor(settings.level_half_life), s["elsewhere"] < APART)


def _update_moments(
    s: dict[str, np.ndarray], statistic: str, values: np.ndarray, fade: float, mask: np.ndarray
) -> None:
    names = (f"{statistic}_mean", f"{statistic}_var", f"{statistic}_weight")
    mean, variance, weight = (s[name] for name in names)
    updated = moments.update(mean, variance, weight, values, fade)
    for name, array in zip(names, updated, strict=True):
        s[name] = np.where(mask, array, s[name])
