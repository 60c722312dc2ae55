"""Numbers as they come: many series at once, each scored by its own past and learned from, in constant memory.

Six questions are put to every value, each answered by how rare the answer is (``tail``):

``step``      did the last values run away from what an autoregression expected,
``level``     was it ever so far from its middle,
``wobble``    has it become wilder, or stiller,
``habit``     is it unlike this time of day,
``shape``     did the last values ever look like this,
``still``     has it ever been the very same for so long.

The score is the sum of their ``-log10``. Nothing is learned in full from what does not fit: errors are clipped at
``CLIP`` of their usual size, so that an incident does not become the new normal; a series that stays elsewhere for
``relearn`` values is learned anew, and says so.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.pure.anomaly import moments, novelty, profile, regression, tail
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import ManySeries, State

CHANNELS = ("step", "level", "wobble", "habit", "shape", "still")
CLIP = 3.0
FARTHEST = 20.0
"""Standard deviations beyond which all is the same."""
LEARNING = 50
"""Values before errors are clipped."""
_TINY, _LEAST = 1e-9, 1e-30


@dataclass(frozen=True)
class SeriesSettings:
    """How a series is scored; one setting for all series.

    Attributes:
        lags: values before that the regression sees.
        short: values over which a step is averaged; likewise ``wobble``.
        wobble: see ``short``.
        half_life: values after which half of what was seen is forgotten.
        level_half_life: likewise, of the level.
        regression_half_life: likewise, of the regression.
        windows: remembered windows a series.
        relearn: values far away after which a series is learned anew.
    """

    lags: int = 8
    short: int = 8
    wobble: int = 20
    half_life: float = 4_000.0
    level_half_life: float = 3_000.0
    regression_half_life: float = 1_000.0
    windows: int = 150
    relearn: int = 1_000


DEFAULT_POLICY = AlarmPolicy(threshold=5.0)


class SeriesDetector(ManySeries[SeriesSettings]):
    """State of many series, and what one more value of some of them says.

    >>> import numpy as np
    >>> detector = SeriesDetector()
    >>> for minute in range(200):
    ...     found = detector.update(["web-1/cpu"], np.array([minute * 60_000_000]), np.array([minute % 7.0]))
    >>> bool(detector.update(["web-1/cpu"], np.array([200 * 60_000_000]), np.array([500.0])).alarm[0])
    True
    """

    CHANNELS: ClassVar[tuple[str, ...]] = CHANNELS
    POLICY: ClassVar[AlarmPolicy] = DEFAULT_POLICY
    SETTINGS: ClassVar[type] = SeriesSettings

    def _begun(self, series: int) -> State:
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
                f"{of}_{what}": zeros()
                for of in ("level", "error", "calm", "off")
                for what in ("mean", "var", "weight")
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
        }

    def _score(
        self, state: State, times: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return _score(state, self.settings, times, values)


def _fade(half_life: float) -> float:
    return float(0.5 ** (1 / half_life))


def _score(
    s: dict[str, np.ndarray], settings: SeriesSettings, times: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Score, channels, what was expected, and who is to be learned anew; the state moves on, in place of ``s``."""
    s["level_mean"] = np.where(s["count"] == 0, values, s["level_mean"])
    middle = s["level_mean"]
    scale = np.sqrt(s["level_var"]) + _TINY * np.abs(middle) + _LEAST
    level = _clipped((values - middle) / scale)
    lags = _clipped((s["lags"] - middle[:, None]) / scale[:, None])
    part = profile.part_of(times)
    usual, habitual = profile.usual(s["part_mean"], s["part_seen"], part)
    habit = np.where(habitual, _clipped((usual - middle) / scale), 0.0)
    inputs = np.column_stack([np.ones(len(values)), lags, habit])
    expected = regression.predict(s["weights"], inputs)
    error = level - expected
    size = np.sqrt(s["error_var"] + s["error_mean"] ** 2) + 1e-6
    surprise = error / size
    ready = s["count"] > settings.lags

    asked = np.column_stack(
        [
            _run(s, "ran", np.clip(surprise, -6, 6), settings.short),
            level,
            _wobble(s, surprise, settings),
            _run(
                s, "away", np.clip(_off(s, values, usual, habitual, _fade(settings.half_life)), -6, 6), settings.short
            ),
            np.zeros(len(values)),
        ]
    )
    window = np.column_stack([values, s["lags"][:, :-1]])
    apart, shaped = novelty.distance(s["windows"], s["kept"], window)
    asked[:, 4] = np.minimum(apart / scale, FARTHEST) + 1e-3
    moved, ended = values != s["lags"][:, 0], s["run"]
    s["run"] = np.where(moved, 1, ended + 1)
    asked = np.column_stack([np.abs(asked), s["run"]])
    channels = -np.log10(tail.exceedance(s["counts"], asked))
    counted = np.column_stack([ready, ready, ready, ready & habitual, ready & shaped, ready & moved])
    asked[:, 5] = ended  # a run counts when it is over, or it would be its own excuse
    tail.add(s["counts"], asked, _fade(settings.half_life), counted)

    _learn(s, settings, values, inputs, error, size, level, scale)
    novelty.remember(s["windows"], s["kept"], window, s["count"], ready)
    profile.learn(
        s["part_mean"],
        s["part_seen"],
        part,
        np.where(s["count"] < LEARNING, values, middle + np.clip(level, -4, 4) * scale),
    )
    s["lags"] = window
    s["count"] = s["count"] + 1
    far = (np.abs(level) >= 4) & (s["count"] > LEARNING)
    s["elsewhere"] = np.where(far, s["elsewhere"] + 1, 0)
    return channels.sum(axis=1), channels, middle + expected * scale, s["elsewhere"] >= settings.relearn


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -FARTHEST, FARTHEST)


