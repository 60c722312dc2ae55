"""Tables and lines cut into pieces: all rows come back, and a piece holds nothing of those whom it does not name."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_repo.encryption.person_keys import PersonKeys
from refrain.backup import lines, tables
from refrain.backup.mentions import label_of, people_of
from refrain.backup.pieces import KeyDestroyed, KeyUnknown, Piece, Sealer

IDS = st.text("aé1 :\0", min_size=1, max_size=6)
PEOPLE = st.lists(st.tuples(st.sampled_from(["user_id", "customer_id"]), IDS), max_size=3, unique=True)


@given(PEOPLE)
def test_a_label_names_its_people(people: list[tuple[str, str]]) -> None:
    assert sorted(people_of(label_of(people))) == sorted(people)
    assert label_of(people) == label_of(people[::-1])


@given(st.lists(st.sampled_from(["ann-ann", "bob-bob", "eve-eve", ""]), max_size=30), st.integers(1, 4))
def test_a_piece_of_a_table_holds_nothing_of_others(ids: list[str], files: int) -> None:
    frames = {
        Path(str(number)): pl.DataFrame(
            {"user_id": ids[number::files], "n": range(len(ids[number::files]))},
            schema={"user_id": pl.String, "n": pl.Int64},
        )
        for number in range(files)
    }
    pieces = list(tables.cut(frames, lambda rows: rows["user_id"].map_elements(label, return_dtype=pl.String)))
    for people, count, content in pieces:
        names = {id_ for id_ in ("ann-ann", "bob-bob", "eve-eve") if id_.encode() in content}
        assert names == {id_ for _, id_ in people} and count > 0
    columns = tables.columns_of(next(iter(frames.values())))
    for rows, frame in zip(tables.join(columns, [each for *_, each in pieces], files), frames.values(), strict=True):
        assert_frame_equal(rows, frame)


def label(id_: str) -> str:
    return label_of([("user_id", id_)] if id_ else [])


def test_every_type_of_a_column_comes_back() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 7, UTC)
    rows = pl.DataFrame(
        {
            "text": ["é", None, ""],
            "number": pl.Series([2**63 - 1, None, -1], dtype=pl.Int64),
            "large": pl.Series([2**64 - 1, None, 0], dtype=pl.UInt64),
            "small": pl.Series([0.1, None, float("nan")], dtype=pl.Float32),
            "real": [0.1, float("inf"), None],
            "truth": [True, None, False],
            "at": [at, None, at],
            "day": [date(2026, 3, 1), None, date(1969, 1, 1)],
            "kind": pl.Series(["a", None, "b"], dtype=pl.Categorical),
            "raw": [b"\xff\0", None, b""],
            "texts": [["a", None], None, []],
            "times": [[at], None, []],
            "nested": [{"a": 1, "b": "x"}, None, {"a": None, "b": ""}],
        },
        schema_overrides={"at": pl.Datetime("us", "UTC"), "times": pl.List(pl.Datetime("us", "UTC"))},
    )
    pieces = [content for *_, content in tables.cut({Path("a"): rows}, lambda _: pl.Series(["", "user_id 1 a", ""]))]
    assert len(pieces) == 2
    (back,) = tables.join(tables.columns_of(rows), pieces, 1)
    assert_frame_equal(back, rows, categorical_as_str=True)


@given(st.lists(st.tuples(st.binary(max_size=9), st.sampled_from(["", "ann", "bob"])), max_size=20))
def test_lines_come_back_in_their_order(entries: list[tuple[bytes, str]]) -> None:
    people = [frozenset({("user_id", id_)} if id_ else ()) for _, id_ in entries]
    pieces = lines.grouped([line for line, _ in entries], people)
    assert lines.joined(content for *_, content in pieces) == [line for line, _ in entries]
    assert len(pieces) == len(set(people))


def test_a_piece_needs_the_keys_of_all_whom_it_names() -> None:
    ann, bob = ("user_id", "ann"), ("user_id", "bob")
    secret = PersonKeys(b"secret")
    digests = {person: secret.digest(person) for person in (ann, bob)}
    keys = PersonKeys(b"secret", {digests[ann]: bytes(32), digests[bob]: bytes([1]) * 32})
    sealer = Sealer(keys, b"archive")
    both, one = sealer.seal([ann, bob], 1, b"both"), sealer.seal([bob], 1, b"one")
    assert (sealer.open(both), sealer.open(one)) == (b"both", b"one")
    left = Sealer(PersonKeys(b"secret", {digests[bob]: bytes([1]) * 32}, {digests[ann]: "2026"}), b"archive")
    assert left.open(one) == b"one"
    with pytest.raises(KeyDestroyed):
        left.open(both)
    with pytest.raises(KeyUnknown):
        Sealer(PersonKeys(b"secret"), b"archive").open(one)
    with pytest.raises(KeyUnknown):
        Sealer(keys, b"another archive").open(one)
    with pytest.raises(KeyUnknown):
        sealer.open(Piece(one.people, 1, both.content))
