"""Recognizes the format of a file by its content, and opens it as a table."""

import shlex
import zipfile
from pathlib import Path

from feature_repo.errors import InputError
from transforms.raw.files.members import single
from transforms.raw.files.text import encoding_of, recognize
from transforms.raw.own_tables.arrow_table import open_ipc, open_parquet
from transforms.raw.own_tables.csv_table import CsvTable
from transforms.raw.own_tables.excel_table import ExcelTable
from transforms.raw.own_tables.json_table import JsonTable
from transforms.raw.own_tables.source import OwnTable

FORMATS = "Parquet, Arrow IPC (Feather), Excel (.xlsx), CSV or JSON, the latter two also as .gz, .xz, .bz2 or .zst"

_REFUSED = {
    b"PK\x03\x04": ("a zip archive", "unzip {path}, then repeat the command with a file of it"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "save it as CSV (in Excel: CSV UTF-8), then import that"),
    b"FEA1": ("Feather of version 1", "write it as Feather of version 2 or as Parquet, then import that"),
}
"""First bytes of a file that is not read → its format, and what to do."""

_BINARY = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")


def open_table(path: Path) -> OwnTable:
    """Opens a table of a person's own.

    Args:
        path: file in one of ``FORMATS``.

    Raises:
        InputError: the file is absent, empty, of another format, truncated, or has two columns of one name.
    """
    if not path.is_file():
        found = f"{path}, which is a folder" if path.is_dir() else f"nothing at {path}"
        raise _error(found, "ls, then repeat the command with the path of a file")
    with path.open("rb") as file:
        magic = file.read(8)
    if not magic:
        raise _error(f"an empty file {path}", f"write the table to {path} again, then repeat the command")
    if _is_workbook(path):
        return ExcelTable(single(path))
    for first_bytes, (name, remedy) in _REFUSED.items():
        if magic.startswith(first_bytes):
            raise _error(f"{name}: {path}", remedy.format(path=shlex.quote(str(path))))
    if magic.startswith(_BINARY[0]):
        return open_parquet(path)
    if magic.startswith(_BINARY[1:]):
        return open_ipc(path, stream=magic.startswith(_BINARY[2]))
    return _open_text(path)


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _open_text(path: Path) -> OwnTable:
    member = single(path)
    with member.open() as handle:
        head = handle.read(1 << 16)
    quoted = shlex.quote(str(path))
    if head.startswith(_BINARY):
        raise _error(f"Parquet or Arrow in gzip: {path}", f"gunzip {quoted}, then import the unpacked file")
    if b"\0" in head and encoding_of(head).startswith("utf-8"):
        raise _error(f"{path}, which is neither text nor one of these", "save the table as CSV or Parquet, then repeat")
    text = recognize(member)
    with text.open() as (handle_of_text, _):
        start = handle_of_text.read(4_096).lstrip()
    if not start:
        raise _error(f"an empty file {path}", f"write the table to {path} again, then repeat the command")
    return JsonTable(text, start.startswith("[")) if start.startswith(("[", "{")) else CsvTable(text)


def _error(found: str, next_command: str) -> InputError:
    return InputError(expected=f"a table: {FORMATS}", found=found, next_command=next_command)
