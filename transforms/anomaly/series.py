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

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from transforms.anomaly import moments, novelty, profile, regression, tail
from transforms.anomaly.alarms import AlarmPolicy

CHANNELS = ("step", "level", "wobble", "habit", "shape", "still")
CLIP = 3.0
FARTHEST = 20.0
"""Standard deviations beyond which all is the same."""
LEARNING = 50
"""Values before errors are clipped."""
_NEVER = 1 << 62
_TINY, _LEAST = 1e-9, 1e-30
LARGEST = 1e100
"""No measurement is larger; what is counts as this."""


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
MOST = 20_000
"""Series that are kept: a quarter of a gigabyte."""


@dataclass(frozen=True)
class SeriesScores:
    """What was found of m values.

    Attributes:
        score: (m,) sum of ``channels``; NaN where there was no value, or it was not accepted.
        channels: (m, 6) -log10 of how rare, in the order of ``CHANNELS``.
        expected: (m,) what was expected.
        alarm: (m,) bool.
        verdict: (m,) "" if it was accepted, else "missing", "duplicate" or "late"; "relearned" and "clock" where a
            series began anew or its clock was set back.
    """

    score: np.ndarray
    channels: np.ndarray
    expected: np.ndarray
    alarm: np.ndarray
    verdict: np.ndarray


