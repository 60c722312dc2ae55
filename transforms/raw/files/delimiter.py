"""Which characters separate the cells of a text."""

import csv

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "::": "two colons"}
"""Delimiter → its name, in the order of preference."""

_ROWS = 200


def recognize(text: str) -> str:
    """Finds the delimiter under which the rows have as many cells as the header.

    Args:
        text: the first lines of the file, the header included.

    Returns:
        One of ``DELIMITERS``; a comma if the header has one cell under each.

    >>> recognize("id;price\\n1;2,50\\n2;3,00\\n")
    ';'
    """
    best, best_score = ",", (0.0, 1)
    for delimiter in DELIMITERS:
        score = _score(text, delimiter)
        if score[1] > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _score(text: str, delimiter: str) -> tuple[float, int]:
    """Share of the rows with as many cells as the header, and the number of these cells."""
    try:
        lines = text.splitlines(keepends=True)
        by_lines = (line.split(delimiter) for line in lines)
        all_rows = csv.reader(lines, delimiter=delimiter) if len(delimiter) == 1 else by_lines
        rows = [row for row in all_rows if row][:_ROWS]
    except csv.Error:
        return 0.0, 0
    if len(rows) > 2:
        rows.pop()  # the text may end within it
    if not rows:
        return 0.0, 0
    cells = len(rows[0])
    return sum(len(row) == cells for row in rows) / len(rows), cells
