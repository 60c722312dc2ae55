"""Greedy substitution of the words that matter most, until the answer is wrong.

D. Jin et al., Is BERT Really Robust? (TextFooler), 2020: words are ranked by how far the margin falls without them;
each in turn is replaced by the candidate that lowers the margin most. Candidates here are the synonyms of our own list,
and one typing error, swap or look-alike inside the word, as J. Li et al., TextBugger, 2019, have them: a person still
reads the same word. A text may be asked about ``BUDGET`` times.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack, DoesNotApply, within
from training.robustness.attacks.texts.homoglyphs import disguise
from training.robustness.attacks.texts.synonyms import by_word
from training.robustness.attacks.texts.typos import mistype
from training.robustness.target import Target

BUDGET = 200
"""Most questions to the model about one text."""
BUGS = 4
"""Misspellings of a word that are tried beside its synonyms."""
WORD = re.compile(r"[^\W\d_]{3,}")


def least_share(target: Target[str], unit: int, rng: np.random.Generator) -> float:
    """Returns the least share of the words whose substitution makes the answer wrong; infinity if none was seen.

    Args:
        target: a target of texts that is not graded.
        unit: number of the text.
        rng: source of chance for misspellings.
    """
    text = target.inputs[unit]
    places = [match.span() for match in WORD.finditer(text)][: BUDGET // 2]
    questions = 1 + len(places)
    without = [text[:start] + text[end:] for start, end in places]
    margins = target.margins([text, *without], np.full(questions, unit))
    if margins[0] <= 0:
        return 0.0
    if not places:
        return float("inf")
    words = [text[start:end] for start, end in places]
    changed, best = list(words), float(margins[0])
    count = 0
    for place in np.argsort(margins[1:], kind="stable"):
        candidates = _candidates(words[place], rng)
        if questions + len(candidates) > BUDGET:
            break
        questions += len(candidates)
        trials = [[*changed[:place], candidate, *changed[place + 1 :]] for candidate in candidates]
        scores = target.margins([_joined(text, places, trial) for trial in trials], np.full(len(trials), unit))
        lowest = int(np.argmin(scores))
        if scores[lowest] < best:
            best, changed, count = float(scores[lowest]), trials[lowest], count + 1
        if best <= 0:
            return count / len(places)
    return float("inf")


def _candidates(word: str, rng: np.random.Generator) -> list[str]:
    bugs = [mistype(word, rng) for _ in range(BUGS - 1)] + [disguise(word, 0.5, rng)]
    return list(dict.fromkeys([*by_word().get(word.lower(), ()), *bugs]))


def _joined(text: str, places: Sequence[tuple[int, int]], words: Sequence[str]) -> str:
    pieces, end_before = [], 0
    for (start, end), word in zip(places, words, strict=True):
        pieces += [text[end_before:start], word]
        end_before = end
    return "".join([*pieces, text[end_before:]])


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures which texts keep their right answer if up to so large a share of their words is substituted."""
    if target.graded:
        raise DoesNotApply("it needs answers that are right or wrong")
    return within(target, np.array([least_share(target, unit, rng) for unit in range(len(target))]), strengths)


ATTACK = Attack(
    name="word_importance",
    kinds=("texts",),
    about=f"The words that matter most, replaced one after the other; at most {BUDGET} questions a text.",
    unit="share of the words",
    strengths=(0.05, 0.1, 0.2, 0.4),
    measure=measure,
    most=150,
)
