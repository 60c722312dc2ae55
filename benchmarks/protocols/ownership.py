"""The owner's watermark: on stolen models, on independent ones, and what it costs."""

import secrets
from collections.abc import Iterator

import numpy as np

from benchmarks.protocols.extractors import fit_copy
from benchmarks.protocols.theft_data import Answer, RowTarget
from training.clean_copies import clean_copies
from training.ownership import OwnershipTest, find_watermark
from transforms.pure.tabular.watermark import Watermark

STRENGTH = 0.05
INDEPENDENT = ("lightgbm", "forest", "linear")
KEYS = 200
BOOTSTRAPS = 1_000
STRONG = {"trees": 400, "num_leaves": 31, "learning_rate": 0.08}


class Trial:
    """One model of ours, its secret, and what an ownership test needs.

    Args:
        target: the rows.
        seed: seed of the secret, so that runs agree.
        strength: strength of the watermark.
    """

    def __init__(self, target: RowTarget, seed: int, strength: float = STRENGTH) -> None:
        self.target, self.strength, self.reference = target, strength, target.reference
        self.clean: Answer = target.predictor()
        self.watermark = Watermark.create(f"secret {seed}".encode(), "benchmark:1", self.reference)
        self.answers_of_clean = self.clean(self.reference)
        self.copies = clean_copies(self.clean, self.reference)(self.reference)

    def answer(self, rows: np.ndarray) -> np.ndarray:
        """Answer as the server does, with the watermark."""
        return self.watermark.mark_chances(self.clean(rows), rows, self.strength)

    def test(self, suspect: Answer, watermark: Watermark | None = None) -> OwnershipTest:
        """Test a suspect with our secret, or another one."""
        answers = np.asarray(suspect(self.reference), np.float64)
        mark = watermark or self.watermark
        return find_watermark(mark, self.reference, answers, self.answers_of_clean, self.copies)

    def price(self) -> tuple[float, float, float]:
        """Return the difference of accuracy that the watermark makes on the test, with its 95 % interval."""
        rows, labels = self.target.inputs[self.target.test], self.target.labels[self.target.test]
        right = ((self.answer(rows) >= 0.5) == labels).astype(float) - ((self.clean(rows) >= 0.5) == labels)
        rng = np.random.default_rng(0)
        means = right[rng.integers(len(right), size=(BOOTSTRAPS, len(right)))].mean(axis=1)
        return float(right.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def thieves(trial: Trial, questions: int) -> Iterator[tuple[str, Answer]]:
    """Yield copies of our marked answers: what the thief keeps of them, and how it learns."""
    rows = trial.target.inputs[trial.target.pool[:questions]]
    answers = trial.answer(rows)
    noise = np.random.default_rng(3).normal(0, 0.05, len(rows))
    yield "chances, boosted trees", fit_copy(rows, answers)
    yield "chances, larger boosted trees", fit_copy(rows, answers, **STRONG)
    yield "chances of one digit, boosted trees", fit_copy(rows, answers.round(1))
    yield "chances with noise of 0.05, boosted trees", fit_copy(rows, np.clip(answers + noise, 0, 1))
    yield "chances, forest", fit_copy(rows, answers, "forest")
    yield "chances, linear", fit_copy(rows, answers, "linear")
    yield "labels, boosted trees", fit_copy(rows, (answers >= 0.5).astype(float))


def independents(target: RowTarget) -> Iterator[tuple[str, Answer]]:
    """Yield ten models that never saw our answers: other rows, halves of ours, other learners, other seeds."""
    others = np.concatenate([target.pool, target.rest])
    halves = (others[: len(others) // 2], others[len(others) // 2 :], target.own[::2])
    for name in INDEPENDENT:
        for number, places in enumerate(halves):
            yield (
                f"{name}, {('one half', 'other half', 'half of our rows')[number]}",
                target.predictor(name, places, number),
            )
    yield "lightgbm, our rows, other seed", target.predictor("lightgbm", target.own[::-1], 11)


def p_values(trial: Trial, suspects: list[Answer], keys: int = KEYS) -> np.ndarray:
    """Test suspects with many random secrets: (suspects, keys) p-values."""
    marks = [Watermark.create(secrets.token_bytes(32), "benchmark:1", trial.reference) for _ in range(keys)]
    return np.array([[trial.test(suspect, mark).p_value for mark in marks] for suspect in suspects])
