"""Runs a task on a file: reads it, shows progress and the result, writes the page and the answers."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from feature_repo.command_line import Progress, progress, say
from refrain.own_file import page as pages
from refrain.own_file.result import Result
from refrain.own_file.table import OwnFile

SHOWN = 10
"""Number of answers on the terminal."""

Task = Callable[[OwnFile, Progress], Result]


def work(name: str, path: Path, task: Task, *, out: Path | None, page: Path | None) -> Result:
    """Runs a task.

    Args:
        name: the task, as part of the page's name.
        path: the file.
        task: the work itself.
        out: file for the answers; None for none.
        page: file for the page; None for one named after the file and the task, in the current folder.

    Raises:
        InputError: the file or a request is invalid.
    """
    pages.check_suffixes(page, out)
    with progress(name) as report:
        file = OwnFile.read(path, progress=report)
        result = task(file, report)
    for line in result.lines:
        say(line)
    say(result.verdict.line)
    for line in _shown(result.answers):
        say(line)
    if out is None and result.answers.height > SHOWN:
        say(f"{result.answers.height:,} answers; all of them: --out answers.csv")
    save(result, name, path, out=out, page=page)
    return result


def save(result: Result, name: str, path: Path, *, out: Path | None, page: Path | None) -> None:
    """Writes the answers and the page of a result, and says where; the arguments are those of ``work``."""
    if out is not None:
        say(f"answers: {pages.write_answers(result.answers, out)} ({result.answers.height:,} rows)")
    say(f"page: {pages.write_page(result, page or Path(f'{path.stem}.{name}.html'))}")


def _shown(answers: pl.DataFrame) -> list[str]:
    """The first answers as a table of text."""
    head = answers.head(SHOWN)
    rows = [answers.columns, *([pages.cell(value) for value in row] for row in head.iter_rows())]
    widths = [max(len(row[place][:40]) for row in rows) for place in range(len(answers.columns))]
    numeric = [kind.is_numeric() for kind in answers.dtypes]
    return (
        [
            "  ".join(
                text[:40].rjust(width) if is_number else text[:40].ljust(width)
                for text, width, is_number in zip(row, widths, numeric, strict=True)
            ).rstrip()
            for row in rows
        ]
        if head.height
        else []
    )
