"""Masks: functions that put another value in the place of a value; one kind a module of ``masking``.

A mask is written as its name and an argument: ``null``, ``pseudonym``, ``round:10``, ``letters:1``, ``year``. A missing
value stays missing, except under ``null``, where all values are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from feature_repo.discovery import definitions
from feature_repo.errors import InputError

OneValue = Callable[[Any], Any]
"""A value that is not missing → what takes its place; None for nothing."""


@dataclass(frozen=True)
class MaskKind:
    """One kind of mask.

    Attributes:
        name: the name by which a project asks for it.
        about: what it does, for messages and documents.
        types: Feast's names of the types that it masks; empty for all.
        prepare: reads the argument and returns the function of one value, given the secret key of pseudonyms and the
            name of the feature. Raises ValueError if the argument is none.
    """

    name: str
    about: str
    types: frozenset[str]
    prepare: Callable[[str, bytes, str], OneValue]


@dataclass(frozen=True)
class Mask:
    """A kind of mask with its argument, such as ``round:10``."""

    kind: MaskKind
    argument: str

    @property
    def text(self) -> str:
        """As a project writes it."""
        return f"{self.kind.name}:{self.argument}" if self.argument else self.kind.name

    def fits(self, dtype: str) -> bool:
        """Whether values of a Feast type can be masked so."""
        return not self.kind.types or dtype in self.kind.types

    def apply(self, values: Sequence[Any], key: bytes, feature: str) -> list[Any]:
        """Masks values; each distinct one once.

        Args:
            values: n Python values, None where missing.
            key: the secret key of pseudonyms.
            feature: name of the feature; pseudonyms of two features differ, except of features of one name.

        Returns:
            n values of the same type.
        """
        if self.kind.name == "null":
            return [None] * len(values)
        function = self.kind.prepare(self.argument, key, feature)
        of = {value: function(value) for value in set(values) if value is not None}
        return [None if value is None else of[value] for value in values]


@lru_cache(maxsize=256)
def mask_of(text: Any) -> Mask:
    """Reads a mask.

    Raises:
        InputError: there is no such mask, or its argument is not valid.

    >>> mask_of("round:10").apply([37, None], b"", "age")
    [30, None]
    """
    name, _, argument = text.partition(":") if isinstance(text, str) else ("", "", "")
    kinds = definitions("feature_repo.access.masking", MaskKind)
    try:
        mask = Mask(kinds[name], argument)
        mask.kind.prepare(argument, b"", "")
    except (KeyError, ValueError) as error:
        raise InputError(
            expected="a mask: " + "; ".join(f"{kind.name}: {kind.about}" for kind in kinds.values()),
            found=repr(text),
            next_command="correct masked in [access] of refrain.toml",
        ) from error
    return mask
