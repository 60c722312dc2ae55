"""The lower end of the bucket in which a number lies: ``bucket:0,18,30`` makes 18 of 25, and nothing of -1."""

import math
from bisect import bisect_right

from feature_repo.access.masking.rounded import TYPES
from feature_repo.access.masks import MaskKind, OneValue


def _prepare(argument: str, key: bytes, feature: str) -> OneValue:
    edges = [float(text) for text in argument.split(",")]
    if edges != sorted(set(edges)):
        raise ValueError(argument)

    def of(value: float) -> float | int | None:
        place = bisect_right(edges, value) - 1 if not math.isnan(value) else -1
        if place < 0:
            return None
        return int(edges[place]) if isinstance(value, int) else edges[place]

    return of


BUCKET = MaskKind("bucket", "the lower end of its bucket, for numbers (bucket:0,18,30,50)", TYPES, _prepare)
