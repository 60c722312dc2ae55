"""Workbooks that are damaged, or made to fill memory: a typed error or rows of texts, before anything is allocated."""

import io
import re
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from transforms.raw.files import sheet_bounds
from transforms.raw.files.members import single
from transforms.raw.files.sheet import Sheet

pytest.importorskip("python_calamine")

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
ROWS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="s"><v>0</v></c>'
    '<c r="C1" t="inlineStr"><is><t>at</t></is></c></row>'
    '<row r="2"><c r="A2"><v>45000.5</v></c><c r="B2" t="b"><v>1</v></c><c r="C2" s="1"><v>45000.25</v></c></row>'
    '<row r="3"><c r="A3" t="e"><v>#N/A</v></c><c r="B3" t="d"><v>2024-01-01T00:00:00</v></c></row>'
)


def parts(rows: str = ROWS, text: str = "name") -> dict[str, bytes]:
    """The parts of a workbook with a text that cells share, and a form for dates."""
    kinds = {"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}
    links = "".join(
        f'<Relationship Id="rId{n}" Target="{target}" Type="{OFFICE}/{kind}"/>'
        for n, (kind, target) in enumerate(kinds.items(), 1)
    )
    sheets = '<sheets><sheet name="x" sheetId="1" r:id="rId1"/></sheets>'
    forms = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
    content = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Target="xl/workbook.xml" '
        f'Type="{OFFICE}/officeDocument"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}">{links}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{sheets}</workbook>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>{text}</t></si></sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{forms}</styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }
    return {name: part.encode() for name, part in content.items()}


def packed(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def rows_of(data: bytes) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xlsx"
        path.write_bytes(data)
        return [row for batch in Sheet(single(path)).batches() for row in batch.rows]


def test_a_sheet_of_every_kind_of_cell() -> None:
    assert rows_of(packed(parts())) == [["45000.5", "true", "2023-03-15 06:00:00"], ["", "2024-01-01 00:00:00", ""]]


NUMBERS = [b"9" * 20, b"1e308", b"-1", b"1e999", b"NaN", b"2958466", b"1048577", b"", b"4294967296", b"A" * 9]


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    part=st.sampled_from(sorted(parts())),
    changes=st.one_of(mutations(60), st.tuples(st.integers(0, 99), st.sampled_from(NUMBERS))),
)
def test_damaged_parts_give_rows_or_typed_errors(part: str, changes: list[Mutation] | tuple[int, bytes]) -> None:
    content = parts()
    if isinstance(changes, list):
        content[part] = mutated(content[part], changes)
    else:
        pieces = re.split(rb"(\d+)", content[part])
        pieces[(2 * changes[0] + 1) % max(len(pieces) - 1, 1)] = changes[1]
        content[part] = b"".join(pieces)
    try:
        "".join(cell for row in rows_of(packed(content)) for cell in row).encode()
    except InputError as error:
        assert error.found and error.next_command


BOMBS = {
    "a cell far away": ('<c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c>', "1,048,576 rows and 16,384 columns"),
    "a row far away": ('<c r="A1"><v>1</v></c><row r="999999999"><c><v>1</v></c></row>', "999,999,999 rows"),
    "a row whose number wraps around": ('<c r="a99999999999999999999"><v>1</v></c>', "rows"),
    "a column that does not exist": ("<c r='ZZZZ1'><v>1</v></c>", "columns"),
    "with a prefix": ('<x:c r="A1"><v>1</v></x:c><x:c r="XFD1048576"><v>1</v></x:c>', "16,384 columns"),
    "one text in many cells": ('<c t="s"><v>0</v></c>' * 10_000, "bytes of text"),
    "one text, hidden": ('<c t="s"><!-- --><v>0</v></c>' * 10_000, "bytes of text"),
    "many bytes": ("<c><v>1</v></c>" * 700_000, "when it is unpacked"),
    "a long tag": (f'<c r="A1" {" " * 2_500_000}><v>1</v></c>', "a tag of more than a megabyte"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_workbooks_made_to_fill_memory_are_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_bounds, "MOST_BYTES", 8 << 20)
    rows, words = BOMBS[kind]
    with pytest.raises(InputError, match=words):
        rows_of(packed(parts(f"<row>{rows}</row>", text="x" * 32_767)))


def test_cells_with_a_form_and_no_content_do_not_count() -> None:
    far = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert len(rows_of(packed(parts(ROWS + far)))) == 2


def test_long_texts_and_parts_of_other_kinds_are_read() -> None:
    content = parts(ROWS.replace("<t>a</t>", f"<t>{'a' * 3_000_000}</t>"))
    content["xl/media/image1.png"] = bytes(5_000_000)
    assert len(rows_of(packed(content))) == 2


def test_workbooks_of_other_kinds_are_named() -> None:
    with pytest.raises(InputError, match="a workbook of another kind"):
        rows_of(packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"}))
