"""Marks of questions about keys: how often a key follows the one before it, as in a walk through all keys."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

REACH = 16
"""A key is a successor if its number is at most so much larger; several processes see every other key or so."""
MAX_OWNERS = 10_000
"""Owners whose last key is remembered; the one that asked longest ago is forgotten."""


def split_key(key: str) -> tuple[str, int] | None:
    """Return the text before the last number of a key, and the number; None without one.

    >>> split_key("u000042"), split_key("ml:196"), split_key("anna")
    (('u', 42), ('ml:', 196), None)
    """
    digits = re.search(r"(\d{1,18})\D{0,8}$", key[-64:], re.ASCII)
    return None if digits is None else (key[-64:][: digits.start()], int(digits[1]))


class Successors:
    """Remembers the last key of each owner, in this process. Safe to share between threads.

    >>> successors = Successors()
    >>> successors.count("a", ["u1", "u2", "u4", "u9", "u9"]), successors.count("a", ["u10", "u5"])
    (3, 1)
    >>> successors.count("b", ["u11"])
    0
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = Lock()

    def count(self, owner: str, keys: Sequence[str]) -> int:
        """Count the keys that follow the key before them, the first one that of an earlier call.

        Args:
            owner: whose walk it is: an owner and a model.
            keys: the keys in the order in which they are asked about.
        """
        with self._lock:
            last = self._last.pop(owner, None)
            successors = 0
            for key in keys:
                parts = split_key(key)
                if parts is not None and last is not None and parts[0] == last[0]:
                    successors += 0 < parts[1] - last[1] <= REACH
                last = parts or last
            if last is not None:
                self._last[owner] = last
            if len(self._last) > MAX_OWNERS:
                self._last.popitem(last=False)
        return successors
