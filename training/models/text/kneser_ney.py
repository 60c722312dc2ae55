"""A language model of sequences: interpolated modified Kneser-Ney n-grams (Chen and Goodman 1998).

Items are words of a title, tags of an artist or tracks of a session. The probability of an item after a context is
its discounted count in that context plus a share of its probability after the shorter context. The discounts set the
size of that share. In a shorter context an item counts once for each different item that it follows.
"""

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from training.exact.tallies import ngrams

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
_FALLBACK = 0.5
"""Discount where the counts give none."""


@dataclass
class KneserNey:
    """An n-gram model of sequences of items.

    Attributes:
        order: length of the n-grams: the items of the longest context, plus the item after it.
        fewest: minimum count of an item in the training sequences; rarer items become ``UNKNOWN``.
        vocabulary: the items that the model tells apart, with ``END`` and ``UNKNOWN``.
    """

    order: int = 3
    fewest: int = 1
    vocabulary: frozenset[str] = frozenset()
    _counts: list[dict[tuple[str, ...], Counter[str]]] = field(default_factory=list)
    _discounts: list[tuple[float, float, float]] = field(default_factory=list)
    _backoff: list[dict[tuple[str, ...], tuple[int, float]]] = field(default_factory=list)

    def fit(self, sequences: Iterable[Sequence[str]]) -> "KneserNey":
        """Count the n-grams of the training sequences and derive the model from them; return itself."""
        return self.solve(ngrams(sequences, self.order, BEGIN, END))

    def solve(self, counts: Counter[tuple[str, ...]]) -> "KneserNey":
        """Derive the model from n-grams of the true items (``training.exact.tallies``); return itself.

        Each occurrence of an item is the last of one n-gram. Equal tallies give the same model, byte for byte, in
        whatever order the sequences were counted.
        """
        item_counts: Counter[str] = Counter()
        for ngram, count in counts.items():
            item_counts[ngram[-1]] += count
        frequent_items = {item for item, count in item_counts.items() if count >= self.fewest and item != END}
        self.vocabulary = frozenset(frequent_items | {END, UNKNOWN})
        known = {item: item for item in self.vocabulary} | {BEGIN: BEGIN}
        highest_order_counts: dict[tuple[str, ...], Counter[str]] = {}
        for ngram in sorted(counts):
            *context, item = (known.get(item, UNKNOWN) for item in ngram)
            highest_order_counts.setdefault(tuple(context), Counter())[item] += counts[ngram]
        return self._from_counts(highest_order_counts)

    def _from_counts(self, highest_order_counts: dict[tuple[str, ...], Counter[str]]) -> "KneserNey":
        """Derive shorter contexts, discounts and backoff weights from the counts of the highest order."""
        tables = [highest_order_counts]
        for _ in range(self.order - 1):
            shorter: dict[tuple[str, ...], Counter[str]] = {}
            for context, counter in tables[-1].items():
                for item in counter:
                    shorter.setdefault(context[1:], Counter())[item] += 1
            tables.append(shorter)
        self._counts = tables[::-1]
        self._discounts = [_discounts(table) for table in self._counts]
        self._backoff = []
        for table, (discount_1, discount_2, discount_3) in zip(self._counts, self._discounts, strict=True):
            backoff = {}
            for context, counter in table.items():
                items_by_count = Counter(min(count, 3) for count in counter.values())
                total = sum(counter.values())
                backoff[context] = (
                    total,
                    (discount_1 * items_by_count[1] + discount_2 * items_by_count[2] + discount_3 * items_by_count[3])
                    / total,
                )
            self._backoff.append(backoff)
        return self

    def probability(self, item: str, context: Sequence[str]) -> float:
        """Return the probability of an item after a context: all items before it, without ``BEGIN``."""
        vocabulary_item = item if item in self.vocabulary else UNKNOWN
        vocabulary_context = [item_before if item_before in self.vocabulary else UNKNOWN for item_before in context]
        padded = ([BEGIN] * (self.order - 1) + vocabulary_context)[len(vocabulary_context) :] if self.order > 1 else []
        return self._interpolated_probability(vocabulary_item, tuple(padded))

    def _interpolated_probability(self, item: str, context: tuple[str, ...]) -> float:
        value = 1 / len(self.vocabulary)
        for length in range(self.order):
            shortened_context = context[len(context) - length :]
            counter = self._counts[length].get(shortened_context)
            if counter is None:
                break
            total, backoff_weight = self._backoff[length][shortened_context]
            count = counter.get(item, 0)
            discount = self._discounts[length][min(count, 3) - 1] if count else 0.0
            value = max(count - discount, 0.0) / total + backoff_weight * value
        return value

    def log_probability(self, sequence: Sequence[str]) -> float:
        """Return the natural logarithm of the probability of a sequence, including its end."""
        ended_sequence = [*sequence, END]
        return sum(
            math.log(self.probability(item, ended_sequence[:position])) for position, item in enumerate(ended_sequence)
        )

    def perplexity(self, sequences: Iterable[Sequence[str]]) -> float:
        """Return exp of the mean negative log probability per item; the end of a sequence counts as an item."""
        log_probability, item_count = 0.0, 0
        for sequence in sequences:
            log_probability += self.log_probability(sequence)
            item_count += len(sequence) + 1
        return math.exp(-log_probability / item_count) if item_count else float("nan")

    def likely_next(self, context: Sequence[str], max_items: int = 50) -> list[tuple[str, float]]:
        """Return the likeliest next items with their probabilities, best first, without ``UNKNOWN``.

        Only items that followed the context, or its last items, in the training sequences are candidates.
        """
        vocabulary_context = [item_before if item_before in self.vocabulary else UNKNOWN for item_before in context]
        padded = (
            tuple(([BEGIN] * (self.order - 1) + vocabulary_context)[len(vocabulary_context) :])
            if self.order > 1
            else ()
        )
        candidates: dict[str, None] = {}
        for length in range(self.order - 1, -1, -1):
            counter = self._counts[length].get(padded[len(padded) - length :], Counter())
            candidates.update(dict.fromkeys(item for item, _ in counter.most_common(max_items) if item != UNKNOWN))
            if len(candidates) >= max_items:
                break
        scored = [(item, self._interpolated_probability(item, padded)) for item in candidates]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:max_items]

    def continue_sequence(
        self, first_items: Sequence[str], *, max_items: int, beam_width: int = 8, allow_repeats: bool = True
    ) -> list[str]:
        """Return the likeliest continuation of a sequence, by beam search on the mean log probability per item.

        Args:
            first_items: the first items of the sequence; the result begins with them.
            max_items: maximum length of the result, in items.
            beam_width: number of sequences in the beam.
            allow_repeats: whether an item may occur more than once.
        """
        beam: list[tuple[float, list[str]]] = [(0.0, list(first_items))]
        ended_sequences: list[tuple[float, list[str]]] = []
        for _ in range(max(max_items - len(first_items), 0) + 1):
            extended_sequences = []
            for score, sequence in beam:
                for item, probability in self.likely_next(sequence, 4 * beam_width):
                    if not allow_repeats and item in sequence:
                        continue
                    extended_score = score + math.log(probability)
                    if item == END:
                        ended_sequences.append((extended_score / (len(sequence) - len(first_items) + 1), sequence))
                    elif len(sequence) < max_items:
                        extended_sequences.append((extended_score, [*sequence, item]))
            beam = sorted(extended_sequences, key=lambda pair: -pair[0])[:beam_width]
        ended_sequences += [(score / max(len(sequence) - len(first_items), 1), sequence) for score, sequence in beam]
        return max(ended_sequences, key=lambda pair: pair[0])[1] if ended_sequences else list(first_items)

    def to_bytes(self) -> bytes:
        """Serialize the counts of the highest order as compressed JSON; the rest is derived from them."""
        state = {
            "order": self.order,
            "fewest": self.fewest,
            "vocabulary": sorted(self.vocabulary),
            "counts": [[list(context), dict(counter)] for context, counter in self._counts[-1].items()],
        }
        return gzip.compress(json.dumps(state, ensure_ascii=False).encode(), mtime=0)

    @classmethod
    def from_bytes(cls, content: bytes) -> "KneserNey":
        """Read a model that ``to_bytes`` wrote."""
        state = json.loads(gzip.decompress(content))
        model = cls(state["order"], state["fewest"], frozenset(state["vocabulary"]))
        return model._from_counts({tuple(context): Counter(counter) for context, counter in state["counts"]})


def _discounts(table: dict[tuple[str, ...], Counter[str]]) -> tuple[float, float, float]:
    """Return the discounts of counts of one, two, and three or more (Chen and Goodman 1998, equation 17).

    Of few counts the estimate can be 0 or less; a context would then leave nothing to what did not follow it, so half
    an occurrence is discounted, as where there is no estimate.
    """
    counts_of_counts = Counter(min(count, 5) for counter in table.values() for count in counter.values())
    ones, twos, threes, fours = (counts_of_counts[count] for count in (1, 2, 3, 4))
    if not ones or not twos:
        return _FALLBACK, _FALLBACK, _FALLBACK
    share = ones / (ones + 2 * twos)
    discounts = [
        1 - 2 * share * twos / ones,
        2 - 3 * share * threes / twos,
        3 - 4 * share * fours / threes if threes else 1.0,
    ]
    return tuple(
        min(value, float(highest_discount)) if value > 0 else _FALLBACK
        for highest_discount, value in enumerate(discounts, start=1)
    )  # type: ignore[return-value]
