"""Whom a row or a line names: by the columns with ids of people, and in records by the ids that stand in texts.

The same rows are named here as an erasure removes (``refrain.person.erasure``): of raw tables by their columns, of
records by what their lines mention.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import polars as pl

from feature_repo.encryption.person_keys import Person
from feature_repo.home import Home
from refrain.compliance.marks import Marks
from refrain.person.contents.json_documents import values_of
from refrain.person.contents.reader import SEPARATOR
from refrain.person.erasure.records import mentions
from refrain.person.patterns import Patterns
from refrain.person.scan import PersonKey
from refrain.person.spellings import is_distinctive
from transforms.raw.declared import raw_tables
from transforms.raw.table import RawTable


class People:
    """The people of a data folder, as far as rows have named them.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        tables = raw_tables(home)
        self.keys = sorted(key for key in Marks.of(tables).keys if any(t.has_ids_of(key) for t in tables.values()))
        self._persons = {key: PersonKey.of(home, key) for key in self.keys}
        self._known: dict[str, set[str]] = defaultdict(set)
        self._patterns: Patterns | None = None
        self._owners: list[list[str]] = []

    def of_rows(self, table: RawTable, rows: pl.DataFrame) -> pl.Series:
        """(rows,) the people whom each row of a raw table names, as a label; see ``people_of``."""
        names = []
        for key in self.keys:
            for column in table.columns_of(key):
                if column in rows.columns:
                    names.append(_label(key, pl.col(column)))
            kinds = [kind for kind, join_key in table.entity_kinds.items() if join_key == key]
            if kinds and {"entity", "entity_id"} <= set(rows.columns):
                names.append(_label(key, pl.when(pl.col("entity").is_in(kinds)).then(pl.col("entity_id"))))
        if not names:
            return pl.repeat("", rows.height, dtype=pl.String, eager=True)
        if len(names) == 1:
            labels = rows.select(label=names[0].fill_null("")).to_series()
        else:
            parts = pl.concat_list(names).list.drop_nulls().list.unique().list.sort()
            labels = rows.select(label=parts.list.join("")).to_series()
        for label in labels.unique():
            for key, id_ in people_of(label):
                self._known[key].add(id_)
        self._patterns = None
        return labels

    def of_lines(self, lines: Sequence[bytes], nested: Sequence[Iterable[str]] = ()) -> list[frozenset[Person]]:
        """The people whom each line mentions.

        Args:
            lines: JSON, or any text.
            nested: for each line further JSON that stands in it as a text.
        """
        people = [
            set(self._values([line, *(text.encode(errors="surrogatepass") for text in texts)]))
            for line, texts in zip(lines, nested or [()] * len(lines), strict=True)
        ]
        for those in people:
            for key, id_ in those:
                if id_ not in self._known[key]:
                    self._known[key].add(id_)
                    self._patterns = None
        for line, those, places in zip(lines, people, self._hits(lines), strict=True):
            for id_ in places:
                those |= {
                    (key, id_)
                    for key in self.keys
                    if id_ in self._known[key] and (key, id_) not in those and mentions(line, self._persons[key], id_)
                }
        return [frozenset(those) for those in people]

    def _values(self, documents: Sequence[bytes]) -> Iterable[Person]:
        """Values of columns with ids of people, in JSON."""
        for part in values_of([each for each in documents if each[:1] in (b"{", b"[")]):
            for key, person in self._persons.items():
                if part.key in (person.key, *person.columns):
                    for value in part.content.split(SEPARATOR):
                        if value:
                            yield key, value.decode(errors="surrogatepass")

    def _hits(self, lines: Sequence[bytes]) -> list[list[str]]:
        """The known ids that can be told from words, and stand anywhere in each line."""
        ids = sorted({id_ for those in self._known.values() for id_ in those if is_distinctive(id_)})
        if not ids or not lines:
            return [[] for _ in lines]
        if self._patterns is None:
            self._patterns = Patterns([id_.encode() for id_ in ids])
        return [[ids[place] for place in places] for places in self._patterns.in_each(lines)]


def documents_of(rows: pl.DataFrame) -> tuple[list[bytes], list[list[str]]]:
    """The rows of a table of records as lines of JSON, and the JSON that stands in their texts."""
    lines, nested = [], []
    for row in rows.iter_rows(named=True):
        lines.append(json.dumps(row, default=str, ensure_ascii=False).encode(errors="surrogatepass"))
        nested.append([value for value in row.values() if isinstance(value, str) and value[:1] in ("{", "[")])
    return lines, nested


def label_of(people: Iterable[Person]) -> str:
    """People as a text, the same for the same people.

    >>> people_of(label_of([("user_id", "u 2"), ("user_id", "u1")])) == [("user_id", "u 2"), ("user_id", "u1")]
    True
    """
    return "".join(sorted(f"{key} {len(id_.encode(errors='surrogatepass'))} {id_}" for key, id_ in people))


def people_of(label: str) -> list[Person]:
    """The people of a label.

    >>> people_of("user_id 2 u1user_id 2 u2")
    [('user_id', 'u1'), ('user_id', 'u2')]
    """
    people, rest = [], label.encode(errors="surrogatepass")
    while rest:
        key, length, rest = rest.split(b" ", 2)
        id_, rest = rest[: int(length)], rest[int(length) :]
        people.append((key.decode(), id_.decode(errors="surrogatepass")))
    return people


def _label(key: str, id_: pl.Expr) -> pl.Expr:
    text = id_.cast(pl.String)
    return pl.when(text.str.len_bytes() > 0).then(
        pl.concat_str(pl.lit(f"{key} "), text.str.len_bytes().cast(pl.String), pl.lit(" "), text)
    )


def restricted_entries(content: bytes) -> list[tuple[bytes, frozenset[Person]]]:
    """The entries of the list of restricted people, each with the person that it is of."""
    document: dict[str, dict[str, list[str]]] = msgspec.json.decode(content)
    return [
        (msgspec.json.encode([name, key, id_]), frozenset({(key, id_)}))
        for name, by_key in document.items()
        for key, ids in by_key.items()
        for id_ in ids
    ]


def restricted_document(entries: Iterable[bytes]) -> dict[str, Any]:
    """The list of restricted people that some entries are of."""
    document: dict[str, dict[str, list[str]]] = {"ids": {}, "lifted": {}}
    for entry in entries:
        name, key, id_ = msgspec.json.decode(entry, type=tuple[str, str, str])
        document.setdefault(name, {}).setdefault(key, []).append(id_)
    return document
