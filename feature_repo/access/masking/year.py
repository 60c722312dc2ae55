"""The year of a time: the first moment of its year, in UTC."""

from datetime import datetime

from feature_repo.access.masks import MaskKind, OneValue


def _prepare(argument: str, key: bytes, feature: str) -> OneValue:
    if argument:
        raise ValueError(argument)

    def of(value: datetime) -> datetime:
        return value.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)

    return of


YEAR = MaskKind("year", "the first moment of its year, for times", frozenset({"UnixTimestamp"}), _prepare)
