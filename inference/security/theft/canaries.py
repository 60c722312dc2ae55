"""Keys of nobody, which answer a question with the asker's fingerprint.

A project lists such keys (``canaries`` of ``[model_theft]``). They have no events and no rows: no training set, no
catalogue, no list of candidates and no chart has them, so no listener ever sees one. Only who asks for a key by its
name, as in a walk through all keys, gets an answer, and an alarm is raised about its owner at once. The answer is a
chance of three digits, drawn by HMAC from the secret, the owner and the key: a table that turns up elsewhere says who
asked for it. Models that answer with numbers have no fingerprints, only alarms.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from feature_repo.home import Home
from feature_repo.project import Project
from feature_repo.watermark_secret import create_secret, read_secret
from inference.security.caller import Caller

if TYPE_CHECKING:
    from inference.rows import Predictions

VALUES = 997
"""Number of different fingerprints of one key."""


@dataclass(frozen=True)
class Source:
    """How much a table has of what one owner was answered.

    Attributes:
        owner: the owner.
        matches: canaries with the owner's fingerprint.
        canaries: canaries in the table.
        p_value: chance of as many matches in a table of another origin.
    """

    owner: str
    matches: int
    canaries: int
    p_value: float


class Canaries:
    """The canaries of a project.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._keys = {
            name: frozenset(keys) for name, keys in Project.load(home.project_folder).model_theft.canaries.items()
        }
        self._home, self._secret = home, b""

    def fill(
        self, caller: Caller | None, model: str, keys: Mapping[str, Sequence[str]], result: "Predictions"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the answers and whether their keys are known, with fingerprints for canaries.

        Args:
            caller: who asks.
            model: the model.
            keys: join key → keys, one for each row.
            result: what the model answers.
        """
        values, known = result.values, result.known
        rows = [
            (place, key)
            for name in self._keys.keys() & keys.keys()
            for place, key in enumerate(keys[name])
            if key in self._keys[name]
        ]
        if caller is None or not rows or result.kind != "binary":
            return values, known
        values, known = values.copy(), known.copy()
        for place, key in rows:
            values[place] = self.fingerprint(caller.name, model, key)
            known[place] = True
        return values, known

    def fingerprint(self, owner: str, model: str, key: str) -> float:
        """Return the chance, of three digits, that an owner gets about a canary."""
        if not self._secret:
            create_secret(self._home)
            self._secret = read_secret(self._home)
        digest = hmac.new(self._secret, f"canary/{model}/{key}/{owner}".encode(), hashlib.sha256).digest()
        return (1 + int.from_bytes(digest[:8], "big") % VALUES) / 1_000

    def find_source(self, model: str, answers: Mapping[str, float], owners: Iterable[str]) -> list[Source]:
        """Find whose answers a table has, most matches first.

        Args:
            model: the model that the table says to be of.
            answers: key → answer of the table.
            owners: owners of keys, by name.
        """
        canaries = {key: answers[key] for keys in self._keys.values() for key in keys if key in answers}
        digits = _digits_of(canaries.values())
        all_values = np.arange(1, VALUES + 1) / 1_000
        share = max((float(_matches(all_values, value, digits).mean()) for value in canaries.values()), default=1.0)
        sources = []
        for owner in sorted(set(owners)):
            matches = sum(
                bool(_matches(self.fingerprint(owner, model, key), value, digits)) for key, value in canaries.items()
            )
            sources.append(Source(owner, matches, len(canaries), _tail(matches, len(canaries), share)))
        return sorted(sources, key=lambda source: source.p_value)


def _digits_of(values: Iterable[float]) -> int:
    """Return how many digits a table has, at most those of a fingerprint: answers may be rounded, or labels.

    >>> _digits_of([0.12, 0.5]), _digits_of([1.0, 0.0]), _digits_of([0.12, 0.4711])
    (2, 0, 3)
    """
    listed = list(values)
    return next((digits for digits in range(3) if all(abs(round(one, digits) - one) < 1e-6 for one in listed)), 3)


def _matches(fingerprints: np.ndarray | float, value: float, digits: int) -> np.ndarray:
    """Return which fingerprints are answered as a value where answers have so many digits."""
    return np.asarray(np.abs(np.asarray(fingerprints) - value) < 0.5 * 10.0**-digits + (1e-6 if digits < 3 else 0.0))


def _tail(matches: int, count: int, share: float) -> float:
    """Return the chance of at least so many matches, each by chance in a share of all cases."""
    return min(1.0, sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(matches, count + 1)))
