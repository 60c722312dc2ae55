"""One windowed table, kept up to date event by event."""

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

import numpy as np

from feature_repo.windows import (
    Aggregate,
    Conditional,
    DecayedSum,
    Distinct,
    First,
    Last,
    LastN,
    Previous,
    TopK,
    WindowedTable,
)
from feature_repo.windows.table import DAY, duration
from transforms.batch.windows import wide
from transforms.batch.windows.quantile import buckets
from transforms.batch.windows.tiles import bucket_column, bucketed
from transforms.batch.windows.tiles import parts as parts_of
from transforms.stream.state.additions import Additions, Texts
from transforms.stream.state.dimensions import Dimension, Enrichment
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

_NARROW = frozenset(("n", "sum", "min", "max"))
"""Parts of one column that follow from its values without ``wide``."""


class LiveTable:
    """The current aggregates of each key in each window, and the keys whose rows are due.

    The state depends on the events and the current moment alone, not on the order of arrival: sums are integers, and
    ties are broken by the order of the texts.

    Args:
        table: the declaration.
        words: column of the source → its coded values, texts or integers.
        pairs: two columns → the numbers of their pairs of texts, shared with other tables.
        dimensions: name → the dimension, at least those that the table is enriched with.

    Attributes:
        parts: names of the numbers that are aggregated for each key and window.
        part_index: part → its position in ``parts``.
        values: column → its texts by key.
        windows: feature → numbers of its windows; without features that have no windows.
        names: feature → for each kind of column that it has, the column's name in each window.
        starts: (windows,) current first moments of the windows, microseconds.
    """

    def __init__(
        self,
        table: WindowedTable,
        words: Mapping[str, Words],
        pairs: Mapping[frozenset[str], Pairs],
        dimensions: Mapping[str, Dimension] | None = None,
    ) -> None:
        self.table, self.clock = table, 0
        self._enrichment = Enrichment(table, dimensions or {})
        words = {**words, **self._enrichment.words}
        self._key_name = ",".join(table.keys)
        self.keys = Keys(table, words)
        self._words = words
        self.starts = np.full(len(table.spans), INT.min)
        hops = [0 if window.is_lifetime else window.hop for window in table.spans]
        self.base = min((hop for hop in hops if hop), default=DAY)
        self._name_parts()
        self._sums = Sums(hops, *self._part_counts)
        counted_columns = {f.of for f in table.of_kind(Distinct, TopK).values()}
        counted_columns |= {f.of for f in table.of_kind(LastN).values() if f.distinct}
        self.values = {
            name: Values(hops, words[name], pairs.get(self._pair_columns(name), Pairs()))
            for name in sorted(map(str, counted_columns))
        }
        self._buckets = {bucket_column(name): name for name in bucketed(table)}
        self.values |= {name: Values(hops, Words(), Pairs()) for name in self._buckets}
        self.windows = {
            name: [table.windows.index(window.name) for window in table.windows_of(f)]
            for name, f in table.features.items()
            if not f.of_the_moment
        }
        self.names = {name: self._names(name, f) for name, f in table.features.items()}
        self.top = {
            name: MostFrequent(self.values[f.of], self.windows[name], f.k) for name, f in table.of_kind(TopK).items()
        }
        list_lengths: dict[str, int] = {}
        for feature in table.features.values():
            if isinstance(feature, Last | Previous) or (isinstance(feature, LastN) and not feature.distinct):
                n = feature.n if isinstance(feature, LastN) else 2 if isinstance(feature, Previous) else 1
                list_lengths[str(feature.of)] = max(list_lengths.get(str(feature.of), 0), n)
        self.newest = {name: Newest(words.get(name), n) for name, n in list_lengths.items()}
        first_columns = {str(f.of) for f in table.features.values() if type(f) is First}
        self.oldest = {name: Oldest(hops, words.get(name)) for name in sorted(first_columns)}
        self._last = Growing(np.int64, NEVER)
        self._mass = {name: Growing(np.float64) for name in table.of_kind(DecayedSum)}
        self._moment, self._created = Growing(np.int64), Growing(np.int64)
        self._closed = Growing(np.int64)
        self._due = Growing(np.bool_, False)

    def _names(self, name: str, feature: Aggregate) -> list[list[str]]:
        fields = [feature.fields(name, window.suffix, "String") for window in self.table.windows_of(feature)]
        return [[column for column, _ in group] for group in zip(*fields, strict=True)]

    def _name_parts(self) -> None:
        column_parts = [(name, part) for name, kinds in parts_of(self.table).items() for part in kinds]
        sums = ["n", *(f"{n}.{p}" for n, p in column_parts if p not in ("min", "max"))]
        sums += [f"{name}.true" for name in self.table.of_kind(Conditional)]
        minima, maxima = ([f"{n}.{p}" for n, p in column_parts if p == kind] for kind in ("min", "max"))
        self._wide_parts = {n: kinds for n, kinds in parts_of(self.table).items() if not _NARROW.issuperset(kinds)}
        self._part_counts = len(sums), len(minima), len(maxima)
        self.parts = [*sums, *minima, *maxima]
        self.part_index = {name: place for place, name in enumerate(self.parts)}

    # Additions

    def additions_of(self, events: Events) -> Additions:
        """Selects the events that the table counts, and computes what they add."""
        table, events = self.table, self._enrichment.enriched(events)
        counts = reduce(np.logical_and, (events.texts[key] >= 0 for key in table.keys))
        if table.where is not None:
            counts &= holds(table.where, events)
        if not counts.all():
            events = events.keep(counts)
        key, time = self.keys.codes([events.texts[name] for name in table.keys]), events.time
        sums = np.empty((len(events), len(self.parts)), np.int64)
        products = self._products(events)
        for place, name in enumerate(self.parts):
            column, _, part = name.rpartition(".")
            sums[:, place] = products[name] if name in products else self._part(events, column, part)
        masses = {
            name: np.ones(len(events)) if f.of is None else events.numbers[f.of].astype(np.float64)
            for name, f in table.of_kind(DecayedSum).items()
        }
        additions = Additions(key, time, time, events.created, sums, masses)
        columns = {*self.values, *self.oldest, *self.newest} - self._buckets.keys()
        texts = {column: self._text_additions(events, additions, column) for column in columns}
        for bucket, column in self._buckets.items():
            numbers = self._number_additions(events, additions, column)
            texts[bucket] = replace(numbers, value=buckets(numbers.value))
        additions.texts = {name: texts[name] for name in {*self.values, *self.oldest}}
        additions.sequence = {name: texts[name] for name in self.newest}
        return additions

    def _products(self, events: Events) -> dict[str, np.ndarray]:
        """Part → (n,) parts of products, of the columns that need them."""
        return {
            f"{column}.{part}": values
            for column, parts in self._wide_parts.items()
            for part, values in wide.parts_of(
                parts, events.numbers[self.table.enriched.integers(column)], events.present[column], events.time
            ).items()
        }

    def _part(self, events: Events, column: str, part: str) -> np.ndarray | int:
        if part == "n" and not column:
            return 1
        if part == "true":
            feature = self.table.features[column]
            assert isinstance(feature, Conditional)
            return events.numbers[str(feature.of)] if feature.where is None else holds(feature.where, events)
        numbers, present = events.numbers[self.table.enriched.integers(column)], events.present[column]
        if part == "n":
            return present
        return numbers if part == "sum" else np.where(present, numbers, INT.max if part == "min" else INT.min)

    def _text_additions(self, events: Events, additions: Additions, column: str) -> Texts:
        value = events.texts.get(column)
        if value is None:
            return self._number_additions(events, additions, column)
        columns, present = self._pair_columns(column), value >= 0
        texts = self._additions(events, additions, value, present)
        if column in self.values and columns in events.pairs and present.all():
            texts.pair = events.numbers_of(columns)
        return texts

    def _number_additions(self, events: Events, additions: Additions, column: str) -> Texts:
        integers = events.numbers[self.table.enriched.integers(column)]
        return self._additions(events, additions, integers, events.present[column])

    def _additions(self, events: Events, additions: Additions, value: np.ndarray, present: np.ndarray) -> Texts:
        time = events.time
        if present.all():
            texts = Texts(additions.key, value, time, time, time)
            texts.by_key = additions.by_key
            return texts
        time = time[present]
        return Texts(additions.key[present], value[present], time, time, time)

    def add(self, additions: Additions) -> None:
        """Counts additions, and marks the rows of their keys as due."""
        if not len(additions.key):
            return
        by_key, hops = additions.by_key, self._hops(additions.at)
        for at, mask in hops:
            groups = by_key if mask is None else Grouped.by(additions.key[mask])
            rows = additions.sums if mask is None else additions.sums[mask]
            self._sums.add(at, groups.index, self._sums.reduce_groups(groups, rows), self.starts)
        for name, texts in additions.texts.items():
            self._add_texts(name, texts, hops if texts.at is additions.at else self._hops(texts.at))
        for name, texts in additions.sequence.items():
            self.newest[name].add(texts.by_key, texts.value, texts.last)
        self._add_masses(additions)
        if additions.due:
            keys = by_key.index
            for stored, times in ((self._moment, self.moments(additions.last)), (self._created, additions.created)):
                values = stored.upto(keys)
                values[keys] = np.maximum(values[keys], by_key.maxima(times))
            self._due.upto(keys)[keys] = True

    def moments(self, last: np.ndarray) -> np.ndarray:
        """(n,) newest moment up to now at which events at ``last`` make a row due: on arrival, or leaving a window."""
        moments, earliest = last - last % self.table.unit + self.table.unit, int(last.min(initial=self.clock))
        for window in self.table.spans:
            if not window.is_lifetime and window.leaves(earliest) <= self.clock:
                leaves = window.leaves(last)
                moments = np.where(leaves <= self.clock, np.maximum(moments, leaves), moments)
        return moments

    def _hops(self, at: np.ndarray) -> list[tuple[int, np.ndarray | None]]:
        """Start of each hop, and the row numbers of the additions within it; None for all rows."""
        hop = at // self.base
        if not len(hop):
            return []
        if (hop == hop[0]).all():
            return [(int(hop[0]) * self.base, None)]
        hops = Grouped.by(hop)
        starts, first, length = (part.tolist() for part in (hops.index * self.base, hops.first, hops.length))
        return [(at, hops.order[a : a + n]) for at, a, n in zip(starts, first, length, strict=True)]

    def _add_texts(self, name: str, texts: Texts, hops: list[tuple[int, np.ndarray | None]]) -> None:
        oldest, values = self.oldest.get(name), self.values.get(name)
        if values is not None and texts.pair is None:
            texts.pair = values.pairs.of_columns((self._key_name, texts.key), (name, texts.value))
        for at, mask in hops:
            hop_texts = texts.keep(mask)
            if oldest is not None:
                oldest.add(
                    at, *oldest.reduce_by_index(hop_texts.key, np.column_stack([hop_texts.first, hop_texts.value]))
                )
            if values is not None:
                slots = values.add(at, hop_texts, self.starts)
                for top in self._tops(name):
                    top.counts_rose(slots)

    def _pair_columns(self, name: str) -> frozenset[str]:
        """The key column and a text column; empty if the key has several columns."""
        return frozenset([*self.table.keys, name] if len(self.table.keys) == 1 else [])

    def _tops(self, column: str) -> list[MostFrequent]:
        return [top for name, top in self.top.items() if self.table.features[name].of == column]

    def _add_masses(self, additions: Additions) -> None:
        keys = additions.by_key.index
        last = self._last.upto(keys)
        before = last[keys]
        now = last[keys] = np.maximum(before, additions.by_key.maxima(additions.last))
        for name, mass in self._mass.items():
            feature = self.table.features[name]
            assert isinstance(feature, DecayedSum)
            half_life = duration(feature.half_life)
            values = mass.upto(keys)
            values[keys] *= np.exp2(-np.where(before == NEVER, 0, now - before) / half_life)
            decay = np.exp2((additions.last - last[additions.key]) / half_life)
            np.add.at(values, additions.key, additions.masses[name] * decay)

    # Time

    def advance(self, clock: int) -> None:
        """Advances time to a moment: hops that leave a window are subtracted, which makes rows of their keys due."""
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
                slots = values.leave(number, since, start)
                for top_k in self._tops(name) if len(slots) else ():
                    top_k.counts_fell(number, slots)
        if moved:
            parts: list[Sums | Values | Oldest] = [self._sums, *self.values.values(), *self.oldest.values()]
            for part in parts:
                part.drop(self.starts)

    def note_closed(self, keys: np.ndarray, moments: np.ndarray, now: int) -> None:
        """Notes closing rows, so that no row of their keys is stamped earlier than the key's newest closing row.

        Args:
            keys: (n,) codes of the keys, sorted.
            moments: (n,) event time of the newest closing row of each key, microseconds.
            now: earliest created time of the keys' rows, microseconds.
        """
        self._closed.upto(keys)[keys] = moments
        created = self._created.upto(keys)
        created[keys] = np.maximum(created[keys], now)

    def closed(self, keys: np.ndarray) -> np.ndarray:
        """(n,) event times of the newest closing rows of some keys (sorted), 0 for a key without closing rows."""
        return self._closed.upto(keys)[keys]

    # Due rows

    def due(self, limit: int | None = None) -> np.ndarray:
        """Codes of at most ``limit`` keys that have a new row; returned keys are no longer due."""
        mask = self._due.values(len(self.keys))
        keys = np.flatnonzero(mask)[:limit]
        mask[keys] = False
        return keys

    def times(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) event times and (n,) created times of the newest rows of some keys (sorted); microseconds."""
        moment = self._moment.upto(keys)[keys]
        moment = np.where(moment > 0, np.maximum(moment, self.closed(keys)), moment)
        return moment, np.maximum(moment, self._created.upto(keys)[keys])

    def words(self, column: str) -> Words:
        """The values of a column that have codes."""
        return self._words[column]

    def is_coded(self, column: str) -> bool:
        """Whether the values of a column have codes, as those of all columns of texts have."""
        return column in self._words

    def sums(self, keys: np.ndarray) -> np.ndarray:
        """(n, windows, parts) sums, minima and maxima of some keys (sorted)."""
        return self._sums.read(keys)

    def last(self, keys: np.ndarray) -> np.ndarray:
        """(n,) time of the newest event ever of some keys (sorted), ``NEVER`` for a key without events."""
        return self._last.upto(keys)[keys]

    def mass(self, name: str, keys: np.ndarray) -> np.ndarray:
        """(n,) a decayed sum of some keys (sorted), as of ``last``."""
        return self._mass[name].upto(keys)[keys]
