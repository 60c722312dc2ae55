"""Bytes of files, changed at random."""

from hypothesis import strategies as st

Mutation = tuple[str, int, int, int]
"""Kind, place, length and value of a change to bytes."""

SIGNS = [
    b"\0",
    b"\n",
    b"\xff",
    b";",
    b'"',
    b"{",
    b"[",
    b"]}",
    b"\xff\xfe",
    b"\r",
    b"1e999",
    b'"\\ud800"',
    b"PK\x03\x04",
    b"9" * 5_000,
    b"[" * 3_000,
]


def mutations(longest: int = 400) -> st.SearchStrategy[list[Mutation]]:
    """One to six changes, each of up to ``longest`` bytes."""
    kinds = st.sampled_from(["flip", "cut", "delete", "repeat", "swap", "reverse", "insert"])
    change = st.tuples(kinds, st.integers(0, 1 << 16), st.integers(1, longest), st.integers(0, 255))
    return st.lists(change, min_size=1, max_size=6)


def mutated(data: bytes, changes: list[Mutation]) -> bytes:
    """Data after changes."""
    for kind, place, length, value in changes:
        at = place % max(len(data), 1)
        piece = data[at : at + length]
        if kind == "flip":
            data = data[:at] + bytes([value]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "delete":
            data = data[:at] + data[at + length :]
        elif kind == "repeat":
            data = data[:at] + piece * (1 + value % 4) + data[at:]
        elif kind == "swap":
            data = data[:at] + data[at + length : at + 2 * length] + piece + data[at + 2 * length :]
        elif kind == "reverse":
            data = data[:at] + piece[::-1] + data[at + length :]
        else:
            data = data[:at] + SIGNS[value % len(SIGNS)] + data[at:]
    return data
