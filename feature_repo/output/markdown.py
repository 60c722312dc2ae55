"""Markdown in which texts are texts: no table, link, picture, heading or HTML comes of what somebody wrote in a name.

The syntax is that of GitHub Flavored Markdown, where a backslash takes the meaning of any sign of ASCII, and a bare
address becomes a link, too.
"""

import re
from collections.abc import Collection, Sequence

from feature_repo.output.plain import inert, shorten

_SIGNS = re.compile(r"[\\|<>*`\[\]~]|(?<![^\W_])_|_(?![^\W_])|&(?=[#\w])")
_LINK = re.compile(r"(?<=:)/(?=/)|(?<=www)\.|@|(?<=mailto):|(?<=xmpp):", re.IGNORECASE)
_START = re.compile(r"^(?=[#+=-])|^\d+(?=[.)](?:\s|$))")
"""Where a heading, a list or a rule would begin."""

LONGEST_CELL = 1_000
"""Characters of a cell."""


def escape(text: object, most: int = 10_000) -> str:
    r"""Returns a text for a paragraph or a heading, on one line and of at most so many characters.

    >>> print(escape("a|b <script>\n*x* www.example.org user_id"))
    a\|b \<script\> \*x\* www\.example.org user_id
    """
    return _START.sub(lambda match: f"{match[0]}\\", _inline(text, most))


def table(heads: Sequence[object], rows: Sequence[Sequence[object]], *, numbers: Collection[int] = ()) -> str:
    r"""Returns a table; its cells are escaped, and cut at ``LONGEST_CELL``.

    Args:
        heads: names of the columns.
        rows: cells.
        numbers: columns that are aligned right.

    >>> print(table(["feature", "share"], [["plays|skips", 0.5]]))
    | feature | share |
    |---|---|
    | plays\|skips | 0.5 |
    """
    line = "|" + "".join("--:|" if place in numbers else "---|" for place in range(len(heads)))
    head, *body = ["| " + " | ".join(_inline(value, LONGEST_CELL) for value in row) + " |" for row in (heads, *rows)]
    return "\n".join([head, line, *body])


def _inline(text: object, most: int) -> str:
    line = " ".join(inert(shorten(str(text), most)).split())
    return _LINK.sub(lambda match: f"\\{match[0]}", _SIGNS.sub(lambda match: f"\\{match[0]}", line))


def without_html(text: str) -> str:
    """Returns Markdown of an author whose tags, comments and declarations of HTML are texts.

    >>> without_html("# A model <script>alert(1)</script>, of 3 < 4")
    '# A model &lt;script>alert(1)&lt;/script>, of 3 < 4'
    """
    return re.sub("<(?=[A-Za-z/!?])", "&lt;", inert(text))
