"""One windowed table, kept up to date event by event."""

from collections.abc import Mapping
from functools import reduce

import numpy as np

from feature_repo.windows import Aggregate, Conditional, DecayedSum, Distinct, First, Last, LastN, TopK, WindowedTable
from feature_repo.windows.table import DAY, duration
from transforms.batch.windows.tiles import parts as parts_of
from transforms.stream.state.additions import Additions, Texts
from transforms.stream.state.events import Events, holds
from transforms.stream.state.grouped import Grouped
from transforms.stream.state.growing import Growing
from transforms.stream.state.keys import Keys
from transforms.stream.state.newest import NEVER, Newest
from transforms.stream.state.oldest import Oldest
from transforms.stream.state.pairs import Pairs
from transforms.stream.state.sums import INT, Sums
from transforms.stream.state.top_k import TopK as MostFrequent
from transforms.stream.state.values import Values
from transforms.stream.state.words import Words


class LiveTable:
    """What each key has in each window now, and which rows are due.

    What it holds at a moment follows from the events and the moment alone, whatever their order: sums are integers,
    ties are settled by letters.

    Args:
        table: the declaration.
        words: column of the source → its texts.
        pairs: two of them → the numbers of their pairs, which other tables use, too.

    Attributes:
        parts: what is summed up of each key and window.
        place: part → where it stands.
        values: column → its texts by key.
        windows: feature → numbers of its windows; none of those that know no windows.
        names: feature → for each of its kinds of column the name of that of each window.
        starts: (windows,) first moment of each now.
    """

    def __init__(self, table: WindowedTable, words: Mapping[str, Words], pairs: Mapping[frozenset[str], Pairs]) -> None:
        self.table, self.clock = table, 0
        self._key_name = ",".join(table.keys)
        self.keys = Keys(table, words)
        self._words = words
        self.starts = np.full(len(table.spans), INT.min)
        hops = [0 if window.is_lifetime else window.hop for window in table.spans]
        self.base = min((hop for hop in hops if hop), default=DAY)
        self._parts()
        self._sums = Sums(hops, *self._counts)
        counted = {f.of for f in table.of_kind(Distinct, TopK).values()}
        counted |= {f.of for f in table.of_kind(LastN).values() if f.distinct}
        self.values = {
            name: Values(hops, words[name], pairs.get(self._columns(name), Pairs()))
            for name in sorted(map(str, counted))
        }
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
        self._closed = Growing(np.int64)
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
        some = reduce(np.logical_and, (events.texts[key] >= 0 for key in table.keys))
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
        came = Additions(key, time, time, events.created, sums, masses)
        told = {name: self._told(events, came, name) for name in {*self.values, *self.oldest, *self.newest}}
        came.texts = {name: told[name] for name in {*self.values, *self.oldest}}
        came.sequence = {name: told[name] for name in self.newest}
        return came

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

    def _told(self, events: Events, came: Additions, name: str) -> Texts:
        value, time = events.texts[name], events.time
        there = value >= 0
        if there.all():
            columns = self._columns(name)
            pair = events.numbers_of(columns) if name in self.values and columns in events.pairs else None
            texts = Texts(came.key, value, time, time, time, pair=pair)
            texts.by_key = came.by_key
            return texts
        time = time[there]
        return Texts(came.key[there], value[there], time, time, time)

    def add(self, came: Additions) -> None:
        """Count what came."""
        if not len(came.key):
            return
        by_key, hops = came.by_key, self._hops(came.at)
        for at, some in hops:
            mine = by_key if some is None else Grouped.by(came.key[some])
            rows = came.sums if some is None else came.sums[some]
            self._sums.add(at, mine.index, self._sums.one_each(mine, rows), self.starts)
        for name, texts in came.texts.items():
            self._add_texts(name, texts, hops if texts.at is came.at else self._hops(texts.at))
        for name, texts in came.sequence.items():
            self.newest[name].add(texts.by_key, texts.value, texts.last)
        self._add_fading(came)
        if came.due:
            keys = by_key.index
            for kept, told in ((self._moment, self.moments(came.last)), (self._created, came.created)):
                values = kept.upto(keys)
                values[keys] = np.maximum(values[keys], by_key.largest(told))
            self._due.upto(keys)[keys] = True

    def moments(self, last: np.ndarray) -> np.ndarray:
        """(n,) newest moment up to now at which a row is due to an event at ``last``: it came, or it left a window."""
        found, earliest = last - last % self.table.unit + self.table.unit, int(last.min(initial=self.clock))
        for window in self.table.spans:
            if not window.is_lifetime and window.leaves(earliest) <= self.clock:
                leaves = window.leaves(last)
                found = np.where(leaves <= self.clock, np.maximum(found, leaves), found)
        return found

    def _hops(self, at: np.ndarray) -> list[tuple[int, np.ndarray | None]]:
        """Beginning of each hop, and places of what came within it; None for all."""
        hop = at // self.base
        if not len(hop):
            return []
        if (hop == hop[0]).all():
            return [(int(hop[0]) * self.base, None)]
        hops = Grouped.by(hop)
        begin, first, length = (part.tolist() for part in (hops.index * self.base, hops.first, hops.length))
        return [(at, hops.order[a : a + n]) for at, a, n in zip(begin, first, length, strict=True)]

    def _add_texts(self, name: str, texts: Texts, hops: list[tuple[int, np.ndarray | None]]) -> None:
        oldest, values = self.oldest.get(name), self.values.get(name)
        if values is not None and texts.pair is None:
            texts.pair = values.pairs.of_columns((self._key_name, texts.key), (name, texts.value))
        for at, some in hops:
            mine = texts.keep(some)
            if oldest is not None:
                oldest.add(at, *oldest.together(mine.key, np.column_stack([mine.first, mine.value])))
            if values is not None:
                slots = values.add(at, mine, self.starts)
                for top in self._tops(name):
                    top.grew(slots)

    def _columns(self, name: str) -> frozenset[str]:
        """The columns whose pairs are those of keys and texts of a column; none where a key is several columns."""
        return frozenset([*self.table.keys, name] if len(self.table.keys) == 1 else [])

    def _tops(self, column: str) -> list[MostFrequent]:
        return [top for name, top in self.top.items() if self.table.features[name].of == column]

    def _add_fading(self, came: Additions) -> None:
        keys = came.by_key.index
        last = self._last.upto(keys)
        before = last[keys]
        now = last[keys] = np.maximum(before, came.by_key.largest(came.last))
        for name, mass in self._mass.items():
            feature = self.table.features[name]
            assert isinstance(feature, DecayedSum)
            half_life = duration(feature.half_life)
            values = mass.upto(keys)
            values[keys] *= np.exp2(-np.where(before == NEVER, 0, now - before) / half_life)
            np.add.at(values, came.key, came.masses[name] * np.exp2((came.last - last[came.key]) / half_life))

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
                moments = self._moment.upto(index)
                moments[index] = np.maximum(moments[index], at + window.hop + window.width)
                self._due.upto(index)[index] = True
            for name, values in self.values.items():
                fewer = values.leave(number, since, start)
                for top_k in self._tops(name) if len(fewer) else ():
                    top_k.fell(number, fewer)
        if moved:
            parts: list[Sums | Values | Oldest] = [self._sums, *self.values.values(), *self.oldest.values()]
            for part in parts:
                part.drop(self.starts)

    def note_closed(self, keys: np.ndarray, moments: np.ndarray, now: int) -> None:
        """Have no row of some keys be older than closing rows of their table: these say what the newest row says.

        Args:
            keys: (n,) codes, sorted.
            moments: (n,) of the newest closing row of each, microseconds.
            now: from which the rows are known, at least.
        """
        self._closed.upto(keys)[keys] = moments
        created = self._created.upto(keys)
        created[keys] = np.maximum(created[keys], now)

    def closed(self, keys: np.ndarray) -> np.ndarray:
        """(n,) moments of the newest closing rows of some keys (sorted), 0 where there are none."""
        return self._closed.upto(keys)[keys]

    # What is due

    def due(self, most: int | None = None) -> np.ndarray:
        """Codes of keys that have a new row, so many at the most or all; they are not due any more."""
        mask = self._due.values(len(self.keys))
        keys = np.flatnonzero(mask)[:most]
        mask[keys] = False
        return keys

    def times(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) moments of the newest rows of some keys (sorted), and (n,) when they could be known; microseconds."""
        moment = self._moment.upto(keys)[keys]
        moment = np.where(moment > 0, np.maximum(moment, self.closed(keys)), moment)
        return moment, np.maximum(moment, self._created.upto(keys)[keys])

    def words(self, column: str) -> Words:
        """Texts of a column."""
        return self._words[column]

    def sums(self, keys: np.ndarray) -> np.ndarray:
        """(n, windows, parts) of some keys, sorted."""
        return self._sums.read(keys)

    def last(self, keys: np.ndarray) -> np.ndarray:
        """(n,) time of the newest event ever of some keys (sorted), ``NEVER`` without any."""
        return self._last.upto(keys)[keys]

    def mass(self, name: str, keys: np.ndarray) -> np.ndarray:
        """(n,) a fading sum as of ``last`` of some keys, sorted."""
        return self._mass[name].upto(keys)[keys]
