"""Writes a result as one page, HTML or Markdown, and its answers as CSV or Parquet."""

from pathlib import Path

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.output import csv_text
from feature_repo.output import markdown as md
from feature_repo.whole_files import write_whole
from refrain.own_file.result import Result, Section, Table
from transforms.pure import svg

SHOWN = 50
"""Number of answers on a page."""
PAGES, TABLES = (".html", ".htm", ".md"), (".csv", ".parquet")


def check_suffixes(page: Path | None, out: Path | None) -> None:
    """Refuses names of files whose ending names no format, before any work.

    Raises:
        InputError: an ending is another one.
    """
    for path, known, option in ((page, PAGES, "--page"), (out, TABLES, "--out")):
        if path is not None and path.suffix.lower() not in known:
            raise InputError(
                expected=f"a name that ends in {' or '.join(known)} after {option}",
                found=str(path),
                next_command=f"repeat the command with {option} {path.with_suffix(known[0])}",
            )


def write_page(result: Result, path: Path) -> Path:
    """Writes the page; the ending of its name says whether it is HTML or Markdown."""
    _write(path, markdown(result) if path.suffix.lower() == ".md" else html(result), "--page")
    return path


def write_answers(answers: pl.DataFrame, path: Path) -> Path:
    """Writes the answers; the ending of the name says whether as CSV or Parquet."""
    if path.suffix.lower() == ".parquet":
        _write(path, parquet_files.content(answers), "--out")
    else:
        _write(path, csv_text.text_of(answers, datetime_format="%Y-%m-%dT%H:%M:%SZ"), "--out")
    return path


def html(result: Result) -> str:
    """The page as HTML."""
    parts = [_paragraph(line) for line in (result.verdict.line, *result.lines)]
    for section in _sections(result):
        parts.append(f"<h2>{svg.escape(section.title)}</h2>")
        parts += [_paragraph(text) for text in section.paragraphs]
        if section.table is not None:
            parts.append(svg.table(section.table.heads, section.table.rows, numbers=section.table.numbers))
        parts += section.figures
    return svg.page(result.title, "".join(parts))


def markdown(result: Result) -> str:
    """The page as Markdown, without pictures."""
    parts = [f"# {md.escape(result.title)}", *map(md.escape, (result.verdict.line, *result.lines))]
    for section in _sections(result):
        parts += [f"## {md.escape(section.title)}", *map(md.escape, section.paragraphs)]
        if section.table is not None:
            parts.append(md.table(section.table.heads, section.table.rows, numbers=section.table.numbers))
    return "\n\n".join(parts) + "\n"


def _sections(result: Result) -> list[Section]:
    answers = result.answers.head(SHOWN)
    if not answers.height:
        return list(result.sections)
    title = "Answers" if result.answers.height <= SHOWN else f"Answers: the first {SHOWN} of {result.answers.height:,}"
    numbers = tuple(place for place, kind in enumerate(answers.dtypes) if kind.is_numeric())
    rows = [[cell(value) for value in row] for row in answers.iter_rows()]
    return [*result.sections, Section(title, table=Table(answers.columns, rows, numbers))]


def cell(value: object) -> str:
    """A value as the text of a cell."""
    if isinstance(value, float):
        return f"{value:,.6g}"
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d %H:%M}"
    return "" if value is None else str(value)


def _paragraph(text: str) -> str:
    return f"<p>{svg.escape(text)}</p>"


def _write(path: Path, content: str | bytes, option: str) -> None:
    """Writes a file whole.

    Raises:
        InputError: its folder cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(
            expected=f"a folder in which {path.name} can be written",
            found=f"{path.absolute().parent}: {error.strerror}",
            next_command=f"repeat the command with {option} {Path.home() / path.name}",
        ) from error
