"""Environment variables of this process and of those it starts, for a while."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def changed_environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Sets environment variables inside the context; afterwards each is as it was before.

    Args:
        changes: name → value; None removes the variable.

    >>> with changed_environment({"REFRAIN_EXAMPLE": "1"}):
    ...     os.environ["REFRAIN_EXAMPLE"]
    '1'
    >>> "REFRAIN_EXAMPLE" in os.environ
    False
    """
    previous = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(previous)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
