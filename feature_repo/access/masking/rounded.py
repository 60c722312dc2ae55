"""The start of the interval in which a number lies: ``round:10`` makes 30 of 37, and -10 of -3."""

import math

from feature_repo.access.masks import MaskKind, OneValue

TYPES = frozenset({"Int32", "Int64", "Float32", "Float64"})


def _prepare(argument: str, key: bytes, feature: str) -> OneValue:
    width = float(argument)
    if not (math.isfinite(width) and width > 0):
        raise ValueError(argument)

    def of(value: float) -> float | int | None:
        if isinstance(value, int):
            return (
                value // int(width) * int(width)
                if width.is_integer()
                else math.floor(math.floor(value / width) * width)
            )
        return math.floor(value / width) * width if math.isfinite(value) else None

    return of


ROUNDED = MaskKind("round", "the start of an interval of this width, for numbers (round:10)", TYPES, _prepare)
