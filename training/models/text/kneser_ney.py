"""A language model of sequences: interpolated modified Kneser-Ney n-grams (Chen and Goodman 1998).

Items are words of a title, tags of an artist or tracks of a session. The probability of an item after a context is
its discounted count there, and what the discounts leave goes to the shorter context, where an item counts once for
each different item that it follows.
"""

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"


@dataclass
class KneserNey:
    """The model.

    Attributes:
        order: items of a context and the one after it.
        fewest: times an item must be seen; rarer ones are ``UNKNOWN``.
        vocabulary: items, with ``END`` and ``UNKNOWN``.
    """

    order: int = 3
    fewest: int = 1
    vocabulary: frozenset[str] = frozenset()
    _counts: list[dict[tuple[str, ...], Counter[str]]] = field(default_factory=list)
    _discounts: list[tuple[float, float, float]] = field(default_factory=list)
    _left: list[dict[tuple[str, ...], tuple[int, float]]] = field(default_factory=list)

    def fit(self, sequences: Iterable[Sequence[str]]) -> "KneserNey":
        """Count."""
        listed = [list(sequence) for sequence in sequences]
        seen = Counter(item for sequence in listed for item in sequence)
        kept = {item for item, count in seen.items() if count >= self.fewest}
        self.vocabulary = frozenset(kept | {END, UNKNOWN})
        highest: dict[tuple[str, ...], Counter[str]] = {}
        for sequence in listed:
            padded = self._padded(sequence)
            for place in range(self.order - 1, len(padded)):
                context = tuple(padded[place - self.order + 1 : place])
                highest.setdefault(context, Counter())[padded[place]] += 1
        return self._from(highest)

    def _from(self, highest: dict[tuple[str, ...], Counter[str]]) -> "KneserNey":
        """Everything that follows from the counts of the highest order."""
        tables = [highest]
        for _ in range(self.order - 1):
            shorter: dict[tuple[str, ...], Counter[str]] = {}
            for context, counter in tables[-1].items():
                for item in counter:
                    shorter.setdefault(context[1:], Counter())[item] += 1
            tables.append(shorter)
        self._counts = tables[::-1]
        self._discounts = [_discounts(table) for table in self._counts]
        self._left = []
        for table, (one, two, more) in zip(self._counts, self._discounts, strict=True):
            left = {}
            for context, counter in table.items():
                often = Counter(min(count, 3) for count in counter.values())
                total = sum(counter.values())
                left[context] = (total, (one * often[1] + two * often[2] + more * often[3]) / total)
            self._left.append(left)
        return self

    def probability(self, item: str, context: Sequence[str]) -> float:
        """Of an item after a context (the whole of what came before, without ``BEGIN``)."""
        known = item if item in self.vocabulary else UNKNOWN
        before = [one if one in self.vocabulary else UNKNOWN for one in context]
        padded = ([BEGIN] * (self.order - 1) + before)[len(before) :] if self.order > 1 else []
        return self._interpolated(known, tuple(padded))

    def _interpolated(self, item: str, context: tuple[str, ...]) -> float:
        value = 1 / len(self.vocabulary)
        for length in range(self.order):
            short = context[len(context) - length :]
            counter = self._counts[length].get(short)
            if counter is None:
                break
            total, left = self._left[length][short]
            count = counter.get(item, 0)
            discount = self._discounts[length][min(count, 3) - 1] if count else 0.0
            value = max(count - discount, 0.0) / total + left * value
        return value

    def log_probability(self, sequence: Sequence[str]) -> float:
        """Natural logarithm, its end included."""
        told = [*sequence, END]
        return sum(math.log(self.probability(item, told[:place])) for place, item in enumerate(told))

    def perplexity(self, sequences: Iterable[Sequence[str]]) -> float:
        """exp of the mean negative log probability an item, ends included."""
        total, count = 0.0, 0
        for sequence in sequences:
            total += self.log_probability(sequence)
            count += len(sequence) + 1
        return math.exp(-total / count) if count else float("nan")

    def likely(self, context: Sequence[str], most: int = 50) -> list[tuple[str, float]]:
        """Items after a context, the likeliest first, ``UNKNOWN`` left out; among those seen after a part of it."""
        before = [one if one in self.vocabulary else UNKNOWN for one in context]
        padded = tuple(([BEGIN] * (self.order - 1) + before)[len(before) :]) if self.order > 1 else ()
        candidates: dict[str, None] = {}
        for length in range(self.order - 1, -1, -1):
            counter = self._counts[length].get(padded[len(padded) - length :], Counter())
            candidates.update(dict.fromkeys(item for item, _ in counter.most_common(most) if item != UNKNOWN))
            if len(candidates) >= most:
                break
        scored = [(item, self._interpolated(item, padded)) for item in candidates]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:most]

    def continued(self, start: Sequence[str], *, longest: int, width: int = 8, twice: bool = True) -> list[str]:
        """The likeliest continuation of a beginning, by beam search, scored by the mean log probability an item.

        Args:
            start: the beginning; it is part of what comes back.
            longest: items at the most.
            width: of the beam.
            twice: whether an item may come again.
        """
        beam: list[tuple[float, list[str]]] = [(0.0, list(start))]
        done: list[tuple[float, list[str]]] = []
        for _ in range(max(longest - len(start), 0) + 1):
            grown = []
            for score, told in beam:
                for item, chance in self.likely(told, 4 * width):
                    if not twice and item in told:
                        continue
                    following = score + math.log(chance)
                    if item == END:
                        done.append((following / (len(told) - len(start) + 1), told))
                    elif len(told) < longest:
                        grown.append((following, [*told, item]))
            beam = sorted(grown, key=lambda pair: -pair[0])[:width]
        done += [(score / max(len(told) - len(start), 1), told) for score, told in beam]
        return max(done, key=lambda pair: pair[0])[1] if done else list(start)

    def to_bytes(self) -> bytes:
        """The counts of the highest order, all that the rest follows from, as compressed JSON."""
        told = {
            "order": self.order,
            "fewest": self.fewest,
            "vocabulary": sorted(self.vocabulary),
            "counts": [[list(context), dict(counter)] for context, counter in self._counts[-1].items()],
        }
        return gzip.compress(json.dumps(told, ensure_ascii=False).encode(), mtime=0)

    @classmethod
    def from_bytes(cls, content: bytes) -> "KneserNey":
        """As ``to_bytes`` wrote it."""
        told = json.loads(gzip.decompress(content))
        model = cls(told["order"], told["fewest"], frozenset(told["vocabulary"]))
        return model._from({tuple(context): Counter(counter) for context, counter in told["counts"]})

    def _padded(self, sequence: Sequence[str]) -> list[str]:
        known = [item if item in self.vocabulary else UNKNOWN for item in sequence]
        return [BEGIN] * (self.order - 1) + known + [END]


def _discounts(table: dict[tuple[str, ...], Counter[str]]) -> tuple[float, float, float]:
    """Of counts of one, two, and three or more (Chen and Goodman 1998, equation 17)."""
    often = Counter(min(count, 5) for counter in table.values() for count in counter.values())
    one, two, three, four = (often[count] for count in (1, 2, 3, 4))
    if not one or not two:
        return 0.5, 0.5, 0.5
    share = one / (one + 2 * two)
    found = [1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three if three else 1.0]
    return tuple(min(max(value, 0.0), float(size)) for size, value in enumerate(found, start=1))  # type: ignore[return-value]
