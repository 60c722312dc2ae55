"""Deezer's history: the sheet of a workbook or a CSV file, and whose it is."""

import io
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import (
    ARTISTS,
    TITLES,
    check_example,
    expected_of,
    load,
    moment,
    plays,
    stored_text,
    table,
    write,
)
from transforms.raw.importers.deezer import SHEET

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def listened(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "Song Title": TITLES[number % 6],
        "Artist": ARTISTS[number % 6],
        "ISRC": f"ZZMDU240000{number % 6}",
        "Album Title": "Paper Weather",
        "IP Address": "192.0.2.77",
        "Listening Time": 90 + number,
        "Platform Name": "android",
        "Platform Model": "made-up",
        "Date": f"{moment(number):%Y-%m-%d %H:%M:%S}",
        **changes,
    }


def workbook(sheets: dict[str, list[dict[str, Any]]]) -> bytes:
    """A workbook as small as one may be."""

    def sheet(rows: list[dict[str, Any]]) -> str:
        cells = [[str(cell) for cell in row] for row in [list(rows[0]), *(row.values() for row in rows)]]
        lines = ("".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row) for row in cells)
        data = "".join(f"<row>{line}</row>" for line in lines)
        return f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'

    def links(targets: list[tuple[str, str]]) -> str:
        each = (
            f'<Relationship Id="rId{n}" Target="{target}" Type="{OFFICE}/{kind}"/>'
            for n, (target, kind) in enumerate(targets, 1)
        )
        return f'<Relationships xmlns="{PACKAGE}/relationships">{"".join(each)}</Relationships>'

    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as book:
        types = (
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>'
        )
        book.writestr("[Content_Types].xml", types)
        book.writestr("_rels/.rels", links([("xl/workbook.xml", "officeDocument")]))
        places = [(f"worksheets/sheet{n}.xml", "worksheet") for n, _ in enumerate(sheets, 1)]
        book.writestr("xl/_rels/workbook.xml.rels", links(places))
        text = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>'
        book.writestr("xl/workbook.xml", text)
        for n, rows in enumerate(sheets.values(), 1):
            book.writestr(f"xl/worksheets/sheet{n}.xml", sheet(rows))
    return buffer.getvalue()


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    for number, (path, expected) in enumerate(expected_of(exports, "deezer")):
        home = Home(tmp_path / str(number))
        check_example(home, "deezer", path, expected)
        assert plays(home)["ms_played"].null_count() == expected["without_length"]


def test_the_sheet_is_found_by_its_name(home: Home, tmp_path: Path) -> None:
    rows = [listened(n) for n in range(4)]
    content = workbook({"01_profile": [{"Email": "mira@example.org"}], SHEET: rows})
    load(home, "deezer", write(tmp_path / "deezer-data_1000000001.xlsx", content))
    assert plays(home)["user_id"].unique().to_list() == ["deezer:1000000001"]
    assert plays(home)["track_id"].to_list() == [f"deezer:isrc:ZZMDU240000{n}" for n in range(4)]
    assert not [text for text in ("192.0.2", "example.org") if text in stored_text(home)]


def test_a_workbook_without_the_sheet_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the sheets '01_profile'"):
        load(home, "deezer", write(tmp_path / "deezer-data_1.xlsx", workbook({"01_profile": [{"Email": "x"}]})))


def test_the_sheet_as_csv_is_of_the_same_person(home: Home, tmp_path: Path) -> None:
    rows = [listened(n) for n in range(4)]
    write(tmp_path / "10_listeningHistory.csv", table(rows))
    write(tmp_path / "deezer-data_1000000001.xlsx", workbook({SHEET: [*rows, listened(9)]}))
    report = load(home, "deezer", tmp_path)
    assert plays(home)["user_id"].unique().to_list() == ["deezer:1000000001"]
    assert report.tables["plays"].added == 5


def test_two_accounts_are_two_people(home: Home, tmp_path: Path) -> None:
    for account in (1, 2):
        write(tmp_path / f"deezer-data_{account}.xlsx", workbook({SHEET: [listened(n) for n in range(4)]}))
    with pytest.raises(InputError, match="those of several"):
        load(home, "deezer", tmp_path, user="mira")
    load(home, "deezer", tmp_path)
    assert sorted(plays(home)["user_id"].unique()) == ["deezer:1", "deezer:2"]


def test_what_is_no_length_is_none_and_names_stand_for_a_missing_code(home: Home, tmp_path: Path) -> None:
    rows = [listened(0, **{"Listening Time": -1, "ISRC": ""}), listened(1, **{"Listening Time": -2})]
    report = load(home, "deezer", write(tmp_path / "history.csv", table(rows)))
    assert plays(home).select("track_id", "ms_played").rows() == [("deezer:name:Velm Orrin/Glass Harbour", None)]
    assert report.tables["plays"].reasons == {"negative length": 1}
