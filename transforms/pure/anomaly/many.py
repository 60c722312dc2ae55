"""The base class of online detectors: state arrays with one row per series, order of values, alarms, snapshots.

Subclasses define the score of a value: ``series`` for any numbers, ``counts`` for numbers of events.
"""

import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

import numpy as np

from feature_repo.errors import InputError
from transforms.pure import npz
from transforms.pure.anomaly.alarms import AlarmPolicy

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

State = dict[str, np.ndarray]
"""State arrays (n, …) by name, one row per series."""
Settings = TypeVar("Settings", bound="DataclassInstance")
LARGEST = 1e100
"""Largest magnitude of a measurement; larger values are clipped to it."""
MOST = 20_000
"""Default of the greatest number of series."""
_NEVER = 1 << 62


@dataclass(frozen=True)
class SeriesScores:
    """The scores of m values.

    Attributes:
        score: (m,) anomaly score, higher is more unusual; NaN where the value is missing or was not accepted.
        channels: (m, c) scores of the channels, in the order of the detector's ``CHANNELS``.
        expected: (m,) expected value.
        alarm: (m,) bool, whether the value raises an alarm.
        verdict: (m,) "" for an accepted value, else "missing", "duplicate" or "late"; "relearned" and "clock" for an
            accepted value at which the series was reset or its clock was set back.
    """

    score: np.ndarray
    channels: np.ndarray
    expected: np.ndarray
    alarm: np.ndarray
    verdict: np.ndarray


