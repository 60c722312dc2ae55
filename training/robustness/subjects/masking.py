"""Masking of personal data under attack: whether addresses and numbers in changed texts are still masked."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.subject import Request, Subject
from training.robustness.target import Target
from transforms.pure.text.clean import clean
from transforms.pure.text.pii import mask

SENTENCES = ("Write to {} about tickets.", "{} is how you reach me", "My details: {}. Thanks!", "call or mail {} today")
NAMES = ("ann.lee", "peter", "mia_sol", "j.ortega", "kim77", "olga.p")
HOSTS = ("example.org", "mail.example.com", "music.example.net")
EACH = 40
"""Texts of each kind of personal data."""


def personal_texts(seed: int) -> tuple[list[str], np.ndarray]:
    """Writes texts with one piece of personal data each; returns them and (n,) its kind. Nobody's data are in them."""
    rng = np.random.default_rng(seed)

    def draw(among: Sequence[str]) -> str:
        return among[int(rng.integers(len(among)))]

    def digits(count: int) -> str:
        return "".join(map(str, rng.integers(0, 10, count)))

    pieces = []
    for _ in range(EACH):
        pieces += [
            ("email", f"{draw(NAMES)}@{draw(HOSTS)}"),
            ("url", f"https://{draw(HOSTS)}/{draw(NAMES)}"),
            ("phone", f"+44 20 7946 0{digits(3)}"),
            ("card", _with_check_digit("4" + digits(14))),
            ("handle", f"@{draw(NAMES).replace('.', '_')}"),
        ]
    texts = [SENTENCES[int(rng.integers(len(SENTENCES)))].format(piece) for _, piece in pieces]
    return texts, np.array([kind for kind, _ in pieces])


def _with_check_digit(number: str) -> str:
    """Appends the check digit of Luhn's formula."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(number[::-1], 1)]
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return number + str(-total % 10)


def targets(request: Request) -> Sequence[Target[Any]]:
    """Writes the texts, and asks whether each piece is masked under its kind."""
    texts, kinds = personal_texts(request.seed)

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        counts = [mask(clean(text).text).counts for text in changed]
        return np.array([1.0 if count.get(kinds[unit]) else -1.0 for count, unit in zip(counts, units, strict=True)])

    judged = "Texts with one piece of personal data each, written for this: e-mail and web addresses, phone and card "
    judged += "numbers, handles."
    return [Target("texts", texts, margins, "share_masked", judged=judged)]


SUBJECT = Subject("masking", ("texts",), targets, is_analysis=True, about="masking of personal data")
