"""Scores of vectors that the service could not read, after decryption."""

import math
from collections.abc import Mapping

import msgspec

from feature_repo.errors import InputError

LARGEST = 64.0
"""Largest size of a value in units: the noise of all numbers of a row grows with the largest one."""


class SentKeys(msgspec.Struct, frozen=True):
    """That the service has the public part of encryption keys.

    Attributes:
        context: digest of what was sent, as ``EncryptionKeys.digest``.
        expires_s: seconds until they are forgotten.
    """

    context: str
    expires_s: float


class EncryptedModel(msgspec.Struct, frozen=True):
    """A model that answers about encrypted vectors.

    Attributes:
        model: its name.
        kind: ``tracks`` for scores of tracks, ``binary`` for the log-odds of a chance, ``number`` for a number.
        dimensions: length of the vectors.
        fit: the fit that vectors of listeners have to be of; of models of rows, that of columns, centers and units.
        inputs: columns of a row; empty for scores of tracks.
        centers: what is taken away from the values of each column.
        units: what the rest is divided by.
    """

    model: str
    kind: str
    dimensions: int
    fit: int | None = None
    inputs: list[str] = []
    centers: list[float] = []
    units: list[float] = []

    def row(self, values: Mapping[str, float | None]) -> list[float]:
        """Turn the values of a row into the vector of a linear model.

        Args:
            values: column → value; None, NaN or nothing where one is missing. A text of n kinds has n columns of 0 and
                1, which are named ``view__feature=kind``.

        Raises:
            InputError: there is no such column, or a value is not finite or much larger than those of training.

        >>> EncryptedModel("m", "binary", 5, None, ["a", "b"], [1.0, 0.0], [2.0, 1.0]).row({"a": 2.0})
        [0.5, 0.0, 0.0, 1.0, 1.0]
        """
        unknown = sorted(values.keys() - set(self.inputs))
        if unknown:
            raise _invalid(f"columns of {self.model}, such as {self.inputs[:3]}", repr(unknown[0]))
        numbers: list[float] = []
        missing: list[float] = []
        for name, center, unit in zip(self.inputs, self.centers, self.units, strict=True):
            value = values.get(name)
            is_missing = value is None or math.isnan(value)
            number = 0.0 if value is None or is_missing else (value - center) / unit
            if abs(number) > LARGEST:
                raise _invalid(
                    f"{name} between {center - LARGEST * unit:g} and {center + LARGEST * unit:g}", f"{value:g}"
                )
            numbers.append(number)
            missing.append(float(is_missing))
        return [*numbers, *missing, 1.0]


class RankedScores(msgspec.Struct, frozen=True):
    """Decrypted scores. They are the listener's: whoever knows enough of them, and the model, knows the vector.

    Attributes:
        model: name and version of the model.
        kind: as in ``EncryptedModel``.
        ids: what each score is of.
        scores: the scores, in the order of ``ids``, rounded to what the noise of encryption leaves.
    """

    model: str
    kind: str
    ids: list[str]
    scores: list[float]

    def best(self, count: int = 10) -> list[tuple[str, float]]:
        """Return the highest scores, best first.

        >>> RankedScores("m:1", "tracks", ["a", "b", "c"], [0.1, 0.7, 0.3]).best(2)
        [('b', 0.7), ('c', 0.3)]
        """
        return sorted(zip(self.ids, self.scores, strict=True), key=lambda pair: -pair[1])[:count]


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="client.list_encrypted_models()")
