"""Delimited texts and sheets: delimiter, header, quotes and damaged rows."""

import csv
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import InputError
from tests.transforms.raw.files.containers import CONTAINERS, zipped
from transforms.raw.files.members import members, single
from transforms.raw.files.rows import frame
from transforms.raw.files.sheet import Sheet
from transforms.raw.files.table import QUOTE, Table
from transforms.raw.files.text import recognize

NAMES = ["id", "title", "played at", "price"]
ROWS = [
    ["1", 'The "Blue" Hour', "2024-03-01 10:00", "2.50"],
    ["2", "Grüße, Köln; | two\nlines", "2024-03-02 10:00", ""],
    ["3", "plain", "2024-03-03 10:00", "1"],
]


def opened(path: Path, **options: Any) -> Table:
    return Table(recognize(next(members(path))), **options)


def read(table: Table | Sheet, size: int = 2) -> tuple[list[list[str]], list[tuple[str, str]]]:
    batches = list(table.batches(size))
    return [row for batch in batches for row in batch.rows], [row for batch in batches for row in batch.malformed]


def write(tmp_path: Path, content: str | bytes) -> Path:
    (tmp_path / "a.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return tmp_path / "a.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("container", ["plain", "gzip", "zip"])
@pytest.mark.parametrize("has_header", [True, False])
def test_every_delimiter_encoding_and_container(
    delimiter: str, encoding: str, container: str, has_header: bool, tmp_path: Path
) -> None:
    text = io.StringIO()
    header = [[f" {name} " for name in NAMES]] if has_header else []
    csv.writer(text, delimiter=delimiter).writerows([*header, *ROWS])
    table = opened(CONTAINERS[container](tmp_path, "a.csv", text.getvalue().encode(encoding)))
    assert (table.delimiter, table.has_header) == (delimiter, has_header)
    assert table.columns == (NAMES if has_header else ["column_1", "column_2", "column_3", "column_4"])
    assert read(table) == (ROWS, [])


def test_two_colons(tmp_path: Path) -> None:
    table = opened(write(tmp_path, '1::Toy "Story (1995)::Animation|Comedy\r\n2::Café::Drama\r\n'.encode("cp1252")))
    assert (table.delimiter, table.has_header, table.columns) == ("::", False, ["column_1", "column_2", "column_3"])
    assert read(table)[0] == [["1", 'Toy "Story (1995)', "Animation|Comedy"], ["2", "Café", "Drama"]]


@pytest.mark.parametrize(
    ("first", "has_header"),
    [
        ("artist,album,track,time", True),
        (",artist,track,time", True),
        ("Velm Orrin,Paper Weather,Glass Harbour,", False),
        ("Velm Orrin,Paper Weather,Glass Harbour,\"10 Mar 2024, 08:21\"", False),
        ("Velm Orrin,Paper Weather,Glass Harbour,1710058860", False),
        ("2Pac,24K,99 Luftballons,time", True),
    ],
)  # fmt: skip
def test_the_first_row_are_names_or_not(first: str, has_header: bool, tmp_path: Path) -> None:
    path = write(tmp_path, f'{first}\nA,B,C,"9 Mar 2024, 23:59"\nA,B,D,"9 Mar 2024, 23:55"\n')
    assert opened(path).has_header == has_header
    assert len(read(opened(path))[0]) == (2 if has_header else 3)
    assert not opened(path, header=False).has_header


def test_damaged_rows_do_not_stop_the_rest(tmp_path: Path) -> None:
    content = b'a,b\n1,2\n1,2,3\n\n1,2,,\n1\n1,"2\n3,4\n5,"6"x\n7,\xff\n8,\xc3\xa4\xc3\xa4\n'
    rows, malformed = read(opened(write(tmp_path, content)))
    assert rows == [["1", "2"], ["1", "2"], ["3", "4"], ["8", "ää"]]
    assert [reason for reason, _ in malformed] == [
        "3 cells instead of 2",
        "1 cells instead of 2",
        QUOTE,
        QUOTE,
        "bytes that are not UTF-8",
    ]


def test_quotes_may_be_letters(tmp_path: Path) -> None:
    path = write(tmp_path, 'artist\ttitle\nA\t"Blue\nB\tRed"\n')
    assert read(opened(path, quoted=False))[0] == [["A", '"Blue'], ["B", 'Red"']]


def test_the_hint_of_excel_and_the_decimal_mark(tmp_path: Path) -> None:
    table = opened(write(tmp_path, "sep=;\nid;price\n1;2,5\n"))
    assert (table.columns, table.decimal, read(table)[0]) == (["id", "price"], ",", [["1", "2,5"]])
    assert opened(write(tmp_path, "id,price\n1,2\n")).decimal == "."


def test_two_columns_of_one_name_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two columns with the name 'a'"):
        opened(write(tmp_path, "a, a \n1,2\n"))
    with pytest.raises(InputError, match="names of the columns"):
        opened(write(tmp_path, "\n\n"))
    assert read(opened(write(tmp_path, "\n"), header=False)) == ([], [])


def test_columns_of_texts() -> None:
    assert frame(["a", "b"], [["1", "x"]]).to_dicts() == [{"a": "1", "b": "x"}]
    assert frame(["a"], []).height == 0


def workbook(path: Path, rows: str, sheet: str = "10_listeningHistory") -> Path:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    link = (
        f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Target="{{}}" Type="{office}/{{}}"/>'
        "</Relationships>"
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": link.format("xl/workbook.xml", "officeDocument"),
        "xl/_rels/workbook.xml.rels": link.format("worksheets/sheet1.xml", "worksheet"),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{sheet}" sheetId="1" '
        'r:id="rId1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }
    path.write_bytes(zipped({name: part.encode() for name, part in parts.items()}))
    return path


def cells(*values: str | float) -> str:
    texts = "".join(
        f"<c><v>{value}</v></c>" if isinstance(value, int | float) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        for value in values
    )
    return f"<row>{texts}</row>"


def test_a_sheet_is_read_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    rows = (
        cells(" Song Title ", "Listening Time", "Share")
        + cells("Grüße", 233, 0.5)
        + cells("", "", "")
        + cells("b", -1, 1.0)
    )
    path = workbook(tmp_path / "a.xlsx", rows)
    assert [member.name for member in members(path)] == ["a.xlsx"]
    sheet = Sheet(single(path), "10_listeningHistory")
    assert sheet.columns == ["Song Title", "Listening Time", "Share"]
    assert read(sheet, 1)[0] == [["Grüße", "233", "0.5"], ["b", "-1", "1"]]
    with pytest.raises(InputError, match="a sheet other .*found the sheets '10_listeningHistory'"):
        Sheet(single(path), "other")
    with pytest.raises(InputError, match="two columns with the name 'a'"):
        Sheet(single(workbook(tmp_path / "b.xlsx", cells("a", "a"))))
    with pytest.raises(InputError, match="an empty sheet"):
        Sheet(single(workbook(tmp_path / "b.xlsx", "")))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="no readable workbook"):
        Sheet(single(path))


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(InputError, match=r"refrain\[excel\]"):
        Sheet(single(workbook(tmp_path / "a.xlsx", cells("a"))))
    assert zipfile.is_zipfile(tmp_path / "a.xlsx")


def test_a_name_with_damaged_bytes_names_a_column(tmp_path: Path) -> None:
    path = tmp_path / "damaged.csv"
    path.write_bytes("id;größe;t".encode("cp1252") + b"\x8dime\n1;2;3\n4;5;6\n")
    table = opened(path)
    assert table.columns == ["id", "größe", "t?ime"]
    rows = [row for batch in table.batches() for row in batch.rows]
    assert frame(table.columns, rows)["t?ime"].to_list() == ["3", "6"]
