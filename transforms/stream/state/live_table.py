"""One windowed table, kept up to date event by event."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa

from feature_repo.windows import Aggregate, Conditional, DecayedSum, Distinct, First, Last, LastN, TopK, WindowedTable
from feature_repo.windows.table import DAY, duration
from transforms.stream.state.events import Events, holds
from transforms.stream.state.growing import Growing
from transforms.stream.state.keys import Keys
from transforms.stream.state.newest import NEVER, Newest
from transforms.stream.state.oldest import Oldest
from transforms.stream.state.sums import INT, Sums
from transforms.stream.state.top_k import TopK as MostFrequent
from transforms.stream.state.values import Values
from transforms.stream.state.words import Words
from transforms.windows.items import begins
from transforms.windows.tiles import parts as parts_of


@dataclass
class Texts:
    """Texts of one column that came: one row an event, or a tile.

    Attributes:
        key: (n,) whose.
        value: (n,) codes, none missing.
        at: (n,) a moment of the hop.
        n: (n,) how often.
        first: (n,) when first, microseconds.
        last: (n,) when last.
    """

    key: np.ndarray
    value: np.ndarray
    at: np.ndarray
    n: np.ndarray
    first: np.ndarray
    last: np.ndarray


@dataclass
class Additions:
    """What came: one row an event, or a tile of the batch run.

    Attributes:
        key: (n,) codes.
        at: (n,) a moment of the hop that it counts in.
        last: (n,) time of the newest event, microseconds.
        created: (n,) when it was known; 0 for at once.
        sums: (n, parts) in the order of ``LiveTable.parts``.
        masses: fading sum → (n,) as of ``last``.
        texts: column → its texts.
        sequence: column → its texts as single events.
        due: whether rows are due to it.
    """

    key: np.ndarray
    at: np.ndarray
    last: np.ndarray
    created: np.ndarray
    sums: np.ndarray
    masses: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, Texts] = field(default_factory=dict)
    sequence: Mapping[str, Texts] = field(default_factory=dict)
    due: bool = True


class LiveTable:
    """What each key has in each window now, and which rows are due.

    What it holds at a moment follows from the events and the moment alone, whatever their order: sums are integers,
    ties are settled by letters.

    Args:
        table: the declaration.
        words: column of the source → its texts.

    Attributes:
        parts: what is summed up of each key and window.
        place: part → where it stands.
        values: column → its texts by key.
        windows: feature → numbers of its windows; none of those that know no windows.
        names: feature → for each of its kinds of column the name of that of each window.
        starts: (windows,) first moment of each now.
    """

    def __init__(self, table: WindowedTable, words: Mapping[str, Words]) -> None:
        self.table, self.clock = table, 0
        self.keys = Keys(table, words)
        self._words = words
        self.starts = np.full(len(table.spans), INT.min)
        hops = [0 if window.is_lifetime else window.hop for window in table.spans]
        self.base = min((hop for hop in hops if hop), default=DAY)
        self._parts()
        self._sums = Sums(hops, *self._counts)
        counted = {f.of for f in table.of_kind(Distinct, TopK).values()}
        counted |= {f.of for f in table.of_kind(LastN).values() if f.distinct}
        self.values = {str(name): Values(hops, words[str(name)]) for name in sorted(counted)}
        self.windows = {
            name: [table.windows.index(window.name) for window in table.windows_of(f)]
            for name, f in table.features.items()
            if not f.of_the_moment
        }
        self.names = {name: self._names(name, f) for name, f in table.features.items()}
        self.top = {
            name: MostFrequent(self.values[f.of], self.windows[name], f.k) for name, f in table.of_kind(TopK).items()
        }
        longest: dict[str, int] = {}
        for feature in table.features.values():
            if isinstance(feature, Last) or (isinstance(feature, LastN) and not feature.distinct):
                longest[str(feature.of)] = max(longest.get(str(feature.of), 0), getattr(feature, "n", 1))
        self.newest = {name: Newest(words[name], n) for name, n in longest.items()}
        firsts = {str(f.of) for f in table.features.values() if type(f) is First}
        self.oldest = {name: Oldest(hops, words[name]) for name in sorted(firsts)}
        self._last = Growing(np.int64, NEVER)
        self._mass = {name: Growing(np.float64) for name in table.of_kind(DecayedSum)}
        self._moment, self._created = Growing(np.int64), Growing(np.int64)
        self._due = Growing(np.bool_, False)

    def _names(self, name: str, feature: Aggregate) -> list[list[str]]:
        fields = [feature.fields(name, window.suffix, "String") for window in self.table.windows_of(feature)]
        return [[column for column, _ in group] for group in zip(*fields, strict=True)]

    def _parts(self) -> None:
        wanted = [(name, part) for name, kinds in parts_of(self.table).items() for part in kinds]
        sums = ["n", *(f"{n}.{p}" for n, p in wanted if p not in ("min", "max"))]
        sums += [f"{name}.true" for name in self.table.of_kind(Conditional)]
        least, most = ([f"{n}.{p}" for n, p in wanted if p == kind] for kind in ("min", "max"))
        self._counts = len(sums), len(least), len(most)
        self.parts = [*sums, *least, *most]
        self.place = {name: place for place, name in enumerate(self.parts)}

    # What comes

    def of_events(self, events: Events) -> Additions:
        """The events that count, as additions."""
        table = self.table
        some = np.logical_and.reduce([events.texts[key] >= 0 for key in table.keys])
        if table.where is not None:
            some &= holds(table.where, events)
        if not some.all():
            events = events.keep(some)
        key, time = self.keys.codes([events.texts[name] for name in table.keys]), events.time
        sums = np.empty((len(events), len(self.parts)), np.int64)
        for place, name in enumerate(self.parts):
            column, _, part = name.rpartition(".")
            sums[:, place] = self._part(events, column, part)
        masses = {
            name: np.ones(len(events)) if f.of is None else events.numbers[f.of].astype(np.float64)
            for name, f in table.of_kind(DecayedSum).items()
        }
        texts = {name: self._told(events, key, name) for name in {*self.values, *self.oldest}}
        sequence = {name: self._told(events, key, name) for name in self.newest}
        return Additions(key, time, time, events.created, sums, masses, texts, sequence)

    def _part(self, events: Events, column: str, part: str) -> np.ndarray | int:
        if part == "n" and not column:
            return 1
        if part == "true":
            one = self.table.features[column]
            assert isinstance(one, Conditional)
            return events.numbers[str(one.of)] if one.where is None else holds(one.where, events)
        numbers, there = events.numbers[column], events.there[column]
        if part == "n":
            return there
        if part == "squares":
            return numbers * numbers
        return numbers if part == "sum" else np.where(there, numbers, INT.max if part == "min" else INT.min)

    def _told(self, events: Events, key: np.ndarray, name: str) -> Texts:
        some = events.texts[name] >= 0
        time = events.time[some]
        return Texts(key[some], events.texts[name][some], time, np.ones(len(time), np.int64), time, time)

    def add(self, came: Additions) -> None:
        """Count what came."""
        if not len(came.key):
            return
        top = int(came.key.max()) + 1
        for at, index, rows in self._by_hop(self._sums, came.at, came.key, came.sums):
            self._sums.add(at, index, rows, self.starts)
        for name, texts in came.texts.items():
            self._add_texts(name, texts)
        for name, texts in came.sequence.items():
            self.newest[name].add(texts.key, texts.value, texts.last)
        self._add_fading(came, top)
        if came.due:
            np.maximum.at(self._moment.values(top), came.key, self._moments(came.last))
            np.maximum.at(self._created.values(top), came.key, came.created)
            self._due.values(top)[came.key] = True

    def _moments(self, last: np.ndarray) -> np.ndarray:
        """(n,) newest moment up to now at which a row is due to an event: it came, or it left a window."""
        found = last - last % self.table.unit + self.table.unit
        for window in self.table.spans:
            if not window.is_lifetime:
                leaves = window.leaves(last)
                found = np.where(leaves <= self.clock, np.maximum(found, leaves), found)
        return found

    def _by_hop(
        self, sums: Sums, at: np.ndarray, index: np.ndarray, rows: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Rows of one hop after the other, each index once."""
        hop = at // self.base
        first = int(hop.min()) if len(hop) else 0
        if not len(hop) or first == int(hop.max()):
            if len(hop):
                yield first * self.base, *sums.together(index, rows)
            return
        width = int(index.max()) + 1
        together, rows = sums.together((hop - first) * width + index, rows)
        number = together // width
        edges = [*np.flatnonzero(begins(number)).tolist(), len(number)]
        for start, stop in pairwise(edges):
            yield (int(number[start]) + first) * self.base, together[start:stop] % width, rows[start:stop]

    def _add_texts(self, name: str, texts: Texts) -> None:
        if name in self.oldest:
            oldest = self.oldest[name]
            hop = texts.at // self.base
            for number in np.unique(hop).tolist():
                some = hop == number
                index, rows = oldest.together(texts.key[some], np.column_stack([texts.first, texts.value])[some])
                oldest.add(number * self.base, index, rows, self.starts)
        if name not in self.values:
            return
        values = self.values[name]
        slots = values.slots(texts.key, texts.value)
        values.saw(slots, texts.last)
        for at, index, n in self._by_hop(values.counts, texts.at, slots, texts.n[:, None]):
            values.add(at, index, n[:, 0], self.starts)
            for top in self._tops(name):
                top.grew(index)

    def _tops(self, column: str) -> list[MostFrequent]:
        return [top for name, top in self.top.items() if self.table.features[name].of == column]

    def _add_fading(self, came: Additions, top: int) -> None:
        before = self._last.values(top)[came.key].copy()
        np.maximum.at(self._last.values(top), came.key, came.last)
        if not self._mass:
            return
        now = self._last.values(top)[came.key]
        keys, one = np.unique(came.key, return_index=True)
        for name, mass in self._mass.items():
            feature = self.table.features[name]
            assert isinstance(feature, DecayedSum)
            half_life = duration(feature.half_life)
            values = mass.values(top)
            passed = np.where(before[one] == NEVER, 0, now[one] - before[one])
            values[keys] *= np.exp2(-passed / half_life)
            np.add.at(values, came.key, came.masses[name] * np.exp2((came.last - now) / half_life))

    # Time

    def advance(self, clock: int) -> None:
        """Let time pass up to a moment: what leaves a window is taken away, and rows are due to it."""
        if clock <= self.clock:
            return
        self.clock = clock
        moved = False
        for number, window in enumerate(self.table.spans):
            if window.is_lifetime:
                continue
            since, start = self.starts[number], window.start(clock)
            if start <= since:
                continue
            moved = True
            self.starts[number] = start
            for at, index, _ in self._sums.leave(number, since, start):
                top = int(index[-1]) + 1
                moments = self._moment.values(top)
                moments[index] = np.maximum(moments[index], at + window.hop + window.width)
                self._due.values(top)[index] = True
            for name, values in self.values.items():
                fewer = values.leave(number, since, start)
                for top_k in self._tops(name) if len(fewer) else ():
                    top_k.fell(number, fewer)
        if moved:
            parts: list[Sums | Values | Oldest] = [self._sums, *self.values.values(), *self.oldest.values()]
            for part in parts:
                part.drop(self.starts)

    # What is due

    def due(self, most: int | None = None) -> np.ndarray:
        """Codes of keys that have a new row, so many at the most or all; they are not due any more."""
        mask = self._due.values(len(self.keys))
        keys = np.flatnonzero(mask)[:most]
        mask[keys] = False
        return keys

    def rows(self, keys: np.ndarray) -> "LiveRows":
        """The newest row of each of some keys (sorted, without repeats)."""
        from transforms.stream.state.live_rows import columns

        top = int(keys.max(initial=-1)) + 1
        moment = self._moment.values(top)[keys]
        created = np.maximum(moment, self._created.values(top)[keys])
        return LiveRows(self.keys.texts(keys), moment, created, columns(self, keys))

    def words(self, column: str) -> Words:
        """Texts of a column."""
        return self._words[column]

    def sums(self, keys: np.ndarray) -> np.ndarray:
        """(n, windows, parts) of some keys."""
        return self._sums.read(keys)

    def last(self, keys: np.ndarray) -> np.ndarray:
        """(n,) time of the newest event ever, ``NEVER`` without any."""
        return self._last.values(int(keys.max(initial=-1)) + 1)[keys]

    def mass(self, name: str, keys: np.ndarray) -> np.ndarray:
        """(n,) a fading sum as of ``last``."""
        return self._mass[name].values(int(keys.max(initial=-1)) + 1)[keys]


@dataclass
class LiveRows:
    """Rows of a table.

    Attributes:
        keys: join key → (n,) texts.
        event: (n,) moments, microseconds.
        created: (n,) when they could be known.
        columns: columns of one type → (their number × n,) values, one column after the other.
    """

    keys: dict[str, pa.Array]
    event: np.ndarray
    created: np.ndarray
    columns: dict[tuple[str, ...], pa.Array]

    @property
    def single(self) -> dict[str, pa.Array]:
        """Column → (n,) values."""
        rows = len(self.event)
        return {
            name: values.slice(place * rows, rows)
            for names, values in self.columns.items()
            for place, name in enumerate(names)
        }
