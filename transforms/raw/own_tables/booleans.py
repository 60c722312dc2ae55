"""Texts that stand for true and false, in several languages; where true is a mark such as ``x``, a blank is false."""

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

PAIRS = (
    *(("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("1", "0"), ("on", "off")),
    *(("ja", "nein"), ("j", "n"), ("wahr", "falsch")),
    *(("oui", "non"), ("o", "n"), ("vrai", "faux")),
    *(("sí", "no"), ("si", "no"), ("s", "n"), ("verdadero", "falso")),
    *(("sì", "no"), ("vero", "falso"), ("sim", "não"), ("sim", "nao"), ("verdadeiro", "falso")),
    *(("ja", "nee"), ("waar", "onwaar"), ("ja", "nej"), ("tak", "nie"), ("prawda", "fałsz")),
    *(("да", "нет"), ("д", "н"), ("истина", "ложь")),
)
"""Words of true and of false, in any case: English, German, French, Spanish, Italian and Portuguese, Dutch, Danish and
Polish, Russian."""

MARKS = ("x", "✓", "✔")
"""Texts of true in a column whose other cells are blank, which then is false."""

TRUE = frozenset({true for true, _ in PAIRS}.union(MARKS))
FALSE = frozenset(false for _, false in PAIRS)

REASON = "no boolean such as yes, no, true, false, 1 or 0"
"""Why a text is refused."""

_CERTAIN = [
    {true, false} for true, false in PAIRS if len(true) > 1 or (true, false) in {("t", "f"), ("y", "n")}
]  # o and n may be anything


def boolean(text: str) -> bool | None:
    """Returns what a text stands for; None for no boolean.

    >>> boolean("Ja"), boolean("нет"), boolean("maybe")
    (True, False, None)
    """
    word = text.lower()
    return True if word in TRUE else False if word in FALSE else None


def booleans(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Returns which of (rows,) texts stand for true, and which for false."""
    lowered = pc.utf8_lower(texts)
    is_true, is_false = (pc.is_in(lowered, pa.array(sorted(words))) for words in (TRUE, FALSE))
    return is_true, is_false


def are_marks(texts: pl.Series) -> bool:
    """Whether a column has marks and blanks only, and a mark at least, so that a blank is false.

    >>> are_marks(pl.Series(["x", "", None])), are_marks(pl.Series(["x", "no"])), are_marks(pl.Series([""]))
    (True, False, False)
    """
    words = words_in(texts)
    return bool(words) and words <= set(MARKS)


def words_in(texts: pl.Series) -> set[str]:
    """Returns the different words of a column, in lower case, without blanks."""
    return set(texts.str.strip_chars().str.to_lowercase().drop_nulls().unique()) - {""}


def description(texts: pl.Series) -> str:
    """Describes a column of booleans by its words, those of true first; empty if it holds anything else.

    >>> description(pl.Series(["nein", "Ja", ""])), description(pl.Series(["x", ""]))
    ('booleans: ja/nein', 'booleans: x/blank')
    >>> description(pl.Series(["ja", "?"]))
    ''
    """
    found = words_in(texts)
    if not found or not found <= TRUE | FALSE:
        return ""
    words = sorted(found, key=lambda word: (word in FALSE, word))
    return f"booleans: {'/'.join([*words, 'blank'] if found <= set(MARKS) else words)}"


def are_certain(texts: pl.Series) -> bool:
    """Whether a column of texts is taken for booleans although nobody declared it: words of one pair, or marks.

    >>> are_certain(pl.Series(["ja", "nein"])), are_certain(pl.Series(["o", "n"])), are_certain(pl.Series(["ja", "no"]))
    (True, False, False)
    """
    words = words_in(texts)
    return are_marks(texts) or (bool(words) and any(words <= pair for pair in _CERTAIN))
