"""Detection of the language under attack: whether a changed text is still read as of the language it was read as."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from training.datasets.consent import raw_rows
from training.robustness.subject import Request, Subject
from training.robustness.target import Target
from transforms.pure.text.clean import clean
from transforms.pure.text.language import UNKNOWN, languages

MOST, CONFIDENT = 2_000, 0.7
"""Texts that are read, and the confidence from which the language of an unchanged text counts as known."""


def targets(request: Request) -> Sequence[Target[Any]]:
    """Draws texts whose language is detected with confidence.

    Raises:
        InputError: there are no such texts.
    """
    distinct = raw_rows(request.home, "texts").select(pl.col("text").unique().sort()).collect()["text"]
    drawn = np.sort(np.random.default_rng(request.seed).permutation(len(distinct))[:MOST])
    texts = distinct.gather(drawn).to_list()
    return [target_of(texts)]


def target_of(texts: Sequence[str]) -> Target[str]:
    """Makes the target of texts, of which those with a confident language count.

    Raises:
        InputError: there are none.
    """
    detected = _detect(texts)
    known = [
        (text, code)
        for text, (code, confidence) in zip(texts, detected, strict=True)
        if code != UNKNOWN and confidence >= CONFIDENT
    ]
    if not known:
        raise InputError(
            expected="texts whose language is certain",
            found=f"{len(texts):,} texts, none of them",
            next_command="refrain import texts PATH",
        )
    codes = np.array([code for _, code in known])

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        answers = _detect(changed)
        return np.array(
            [
                confidence if code == codes[unit] else -confidence
                for (code, confidence), unit in zip(answers, units, strict=True)
            ]
        )

    judged = "The texts of the data folder; the language that is detected without attack counts as right."
    return Target("texts", [text for text, _ in known], margins, "same_language", judged=judged)


def _detect(texts: Sequence[str]) -> list[tuple[str, float]]:
    return languages([clean(text).text for text in texts])


SUBJECT = Subject("language", ("texts",), targets, is_analysis=True, about="detection of the language")
