"""What one attack reached on one part of a model."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.private.leaks.rates import Operation, Rates

UNDECIDED, LEAKS, NOTHING = "undecided", "gives it away", "no more than a guess"
WITHIN, BROKEN = "within what is stated", "above what is stated"
CHANCE, STATED = "by chance", "stated"


@dataclass(frozen=True)
class Leak:
    """A figure of an attack.

    Attributes:
        attack: name of the attack.
        part: what was attacked of the model.
        question: what the attacker wants to know.
        measure: what the figure is.
        value: the figure; None if there are too few people to tell.
        low: lower end of its 95 % interval; None likewise.
        high: upper end of its interval; None likewise.
        chance: what a guess reaches, or what is stated.
        units: number of decisions, or of people.
        judged: what was learned from, and who was asked about; or why the figure is undecided.
        beside: what ``chance`` is: ``CHANCE`` or ``STATED``.
    """

    attack: str
    part: str
    question: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    chance: float
    units: int
    judged: str
    beside: str = CHANCE

    @property
    def verdict(self) -> str:
        """``UNDECIDED``; ``LEAKS`` or ``BROKEN`` if all of the interval is above; else ``NOTHING`` or ``WITHIN``."""
        if self.value is None or self.low is None:
            return UNDECIDED
        if self.beside == STATED:
            return BROKEN if self.low > self.chance else WITHIN
        return LEAKS if self.low > self.chance else NOTHING

    @property
    def sentence(self) -> str:
        """The figure as a sentence for a person."""
        if self.value is None:
            return f"{self.question} {self.measure}: undecided, {self.judged}."
        interval = "" if self.low is None or self.high is None else f" ({self.low:.4f} to {self.high:.4f})"
        figure = f"{self.measure}: {self.value:.4f}{interval}, {self.beside} {self.chance:.4f}"
        return f"{self.question} {figure}; {self.verdict}."


AREA = "area under the ROC curve"


def membership_question(unit: str) -> str:
    """The question of an attack on membership, of a ``listener``, a ``text``.

    >>> membership_question("text")
    'Was this text learned from?'
    """
    return f"Was this {unit} learned from?"


def true_positives(limit: float) -> str:
    """The measure of an attack at a limit of false positives.

    >>> true_positives(0.001)
    'true positives at 0.1% false positives'
    """
    return f"true positives at {limit:.1%} false positives"


def of_rates(
    attack: str, part: str, unit: str, figures: Rates, limits: Sequence[float], decisions: int, judged: str
) -> list[Leak]:
    """The figures of an attack on membership: one for each limit of false positives, and the area under the curve."""
    question = membership_question(unit)
    leaks = [
        _of_operation(attack, part, question, limit, point, decisions, judged)
        for limit, point in zip(limits, figures.points, strict=True)
    ]
    area = (figures.auc, figures.low, figures.high)
    return [*leaks, Leak(attack, part, question, AREA, *area, 0.5, decisions, judged)]


def _of_operation(
    attack: str, part: str, question: str, limit: float, point: Operation | None, decisions: int, judged: str
) -> Leak:
    if point is None:
        reason = f"{decisions:,} decisions are too few to tell"
        return undecided(attack, part, question, true_positives(limit), limit, decisions, reason)
    share = point.true_positives
    return Leak(
        attack, part, question, true_positives(limit), share.mean, share.low, share.high, limit, share.trials, judged
    )


def undecided(attack: str, part: str, question: str, measure: str, chance: float, units: int, reason: str) -> Leak:
    """A figure that too few people allow no statement of."""
    return Leak(attack, part, question, measure, None, None, None, chance, units, reason)


def to_json(leaks: Iterable[Leak]) -> list[dict[str, Any]]:
    """Serializes figures, with verdict and sentence."""
    return [
        json.loads(json.dumps({**asdict(leak), "verdict": leak.verdict, "sentence": leak.sentence})) for leak in leaks
    ]


def from_json(entries: Iterable[dict[str, Any]]) -> tuple[Leak, ...]:
    """Deserializes what ``to_json`` returns."""
    return tuple(
        Leak(**{name: value for name, value in entry.items() if name not in ("verdict", "sentence")})
        for entry in entries
    )
