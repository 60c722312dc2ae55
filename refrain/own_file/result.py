"""What a task found: words for a terminal, sections for a page, and a table of answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from training.validation.comparison import Outcome, in_words, superiority, units_needed
from training.validation.evidence import Evidence

FEWEST = 20
"""Fewest clusters of test units that can decide anything, as of the gates of registered models."""


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes:
        heads: names of its columns.
        rows: cells.
        numbers: columns that are aligned right.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        title: its heading.
        paragraphs: plain text.
        table: a table below them.
        figures: pictures as SVG, each in a figure with a caption.
    """

    title: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    figures: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether the chosen model is surely better than the plain one on the test.

    Attributes:
        outcome: ``pass`` for surely better, ``fail`` for not better, ``undecided`` where too little was measured.
        words: the comparison, or why there is none.
    """

    outcome: Outcome
    words: str

    @property
    def line(self) -> str:
        """The verdict as one line."""
        name = {"pass": "surely better", "fail": "not better", "undecided": "undecided"}[self.outcome]
        return f"verdict: {name}; {self.words}"


@dataclass(frozen=True)
class Result:
    """The result of a task.

    Attributes:
        title: heading of the page.
        lines: what was read and found, for a terminal; also the first paragraphs of the page.
        verdict: comparison with the plain model.
        sections: further sections of the page.
        answers: the answers, one row each.
    """

    title: str
    lines: Sequence[str]
    verdict: Verdict
    sections: Sequence[Section]
    answers: pl.DataFrame = field(default_factory=pl.DataFrame)


def verdict_of(evidence: Evidence | None, baseline: str, *, is_baseline: bool = False, why_not: str = "") -> Verdict:
    """Compares the chosen model with the plain one.

    Args:
        evidence: figures of both on the test; None if nothing was measured.
        baseline: name of the plain model.
        is_baseline: whether the plain model itself was chosen.
        why_not: why nothing was measured.
    """
    if evidence is None:
        return Verdict("undecided", why_not)
    if is_baseline:
        return Verdict("fail", f"the plain model, {baseline}, was the best on validation, and answers")
    gain = evidence.gain(baseline)
    outcome = superiority(gain, FEWEST)
    words = f"on the test {in_words(gain, baseline)} ({evidence.metric})"
    if outcome == "undecided":
        if 0 < gain.clusters < FEWEST:
            words += f"; {gain.clusters} independent test cases, {FEWEST} are needed"
        elif needed := units_needed(gain):
            words += f"; about {needed:,} test cases would decide"
    return Verdict(outcome, words)


def figures_table(figures: Mapping[str, Mapping[str, float]], chosen: str) -> Table:
    """A table of the figures of every model, the chosen one marked."""
    names = list(dict.fromkeys(name for values in figures.values() for name in values))
    rows = [
        [f"{model} (chosen)" if model == chosen else model, *(_number(values.get(name)) for name in names)]
        for model, values in figures.items()
    ]
    return Table(["model", *names], rows, tuple(range(1, len(names) + 1)))


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:,.4g}"
