"""What is written about tracks and artists, and by listeners."""

import dataframely as dy
import polars as pl

from transforms.pure.text.clean import clean
from transforms.pure.text.language import UNKNOWN, languages
from transforms.pure.text.pii import mask
from transforms.raw.table import RawTable, Timed, key_column

ENTITIES = ("track", "artist", "user", "corpus")
"""Whom a text is about; ``corpus``: nobody, it was collected to learn from."""
KINDS = ("title", "description", "lyrics", "review", "comment", "tag", "sentence")


class Texts(Timed):
    """One row per text. It is stored cleaned, and what tells who somebody is masked."""

    text_id = key_column()
    entity = dy.String(nullable=False)
    entity_id = key_column()
    kind = dy.String(nullable=False)
    text = dy.String(nullable=False, min_length=1)
    language = dy.String(nullable=True)
    author_id = dy.String(nullable=True)

    @dy.rule()
    def entity_is_not_known(cls) -> pl.Expr:
        """It is one of ``ENTITIES``."""
        return pl.col("entity").is_in(ENTITIES)

    @dy.rule()
    def kind_is_not_known(cls) -> pl.Expr:
        """It is one of ``KINDS``."""
        return pl.col("kind").is_in(KINDS)


def prepared(rows: pl.DataFrame) -> pl.DataFrame:
    """Clean texts, mask what tells who somebody is, and name the language where nobody told it."""
    given = rows["text"].to_list()
    told = {text: mask(clean(text).text).text for text in dict.fromkeys(given) if text is not None}
    texts = [None if text is None else told[text] for text in given]
    unknown = [place for place, code in enumerate(rows["language"]) if code is None and texts[place]]
    codes = rows["language"].to_list()
    for place, (code, _) in zip(unknown, languages([texts[place] or "" for place in unknown]), strict=True):
        codes[place] = None if code == UNKNOWN else code
    return rows.with_columns(pl.Series("text", texts, dtype=pl.String), pl.Series("language", codes, dtype=pl.String))


TEXTS = RawTable("texts", Texts, key=("text_id",), prepare=prepared)
