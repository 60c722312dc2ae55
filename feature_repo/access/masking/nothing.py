"""No value at all: the feature is there, and every value is missing."""

from feature_repo.access.masks import MaskKind, OneValue


def _prepare(argument: str, key: bytes, feature: str) -> OneValue:
    if argument:
        raise ValueError(argument)
    return lambda value: None


NULL = MaskKind("null", "no value, for features of every type", frozenset(), _prepare)
