"""``MGET`` in RESP, the protocol of Redis: names of equal length are joined at once, as packing each takes longer."""

from collections.abc import Sequence
from itertools import groupby


def pack_mget(names: Sequence[bytes]) -> bytes:
    r"""Packs the command that reads the values of names, in their order.

    >>> pack_mget([b"a", b"b", b"long"])
    b'*4\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n$4\r\nlong\r\n'
    """
    pieces = [b"*%d\r\n$4\r\nMGET" % (len(names) + 1)]
    for size, run in groupby(names, len):
        head = b"\r\n$%d\r\n" % size
        pieces.append(head + head.join(run))
    return b"".join([*pieces, b"\r\n"])
