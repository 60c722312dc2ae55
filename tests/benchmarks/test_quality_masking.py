"""The made-up texts of the benchmark of masking: their numbers are valid, and a program that does nothing scores 0."""

import random

import pytest

from benchmarks.quality_masking import GOALS, MAKERS, Sample, measure, samples
from transforms.pure.text.pii import mask


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_made_up_is_masked(kind: str) -> None:
    rng = random.Random(7)
    texts = [Sample(kind, "now ", MAKERS[kind](rng), " then") for _ in range(50)]
    assert measure(lambda text: mask(text).text, texts)[kind] == {"recall": 1.0, "left": 0.0, "precision": 1.0}
    assert measure(lambda text: text, texts)[kind] == {"recall": 0.0, "left": 1.0, "precision": 0.0}
    too_much = measure(lambda text: f"[{kind.upper()}]", texts)[kind]
    assert (too_much["recall"], too_much["left"]) == (0.0, 0.0)


def test_masking_reaches_its_goals() -> None:
    """Precision counts the texts without personal data, too."""
    pytest.importorskip("phonenumbers")
    figures = measure(lambda text: mask(text).text, list(samples(60, seed=2)))
    for kind, goal in GOALS.items():
        assert figures[kind]["recall"] >= goal - 0.1, kind
        assert figures[kind]["precision"] >= 0.95, kind
