"""A person's own file is read whatever its format, and what cannot be read is one error."""

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_repo.errors import InputError
from refrain.own_file import columns
from refrain.own_file.table import OwnFile
from tests.transforms.raw.files.test_sheet import packed, parts

ROWS = pl.DataFrame({"day": ["2026-03-01", "2026-03-02"], "sales": [7.5, 1250.0], "shop": ["a", "b"]})


def written(folder: Path, kind: str) -> Path:
    path = folder / f"sales.{kind}"
    match kind:
        case "parquet":
            ROWS.write_parquet(path)
        case "arrow":
            ROWS.write_ipc(path)
        case "jsonl":
            ROWS.write_ndjson(path)
        case "xlsx":
            cells = [ROWS.columns, *ROWS.iter_rows()]
            rows = "".join(
                f'<row r="{number}">'
                + "".join(
                    f'<c r="{"ABC"[place]}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
                    for place, cell in enumerate(row)
                )
                + "</row>"
                for number, row in enumerate(cells, 1)
            )
            path.write_bytes(packed(parts(rows)))
        case _:
            path.write_text("day;sales;shop\n01.03.2026;7,5;a\n02.03.2026;1250,00;b\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow", "jsonl", "xlsx"])
def test_a_table_of_any_format_has_the_same_columns(kind: str, tmp_path: Path) -> None:
    if kind == "xlsx":
        pytest.importorskip("python_calamine")
    file = OwnFile.read(written(tmp_path, kind))
    assert file.columns == ROWS.columns
    assert file.numbers("sales").values.to_list() == [7.5, 1250.0]
    assert file.texts("shop").to_list() == ["a", "b"]
    found = columns.require_times(file)
    assert found.column == "day"
    assert found.values.to_list() == [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]
    assert "2 rows" in file.lines[0]


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        (b"", "a table", "an empty file"),
        (b"a,b\n", "rows in", "the names of columns alone"),
        (b"a,a\n1,2\n", "a name of its own", "two columns with the name 'a'|'a'"),
        (b"abc\0\x01\x02def", "a table", "neither text nor"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a table", "neither text nor"),
        (b"196,242,3\n186,302,3\n", "a first row with the names", "the numbers 196, 242, 3"),
        (b"PAR1 and no more", "", "cut short or damaged"),
    ],
)
def test_what_is_no_table_is_one_error(content: bytes, expected: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        OwnFile.read(path)
    assert expected in error.value.expected
    assert re.search(found, error.value.found)
    assert error.value.next_command


def file_of(folder: Path, **cells: list[str]) -> OwnFile:
    path = folder / "rows.csv"
    pl.DataFrame(cells).write_csv(path)
    return OwnFile.read(path)


@pytest.mark.parametrize(
    ("texts", "words", "first"),
    [
        (["2024-01", "2024-02"], "%Y-%m", datetime(2024, 1, 1)),
        (["1990", "1991"], "%Y", datetime(1990, 1, 1)),
        (["20240131", "20240201"], "%Y%m%d", datetime(2024, 1, 31)),
        (["13/01/2024", "01/02/2024"], "%d/%m/%Y", datetime(2024, 1, 13)),
        (["1704067200", "1704067260"], "seconds since 1970", datetime(2024, 1, 1)),
        (["2024-01-01T10:00+02:00", "2024-01-01T11:00+02:00"], "with a zone", datetime(2024, 1, 1, 8)),
    ],
)
def test_times_are_recognized_and_shown(texts: list[str], words: str, first: datetime, tmp_path: Path) -> None:
    found = columns.require_times(file_of(tmp_path, date=texts, sales=["1", "2"]))
    assert words in found.words
    assert found.values[0] == first.replace(tzinfo=UTC)


def test_days_that_may_be_months_are_not_guessed(tmp_path: Path) -> None:
    file = file_of(tmp_path, date=["01/02/2024", "03/04/2024"], sales=["1", "2"])
    with pytest.raises(InputError, match=r"%m/%d/%Y and %d/%m/%Y"):
        columns.times(file)
    given = columns.require_times(file, form="%d/%m/%Y")
    assert given.values[0] == datetime(2024, 2, 1, tzinfo=UTC)


def test_columns_are_found_by_usual_names_or_named(tmp_path: Path) -> None:
    file = file_of(tmp_path, **{"Customer ID": ["u1", "u2"], "Track-Id": ["a", "b"], "other": ["x", "y"]})
    assert columns.require(file, "user", "people") == "Customer ID"
    assert columns.require(file, "item", "items", without=["Customer ID"]) == "Track-Id"
    with pytest.raises(InputError, match=r"--item other"):
        columns.require(file, "item", "items", given="othr")
    with pytest.raises(InputError, match=r"named label, class"):
        columns.require(file, "label", "labels")