class SeriesDetector:
    """State of many series, and what one more value of some of them says.

    >>> import numpy as np
    >>> detector = SeriesDetector()
    >>> for minute in range(200):
    ...     found = detector.update(["web-1/cpu"], np.array([minute * 60_000_000]), np.array([minute % 7.0]))
    >>> bool(detector.update(["web-1/cpu"], np.array([200 * 60_000_000]), np.array([500.0])).alarm[0])
    True
    """

    BACKWARDS = 5
    """Values in a row from before the newest after which a clock counts as set back."""

    def __init__(
        self,
        settings: SeriesSettings | None = None,
        policy: AlarmPolicy = DEFAULT_POLICY,
        thresholds: Mapping[str, float] | None = None,
        most: int = MOST,
    ) -> None:
        """A detector that has seen nothing.

        Args:
            settings: how series are scored.
            policy: when scores become alarms.
            thresholds: metric → threshold, where it is not the policy's; the metric is what follows the last "/" of
                a series' name.
            most: series that are kept; beyond, a new one takes the place of the one that was silent for longest.
        """
        self.settings, self.policy, self._thresholds = settings or SeriesSettings(), policy, dict(thresholds or {})
        self._most, self._updates = most, 0
        self._place: dict[str, int] = {}
        self._state = _fresh(self.settings, 0)

    def __len__(self) -> int:
        return len(self._place)

    @property
    def series(self) -> list[str]:
        """Names of all series."""
        return list(self._place)

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series' state; it never grows."""
        return sum(array[:1].nbytes for array in _fresh(self.settings, 1).values())

    def update(self, names: Sequence[str], times: np.ndarray, values: np.ndarray) -> SeriesScores:
        """Score one value of each of m different series, then learn from it.

        Args:
            names: of the series; new ones begin.
            times: (m,) microseconds since 1970.
            values: (m,) NaN and infinite ones count as missing.

        Raises:
            InputError: a series is named twice.
        """
        if len(set(names)) != len(names):
            raise InputError(
                expected="each series once in an update",
                found=f"{len(names) - len(set(names))} repeated",
                next_command="use replay for many values of one series",
            )
        places = self._places_of(names)
        return self._update(places, np.asarray(times, np.int64), np.asarray(values, np.float64))

    def replay(self, names: Sequence[str], times: np.ndarray, values: np.ndarray) -> SeriesScores:
        """Score many values in the order given, any number of each series; the same as one ``update`` after another.

        Args:
            names: (m,) series of each value.
            times: (m,) microseconds since 1970.
            values: (m,).
        """
        places = self._places_of(names)
        times, values = np.asarray(times, np.int64), np.asarray(values, np.float64)
        order = np.argsort(places, kind="stable")
        first = np.r_[True, places[order][1:] != places[order][:-1]] if len(order) else np.empty(0, bool)
        begin = np.flatnonzero(first)
        turn = np.empty(len(places), np.int64)
        turn[order] = np.arange(len(order)) - np.repeat(begin, np.diff(np.r_[begin, len(order)]))
        rounds = np.argsort(turn, kind="stable")
        ends = np.searchsorted(turn[rounds], np.arange(turn.max() + 2 if len(turn) else 1))
        found = _nothing(len(places))
        for low, high in pairwise(ends):
            now = rounds[low:high]
            one = self._update(places[now], times[now], values[now])
            for mine, theirs in zip(vars(found).values(), vars(one).values(), strict=True):
                mine[now] = theirs
        return found

    def _places_of(self, names: Sequence[str]) -> np.ndarray:
        """Place of each name; those that are new get one, if need be that of a series that was silent for longest.

        Raises:
            InputError: these are more series than are kept.
        """
        distinct = dict.fromkeys(names)
        if len(distinct) > self._most:
            raise InputError(
                expected=f"at most {self._most:,} series at once",
                found=f"{len(distinct):,}",
                next_command="SeriesDetector(most=…), at 13 kB a series",
            )
        known = [self._place[name] for name in distinct if name in self._place]
        self._state["touched"][known] = self._updates + 1  # nobody who is asked for makes room for another
        for name in distinct:
            if name not in self._place:
                self._place[name] = self._room(name)
        return np.array([self._place[name] for name in names], np.int64)

    def _room(self, name: str) -> int:
        """An empty place: a new one, or that of the series that was silent for longest, which is forgotten."""
        place = len(self._place)
        if place >= self._most:
            place = int(np.argmin(self._state["touched"][: self._most]))
            gone = next(other for other, at in self._place.items() if at == place)
            del self._place[gone]
            self._start_over(np.array([place]), keep=())
        held = len(self._state["count"])
        if place >= held:
            more = _fresh(self.settings, max(16, held))
            self._state = {key: np.concatenate([array, more[key]]) for key, array in self._state.items()}
        self._state["touched"][place] = self._updates + 1
        metric = name.rpartition("/")[2]
        self._state["threshold"][place] = self._thresholds.get(metric, self.policy.threshold)
        return place

    def _update(self, places: np.ndarray, times: np.ndarray, values: np.ndarray) -> SeriesScores:
        found = _nothing(len(places))
        accepted = self._in_order(places, times, np.isfinite(values), found.verdict)
        if not accepted.any():
            return found
        values = np.clip(values, -LARGEST, LARGEST)
        rows = places[accepted]
        state = {name: array[rows] for name, array in self._state.items()}
        self._updates += 1
        state["newest"] = times[accepted]
        state["touched"] = np.full(len(rows), self._updates)
        score, channels, expected, anew = _score(state, self.settings, times[accepted], values[accepted])
        alarm, state["boost"], state["since"] = self.policy.decide(
            score, state["boost"], state["since"], state["threshold"]
        )
        for name, array in state.items():
            self._state[name][rows] = array
        found.score[accepted], found.channels[accepted], found.expected[accepted] = score, channels, expected
        found.alarm[accepted] = alarm
        found.verdict[np.flatnonzero(accepted)[anew]] = "relearned"
        self._start_over(rows[anew], keep=("newest", "touched", "boost", "since", "threshold"))
        return found

    def _in_order(self, places: np.ndarray, times: np.ndarray, present: np.ndarray, verdict: np.ndarray) -> np.ndarray:
        """Which values are taken; the others are told why not."""
        newest, late = self._state["newest"][places], self._state["late"][places]
        behind = present & (times < newest)
        late = np.where(behind, late + 1, np.where(present & (times > newest), 0, late))
        set_back = behind & (late >= self.BACKWARDS)
        verdict[~present] = "missing"
        verdict[present & (times == newest)] = "duplicate"
        verdict[behind] = "late"
        verdict[set_back] = "clock"
        self._state["late"][places] = np.where(set_back, 0, late)
        return present & ((times > newest) | set_back)

    def _start_over(self, rows: np.ndarray, keep: Sequence[str]) -> None:
        """Series as if they had seen nothing, but for some of their state."""
        if not len(rows):
            return
        for name, array in _fresh(self.settings, len(rows)).items():
            if name not in keep:
                self._state[name][rows] = array

    def snapshot(self) -> bytes:
        """Everything, to go on from with ``restore``."""
        told = {
            "settings": asdict(self.settings),
            "policy": asdict(self.policy),
            "thresholds": self._thresholds,
            "most": self._most,
            "updates": self._updates,
            "series": [name for name, _ in sorted(self._place.items(), key=lambda item: item[1])],
        }
        packed = io.BytesIO()
        kept = {name: array[: len(self._place)] for name, array in self._state.items()}
        np.savez_compressed(
            packed, allow_pickle=False, **{"": np.frombuffer(json.dumps(told).encode(), np.uint8)}, **kept
        )
        return packed.getvalue()

    @classmethod
    def restore(cls, content: bytes) -> "SeriesDetector":
        """A detector as it was.

        Raises:
            InputError: it is no snapshot, or a damaged one.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as found:
                arrays: Mapping[str, Any] = dict(found)
            told = json.loads(arrays[""].tobytes())
            detector = cls(
                SeriesSettings(**told["settings"]), AlarmPolicy(**told["policy"]), told["thresholds"], told["most"]
            )
            detector._updates = int(told["updates"])
            names = told["series"]
            state = _fresh(detector.settings, len(names))
            for name, array in state.items():
                if arrays[name].shape != array.shape or arrays[name].dtype != array.dtype:
                    raise ValueError(f"{name} is of another shape")
                state[name] = arrays[name]
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                expected="a snapshot of a SeriesDetector",
                found=str(error).splitlines()[0] if str(error) else type(error).__name__,
                next_command="remove the snapshot; the detector then learns from the start",
            ) from error
        detector._place = {name: place for place, name in enumerate(names)}
        detector._state = state
        return detector


def _nothing(count: int) -> SeriesScores:
    return SeriesScores(
        np.full(count, np.nan),
        np.zeros((count, len(CHANNELS))),
        np.full(count, np.nan),
        np.zeros(count, bool),
        np.full(count, "", dtype="<U9"),
    )


def _fresh(settings: SeriesSettings, series: int) -> dict[str, np.ndarray]:
    """State of series that have seen nothing."""
    weights, inverse = regression.start(series, settings.lags + 2)

    def zeros(*shape: int, dtype: Any = np.float64) -> np.ndarray:
        return np.zeros((series, *shape), dtype)

    return {
        "count": zeros(dtype=np.int64),
        "newest": np.full(series, -_NEVER, np.int64),
        "touched": zeros(dtype=np.int64),
        "late": zeros(dtype=np.int64),
        "threshold": zeros(),
        "boost": zeros(),
        "since": np.full(series, _NEVER, np.int64),
        "lags": zeros(settings.lags),
        "weights": weights,
        "inverse": inverse,
        **{f"{of}_{what}": zeros() for of in ("level", "error", "calm", "off") for what in ("mean", "var", "weight")},
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
