"""The first letters of a text: ``letters:2`` makes ``Ka…`` of ``Kalomi``. A text that is no longer is left out."""

from feature_repo.access.masks import MaskKind, OneValue


def _prepare(argument: str, key: bytes, feature: str) -> OneValue:
    count = int(argument)
    if count < 1:
        raise ValueError(argument)
    return lambda value: f"{value[:count]}…" if len(value) > count else None


LETTERS = MaskKind("letters", "its first letters, for texts (letters:1)", frozenset({"String"}), _prepare)
