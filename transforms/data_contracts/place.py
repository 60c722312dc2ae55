"""What is read from a contract's file: values of the right kind, or an error that names the file and the place."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.errors import InputError


class Place:
    """The file of a contract; what it lacks or has too much is an ``InputError``.

    Args:
        path: the file.
        remedy: command for the error.
    """

    def __init__(self, path: Path, remedy: str) -> None:
        self.path, self._remedy = path, remedy

    def refuse(self, expected: str, found: str) -> InputError:
        """Returns the error."""
        return InputError(expected=expected, found=f"{found} in {self.path}", next_command=self._remedy)

    def known(self, where: str, described: Mapping[str, Any], names: Collection[str]) -> None:
        """Checks that a mapping has no name but those that the standard has there."""
        if unknown := sorted(set(described) - set(names)):
            expected = f"in {where} only names of ODCS 3.1: {', '.join(sorted(names)) or 'none'}"
            raise self.refuse(expected, repr(unknown[0]))

    def items(self, what: str, value: Any) -> list[Any]:
        """Returns a list; an empty one where nothing is said."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.refuse(f"{what} as a list", repr(value)[:100])
        return value

    def number(self, what: str, value: Any, *, above: float | None = None, whole: bool = False) -> Any:
        """Returns a finite number.

        Args:
            what: what it is, for the error.
            value: what the file says.
            above: the number is larger than this.
            whole: whether it is a whole number.
        """
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or (above is not None and value <= above) or (whole and value != int(value)):
            kind = f"a {'whole ' if whole else ''}number{'' if above is None else f' above {above}'}"
            raise self.refuse(f"{what} as {kind}", repr(value)[:100])
        return int(value) if whole else value

    def pattern(self, what: str, value: Any) -> str:
        """Returns a regular expression, as polars reads it: in time that is linear in the text."""
        try:
            pl.Series([""]).str.contains(value, strict=True)
        except (TypeError, pl.exceptions.PolarsError) as error:
            raise self.refuse(f"pattern of {what} as a regular expression", repr(value)[:100]) from error
        return str(value)