def _run(s: dict[str, np.ndarray], name: str, values: np.ndarray, over: int) -> np.ndarray:
    """Running mean, in units of its own standard deviation if the values were independent."""
    fade = 1 - 1 / over
    s[name] = fade * s[name] + (1 - fade) * values
    return s[name] * np.sqrt((1 + fade) / (1 - fade))


def _wobble(s: dict[str, np.ndarray], surprise: np.ndarray, settings: SeriesSettings) -> np.ndarray:
    fade = 1 - 1 / settings.wobble
    s["log_size"] = fade * s["log_size"] + (1 - fade) * np.log(np.abs(surprise) + 0.02)
    told = (s["log_size"] - s["calm_mean"]) / (np.sqrt(s["calm_var"]) + 1e-6)
    _take(s, "calm", s["log_size"], _fade(settings.half_life), s["count"] > settings.lags)
    return told


def _off(
    s: dict[str, np.ndarray], values: np.ndarray, usual: np.ndarray, habitual: np.ndarray, fade: float
) -> np.ndarray:
    """Distance from what is usual at this time of day, in units of its usual size."""
    apart = np.where(habitual, values - usual, 0.0)
    size = np.sqrt(s["off_var"] + s["off_mean"] ** 2) + _TINY * np.abs(s["level_mean"]) + _LEAST
    _take(s, "off", np.clip(apart, -4 * size, 4 * size), fade, habitual & (s["count"] > 0))
    return apart / size


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
    young = s["count"] < LEARNING
    clipped = np.where(young, error, np.clip(error, -CLIP * size, CLIP * size))
    s["weights"], s["inverse"] = regression.learn(
        s["weights"], s["inverse"], inputs, clipped, _fade(settings.regression_half_life)
    )
    _take(s, "error", clipped, _fade(settings.half_life), s["count"] > settings.lags)
    near = np.where(young, values, s["level_mean"] + np.clip(level, -4, 4) * scale)
    _take(s, "level", near, _fade(settings.level_half_life), np.ones(len(values), bool))


def _take(s: dict[str, np.ndarray], of: str, values: np.ndarray, fade: float, where: np.ndarray) -> None:
    names = (f"{of}_mean", f"{of}_var", f"{of}_weight")
    mean, variance, weight = (s[name] for name in names)
    after = moments.update(mean, variance, weight, values, fade)
    for name, array in zip(names, after, strict=True):
        s[name] = np.where(where, array, s[name])
