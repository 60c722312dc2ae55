"""Logs of a backup: lines, cut into one piece for all lines that mention the same people."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence

from feature_repo.encryption.person_keys import Person

_HEAD = struct.Struct(">II")
LIKENESS = b'{"at":"2026-01-01T00:00:00","act":"","user_id":"","keys":{"user_id":[""]},"request_id":"","answer_id":""}'
"""What lines are like, for the packer."""


def grouped(lines: Sequence[bytes], people: Sequence[frozenset[Person]]) -> list[tuple[list[Person], int, bytes]]:
    """Cuts lines by the people whom they mention.

    Args:
        lines: the lines of a log.
        people: whom each mentions.

    Returns:
        For each piece the people, the number of lines, and its content.

    >>> pieces = grouped([b"a", b"b", b"c"], [frozenset(), frozenset({("user_id", "u1")}), frozenset()])
    >>> joined(content for _, _, content in pieces)
    [b'a', b'b', b'c']
    """
    contents: defaultdict[frozenset[Person], list[bytes]] = defaultdict(list)
    for number, (line, those) in enumerate(zip(lines, people, strict=True)):
        contents[those].append(_HEAD.pack(number, len(line)) + line)
    return [(sorted(those), len(parts), b"".join(parts)) for those, parts in contents.items()]


def joined(contents: Iterable[bytes]) -> list[bytes]:
    """The lines of some pieces, in their old order."""
    lines = []
    for content in contents:
        start = 0
        while start < len(content):
            number, length = _HEAD.unpack_from(content, start)
            start += _HEAD.size + length
            lines.append((number, content[start - length : start]))
    return [line for _, line in sorted(lines)]
