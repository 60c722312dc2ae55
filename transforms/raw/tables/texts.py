"""Texts about tracks and artists, and texts by listeners."""

import dataframely as dy
import polars as pl

from transforms.pure.text.clean import clean
from transforms.pure.text.language import UNKNOWN, languages
from transforms.pure.text.pii import mask
from transforms.raw.table import RawTable, Timed, key_column

ENTITIES = ("track", "artist", "user", "corpus")
"""Kinds of entities that a text describes; ``corpus``: none, the text was collected for training."""
KINDS = ("title", "description", "lyrics", "review", "comment", "tag", "sentence")


class Texts(Timed):
    """One row per text, stored cleaned and with personal data masked."""

    text_id = key_column()
    entity = dy.String(nullable=False)
    entity_id = key_column()
    kind = dy.String(nullable=False)
    text = dy.String(nullable=False, min_length=1)
    language = dy.String(nullable=True)
    author_id = dy.String(nullable=True)

    @dy.rule()
    def entity_is_not_known(cls) -> pl.Expr:
        """The entity is one of ``ENTITIES``."""
        return pl.col("entity").is_in(ENTITIES)

    @dy.rule()
    def kind_is_not_known(cls) -> pl.Expr:
        """The kind is one of ``KINDS``."""
        return pl.col("kind").is_in(KINDS)


def prepared(rows: pl.DataFrame) -> pl.DataFrame:
    """Clean texts, mask personal data, and detect the language of texts without one."""
    raw_texts = rows["text"].to_list()
    cleaned = {text: mask(clean(text).text).text for text in dict.fromkeys(raw_texts) if text is not None}
    texts = [None if text is None else cleaned[text] for text in raw_texts]
    unlabelled = [index for index, code in enumerate(rows["language"]) if code is None and texts[index]]
    codes = rows["language"].to_list()
    for index, (code, _) in zip(unlabelled, languages([texts[index] or "" for index in unlabelled]), strict=True):
        codes[index] = None if code == UNKNOWN else code
    return rows.with_columns(pl.Series("text", texts, dtype=pl.String), pl.Series("language", codes, dtype=pl.String))


TEXTS = RawTable(
    "texts",
    Texts,
    key=("text_id",),
    prepare=prepared,
    join_keys={"author_id": "user_id"},
    entity_kinds={"user": "user_id", "track": "track_id", "artist": "artist_id"},
    sensitive=("text",),
    retention="1825d",
    person="author_id",
)