class ManySeries(ABC, Generic[Settings]):
    """An online detector: keeps the state of many series, and scores one more value of any of them."""

    CHANNELS: ClassVar[tuple[str, ...]]
    POLICY: ClassVar[AlarmPolicy]
    SETTINGS: ClassVar[type]
    BACKWARDS: ClassVar[int] = 5
    """Consecutive late values after which the clock of a series counts as set back."""

    def __init__(
        self,
        settings: Settings | None = None,
        policy: AlarmPolicy | None = None,
        thresholds: Mapping[str, float] | None = None,
        most: int = MOST,
    ) -> None:
        """Create a detector without series.

        Args:
            settings: parameters of the score.
            policy: rule that turns scores into alarms.
            thresholds: metric → threshold, where it differs from the policy's; the metric is the part of a series'
                name after the last "/".
            most: greatest number of series; beyond, a new series replaces the least recently updated one.
        """
        self.settings: Settings = settings or self.SETTINGS()
        self.policy, self._thresholds = policy or self.POLICY, dict(thresholds or {})
        self._most, self._updates = most, 0
        self._row_of: dict[str, int] = {}
        self._state = self._empty_state(0)

    @abstractmethod
    def _initial_state(self, series: int) -> State:
        """Initial state of new series, as far as ``_score`` uses it."""

    @abstractmethod
    def _score(
        self, state: State, times: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Score one value of each of m series; returns score, channels, expected value, and which series to reset.

        Args:
            state: state of these series; updated in place.
            times: (m,) microseconds since 1970.
            values: (m,) finite values.
        """

    def _empty_state(self, series: int) -> State:
        zeros = np.zeros(series, np.int64)
        return {
            "newest": np.full(series, -_NEVER, np.int64),
            "touched": zeros,
            "late": zeros.copy(),
            "threshold": np.zeros(series),
            "boost": np.zeros(series),
            "since": np.full(series, _NEVER, np.int64),
            "age": zeros.copy(),
            **self._initial_state(series),
        }

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def series(self) -> list[str]:
        """Names of all series."""
        return list(self._row_of)

    @property
    def bytes_per_series(self) -> int:
        """Memory of the state of one series; it is constant."""
        return sum(array[:1].nbytes for array in self._empty_state(1).values())

    def update(self, names: Sequence[str], times: np.ndarray, values: np.ndarray) -> SeriesScores:
        """Score one value of each of m different series, then learn from it.

        Args:
            names: names of the series; unknown names start new series.
            times: (m,) microseconds since 1970.
            values: (m,) values; NaN and infinite ones count as missing.

        Raises:
            InputError: a name occurs twice.
        """
        if len(set(names)) != len(names):
            raise InputError(
                expected="each series once in an update",
                found=f"{len(names) - len(set(names))} repeated",
                next_command="use replay for many values of one series",
            )
        rows = self._rows_of(names)
        return self._update(rows, np.asarray(times, np.int64), np.asarray(values, np.float64))

    def replay(self, names: Sequence[str], times: np.ndarray, values: np.ndarray) -> SeriesScores:
        """Score many values in order, any number of each series; gives the same result as successive ``update`` calls.

        Args:
            names: (m,) series of each value.
            times: (m,) microseconds since 1970.
            values: (m,) values; NaN and infinite ones count as missing.
        """
        rows = self._rows_of(names)
        times, values = np.asarray(times, np.int64), np.asarray(values, np.float64)
        order = np.argsort(rows, kind="stable")
        is_first = np.r_[True, rows[order][1:] != rows[order][:-1]] if len(order) else np.empty(0, bool)
        begin = np.flatnonzero(is_first)
        occurrence = np.empty(len(rows), np.int64)
        occurrence[order] = np.arange(len(order)) - np.repeat(begin, np.diff(np.r_[begin, len(order)]))
        rounds = np.argsort(occurrence, kind="stable")
        ends = np.searchsorted(occurrence[rounds], np.arange(occurrence.max() + 2 if len(occurrence) else 1))
        result = _empty_scores(len(rows), len(self.CHANNELS))
        for low, high in pairwise(ends):
            batch = rounds[low:high]
            scores = self._update(rows[batch], times[batch], values[batch])
            for target, source in zip(vars(result).values(), vars(scores).values(), strict=True):
                target[batch] = source
        return result

    def _rows_of(self, names: Sequence[str]) -> np.ndarray:
        """Row of each series in the state arrays; new series get a row, if need be that of the least recently updated.

        Raises:
            InputError: there are more names than the greatest number of series.
        """
        distinct = dict.fromkeys(names)
        if len(distinct) > self._most:
            raise InputError(
                expected=f"at most {self._most:,} series at once",
                found=f"{len(distinct):,}",
                next_command=f"{type(self).__name__}(most=…), at {self.bytes_per_series:,} bytes a series",
            )
        existing = [self._row_of[name] for name in distinct if name in self._row_of]
        self._state["touched"][existing] = self._updates + 1  # a series of this call is never evicted for another
        for name in distinct:
            if name not in self._row_of:
                self._row_of[name] = self._allocate_row(name)
        return np.array([self._row_of[name] for name in names], np.int64)

    def _allocate_row(self, name: str) -> int:
        """Allocate a row for a new series: an unused one, or that of the least recently updated series."""
        row = len(self._row_of)
        if row >= self._most:
            row = int(np.argmin(self._state["touched"][: self._most]))
            evicted = next(other for other, other_row in self._row_of.items() if other_row == row)
            del self._row_of[evicted]
            self._reset(np.array([row]), keep=())
        capacity = len(self._state["newest"])
        if row >= capacity:
            empty = self._empty_state(max(16, capacity))
            self._state = {key: np.concatenate([array, empty[key]]) for key, array in self._state.items()}
        self._state["touched"][row] = self._updates + 1
        metric = name.rpartition("/")[2]
        self._state["threshold"][row] = self._thresholds.get(metric, self.policy.threshold)
        return row

    def _update(self, rows: np.ndarray, times: np.ndarray, values: np.ndarray) -> SeriesScores:
        scores = _empty_scores(len(rows), len(self.CHANNELS))
        accepted = self._accept(rows, times, np.isfinite(values), scores.verdict)
        if not accepted.any():
            return scores
        values = np.clip(values, -LARGEST, LARGEST)
        accepted_rows = rows[accepted]
        place = _as_slice(accepted_rows)
        before = {name: array[place] for name, array in self._state.items()}
        state = dict(before)
        self._updates += 1
        state["newest"] = times[accepted]
        state["touched"] = np.full(len(accepted_rows), self._updates)
        score, channels, expected, reset = self._score(state, times[accepted], values[accepted])
        alarm, state["boost"], state["since"] = self.policy.decide(
            score, state["boost"], state["since"], state["age"], state["threshold"]
        )
        state["age"] = state["age"] + 1
        for name, array in state.items():
            if array is not before[name] or not isinstance(place, slice):  # else changed where it lies
                self._state[name][place] = array
        scores.score[accepted], scores.channels[accepted], scores.expected[accepted] = score, channels, expected
        scores.alarm[accepted] = alarm
        scores.verdict[np.flatnonzero(accepted)[reset]] = "relearned"
        self._reset(accepted_rows[reset], keep=("newest", "touched", "boost", "since", "age", "threshold"))
        return scores

    def _accept(self, rows: np.ndarray, times: np.ndarray, present: np.ndarray, verdict: np.ndarray) -> np.ndarray:
        """Which values are accepted; writes the reason for the others into ``verdict``."""
        newest, late = self._state["newest"][rows], self._state["late"][rows]
        behind = present & (times < newest)
        late = np.where(behind, late + 1, np.where(present & (times > newest), 0, late))
        set_back = behind & (late >= self.BACKWARDS)
        verdict[~present] = "missing"
        verdict[present & (times == newest)] = "duplicate"
        verdict[behind] = "late"
        verdict[set_back] = "clock"
        self._state["late"][rows] = np.where(set_back, 0, late)
        return present & ((times > newest) | set_back)

    def _reset(self, rows: np.ndarray, keep: Sequence[str]) -> None:
        """Reset series to their initial state, except for the arrays in ``keep``."""
        if not len(rows):
            return
        for name, array in self._empty_state(len(rows)).items():
            if name not in keep:
                self._state[name][rows] = array

    def snapshot(self) -> bytes:
        """Serialize the detector, for ``restore``."""
        header = {
            "settings": asdict(self.settings),
            "policy": asdict(self.policy),
            "thresholds": self._thresholds,
            "most": self._most,
            "updates": self._updates,
            "series": [name for name, _ in sorted(self._row_of.items(), key=lambda item: item[1])],
        }
        arrays = {name: array[: len(self._row_of)] for name, array in self._state.items()}
        return npz.pack({"": np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays})

    @classmethod
    def restore(cls, content: bytes) -> Self:
        """Recreate a detector from a snapshot.

        Raises:
            InputError: the bytes are not a snapshot, or are damaged.
        """
        try:
            arrays = npz.unpack(content)
            header = json.loads(arrays[""].tobytes())
            detector = cls(
                cls.SETTINGS(**header["settings"]),
                AlarmPolicy(**header["policy"]),
                header["thresholds"],
                header["most"],
            )
            detector._updates = int(header["updates"])
            names = header["series"]
            state = detector._empty_state(len(names))
            for name, array in state.items():
                if arrays[name].shape != array.shape or arrays[name].dtype != array.dtype:
                    raise ValueError(f"{name} is of another shape")
                state[name] = arrays[name]
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                expected=f"a snapshot of a {cls.__name__}",
                found=str(error).splitlines()[0] if str(error) else type(error).__name__,
                next_command="remove the snapshot; the detector then learns from the start",
            ) from error
        detector._row_of = {name: row for row, name in enumerate(names)}
        detector._state = state
        return detector


def _as_slice(rows: np.ndarray) -> np.ndarray | slice:
    """Rows that follow each other as a slice, which does not copy the state; other rows as they are."""
    first, after = int(rows[0]), int(rows[0]) + len(rows)
    return slice(first, after) if np.array_equal(rows, np.arange(first, after)) else rows


def _empty_scores(count: int, channels: int) -> SeriesScores:
    return SeriesScores(
        np.full(count, np.nan),
        np.zeros((count, channels)),
        np.full(count, np.nan),
        np.zeros(count, bool),
        np.full(count, "", dtype="<U9"),
    )
