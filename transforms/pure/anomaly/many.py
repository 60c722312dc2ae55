"""Many series at once: each has a place in arrays of state, takes its values in order, and speaks when it should.

What is asked of a value is left to those who inherit: ``series`` asks what any number can be asked, ``counts`` whether
fewer or more came than usual.
"""

import io
import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from feature_repo.errors import InputError
from transforms.pure.anomaly.alarms import AlarmPolicy

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

State = dict[str, np.ndarray]
"""(n, …) arrays, a row a series."""
Settings = TypeVar("Settings", bound="DataclassInstance")
LARGEST = 1e100
"""No measurement is larger; what is counts as this."""
MOST = 20_000
"""Series that are kept."""
_NEVER = 1 << 62


@dataclass(frozen=True)
class SeriesScores:
    """What was found of m values.

    Attributes:
        score: (m,) how unusual; NaN where there was no value, or it was not accepted.
        channels: (m, c) how unusual each way, in the order of the detector's ``CHANNELS``.
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


class ManySeries(ABC, Generic[Settings]):
    """State of many series, and what one more value of some of them says."""

    CHANNELS: ClassVar[tuple[str, ...]]
    POLICY: ClassVar[AlarmPolicy]
    SETTINGS: ClassVar[type]
    BACKWARDS: ClassVar[int] = 5
    """Values in a row from before the newest after which a clock counts as set back."""

    def __init__(
        self,
        settings: Settings | None = None,
        policy: AlarmPolicy | None = None,
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
        self.settings: Settings = settings or self.SETTINGS()
        self.policy, self._thresholds = policy or self.POLICY, dict(thresholds or {})
        self._most, self._updates = most, 0
        self._place: dict[str, int] = {}
        self._state = self._fresh(0)

    @abstractmethod
    def _begun(self, series: int) -> State:
        """State of series that have seen nothing, as far as it is asked for by ``_score``."""

    @abstractmethod
    def _score(
        self, state: State, times: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of one value of each of m series: score, channels, what was expected, and who is to be learned anew.

        Args:
            state: of these series, which moves on in place.
            times: (m,) microseconds since 1970.
            values: (m,) finite.
        """

    def _fresh(self, series: int) -> State:
        zeros = np.zeros(series, np.int64)
        return {
            "newest": np.full(series, -_NEVER, np.int64),
            "touched": zeros,
            "late": zeros.copy(),
            "threshold": np.zeros(series),
            "boost": np.zeros(series),
            "since": np.full(series, _NEVER, np.int64),
            **self._begun(series),
        }

    def __len__(self) -> int:
        return len(self._place)

    @property
    def series(self) -> list[str]:
        """Names of all series."""
        return list(self._place)

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series' state; it never grows."""
        return sum(array[:1].nbytes for array in self._fresh(1).values())

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
        found = _nothing(len(places), len(self.CHANNELS))
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
                next_command=f"{type(self).__name__}(most=…), at {self.bytes_per_series:,} bytes a series",
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
        held = len(self._state["newest"])
        if place >= held:
            more = self._fresh(max(16, held))
            self._state = {key: np.concatenate([array, more[key]]) for key, array in self._state.items()}
        self._state["touched"][place] = self._updates + 1
        metric = name.rpartition("/")[2]
        self._state["threshold"][place] = self._thresholds.get(metric, self.policy.threshold)
        return place

    def _update(self, places: np.ndarray, times: np.ndarray, values: np.ndarray) -> SeriesScores:
        found = _nothing(len(places), len(self.CHANNELS))
        accepted = self._in_order(places, times, np.isfinite(values), found.verdict)
        if not accepted.any():
            return found
        values = np.clip(values, -LARGEST, LARGEST)
        rows = places[accepted]
        state = {name: array[rows] for name, array in self._state.items()}
        self._updates += 1
        state["newest"] = times[accepted]
        state["touched"] = np.full(len(rows), self._updates)
        score, channels, expected, anew = self._score(state, times[accepted], values[accepted])
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
        for name, array in self._fresh(len(rows)).items():
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
    def restore(cls, content: bytes) -> Self:
        """A detector as it was.

        Raises:
            InputError: it is no snapshot, or a damaged one.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as found:
                arrays: Mapping[str, Any] = dict(found)
            told = json.loads(arrays[""].tobytes())
            detector = cls(
                cls.SETTINGS(**told["settings"]), AlarmPolicy(**told["policy"]), told["thresholds"], told["most"]
            )
            detector._updates = int(told["updates"])
            names = told["series"]
            state = detector._fresh(len(names))
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
        detector._place = {name: place for place, name in enumerate(names)}
        detector._state = state
        return detector


def _nothing(count: int, channels: int) -> SeriesScores:
    return SeriesScores(
        np.full(count, np.nan),
        np.zeros((count, channels)),
        np.full(count, np.nan),
        np.zeros(count, bool),
        np.full(count, "", dtype="<U9"),
    )
