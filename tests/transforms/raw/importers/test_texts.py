"""Texts: found by the name of their column, right in every encoding, and none where there is none."""

import json
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.text.console_output import read as read_lines
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from transforms.raw.files.members import PassedOver
from transforms.raw.importers.texts import TEXTS, texts_of
from transforms.raw.ingest import Batch


def read_all(path: Path, **options: str) -> tuple[pl.DataFrame, list[str]]:
    batches = [item for item in TEXTS.batches(path, Home(path.parent), **options) if isinstance(item, Batch)]
    assert not any(isinstance(item, PassedOver) for item in batches)
    texts = pl.concat(batch.rows for batch in batches if batch.table == "texts")
    return texts, [reason for batch in batches for reason in batch.malformed["reason"]]


def test_the_examples_are_read_as_expected(exports: Path) -> None:
    folder = exports / "texts"
    for name, expected in json.loads((folder / "expected.json").read_text()).items():
        texts, reasons = read_all(folder / name)
        assert texts.height + len(reasons) == expected["records"], name
        assert texts["text_id"].n_unique() == expected["texts"], name
        assert {reason: reasons.count(reason) for reason in reasons} == expected["refused"], name
        times = texts["event_timestamp"]
        assert [times.min(), times.max()] == [datetime.fromisoformat(expected[key]) for key in ("first", "last")]
        more = '\nline two, "quoted"; end'
        written = [f"“Größe über alles” – déjà vu {number}" + more * (number % 4 == 0) for number in range(24)]
        assert texts["text"].to_list() == texts_of(folder / name) == list(read_lines(folder / name)) == written
        assert texts["author_id"].to_list() == [f"author_{number % 5}" for number in range(24)]


def test_a_column_can_be_named_and_equal_texts_of_two_ids_are_two(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id;text;Strophe;created_at\n1;x;la;03.02.2024 10:00\n2;y;la;04.02.2024 10:00\n3;z;lo;never\n")
    texts, reasons = read_all(path, text="strophe")
    assert texts.select("text", "event_timestamp").rows() == [
        ("la", datetime(2024, 2, 3, 10, tzinfo=UTC)),
        ("la", datetime(2024, 2, 4, 10, tzinfo=UTC)),
    ]
    assert texts["text_id"].n_unique() == 2
    assert reasons == ["a time that cannot be read"]
    assert read_all(path)[0]["text"].to_list() == ["x", "y"]
    with pytest.raises(InputError, match="refrain import texts .* --text NAME"):
        read_all(path, text="lyrics")


def test_columns_of_labels_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,Class,polarity,Emotion\nla,calm,positive,joy\nlo,,negative,\n")

    def labels(**options: str) -> list[tuple[str, str]]:
        batches = TEXTS.batches(path, Home(tmp_path), **options)
        rows = pl.concat(item.rows for item in batches if isinstance(item, Batch) and item.table == "text_labels")
        return sorted(rows.select("task", "label").rows())

    assert labels() == [("emotion", "joy")]
    assert labels(emotion="class") == [("emotion", "calm")]
    assert labels(emotion="class", sentiment="polarity") == [
        ("emotion", "calm"),
        ("sentiment", "negative"),
        ("sentiment", "positive"),
    ]
    with pytest.raises(InputError, match="a column or field mood of labels .* --emotion NAME"):
        labels(emotion="mood")


def test_lines_are_texts_of_a_file_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16"):
        path.write_text("Größe\n\n“über alles”\n", encoding=encoding)
        assert list(read_lines(path)) == ["Größe", "“über alles”"], encoding


FORMS = {
    "a.csv": 'id,body,created_at\n1,"ä, b",2024-01-01\n2,c,5\n'.encode("cp1252"),
    "b.jsonl": '{"comment":"ä","date":"2024-01-01"}\n{"comment":7,"date":5}\n'.encode(),
}


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(FORMS)), changes=mutations(longest=10))
def test_damaged_bytes_are_texts_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[Mutation]
) -> None:
    path = tmp_path_factory.mktemp("texts") / name
    path.write_bytes(mutated(FORMS[name], changes))
    try:
        texts, reasons = read_all(path)
    except InputError as error:
        assert error.found.encode()
    else:
        assert "\n".join([*texts["text"], *reasons]).encode()
