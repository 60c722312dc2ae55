"""Writes the structure of one sound: JSON of Spotify's shape, JAMS, or one long table as CSV or Parquet."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.output import csv_text
from feature_repo.output.json_text import to_json
from feature_repo.whole_files import write_whole
from inference.audio.analyzer import AudioAnalysis
from transforms.pure.audio.structure.document import document
from transforms.pure.audio.structure.jams import jams
from transforms.pure.audio.structure.rows import INTEGERS, NUMBERS, rows


def spotify(analysis: AudioAnalysis) -> dict[str, Any]:
    """Return the document of Spotify's shape, with the fingerprint if the analysis has one."""
    return document(analysis.structure, fingerprint=analysis.fingerprint)


def _write_json(analysis: AudioAnalysis, out: Path) -> None:
    write_whole(out, to_json(spotify(analysis)) + "\n")


def _write_jams(analysis: AudioAnalysis, out: Path) -> None:
    write_whole(out, to_json(jams(analysis.structure, out.stem)) + "\n")


def _write_csv(analysis: AudioAnalysis, out: Path) -> None:
    write_whole(out, csv_text.text_of(_table(analysis)))


def _write_parquet(analysis: AudioAnalysis, out: Path) -> None:
    from transforms import parquet

    parquet.write_whole(_table(analysis), out)


def _table(analysis: AudioAnalysis) -> Any:
    import polars as pl

    schema = {"kind": pl.String, **dict.fromkeys(INTEGERS, pl.Int64), **dict.fromkeys(NUMBERS, pl.Float64)}
    return pl.DataFrame(rows(spotify(analysis)), schema=schema)


_WRITERS: Mapping[str, Callable[[AudioAnalysis, Path], None]] = {
    ".json": _write_json,
    ".jams": _write_jams,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}


def check(out: Path) -> None:
    """Check a file that is to be written, before a sound is analysed.

    Raises:
        InputError: its ending is none of those that are known, or a table of something else is there.
    """
    if out.suffix.lower() not in _WRITERS:
        raise InputError(
            expected=f"a file whose name ends in one of {', '.join(_WRITERS)}",
            found=out.name,
            next_command="refrain analyze FILE --out song.json",
        )
    if out.is_file() and not _is_replaceable(out):
        raise InputError(
            expected=f"no file at {out}, or a structure that refrain analyze wrote",
            found="another table",
            next_command=f"refrain analyze FILE --out another{out.suffix}",
        )


def _is_replaceable(out: Path) -> bool:
    """Whether a file is no table, or one of a structure: the table of a folder takes hours to compute."""
    import polars as pl

    readers: dict[str, Callable[[Path], pl.LazyFrame]] = {".csv": pl.scan_csv, ".parquet": parquet_files.scan}
    reader = readers.get(out.suffix.lower())
    if reader is None:
        return True
    try:
        return {"kind", *INTEGERS, *NUMBERS} <= set(reader(out).collect_schema())
    except (pl.exceptions.PolarsError, OSError):
        return False


def write(analysis: AudioAnalysis, out: Path) -> None:
    """Write the structure of a sound; the ending of the file says the format.

    Args:
        analysis: analysis of ``AudioAnalysisModel``.
        out: file to write, .json, .jams, .csv or .parquet; it is replaced as a whole.

    Raises:
        InputError: another ending, or a table of something else is there.
    """
    check(out)
    _WRITERS[out.suffix.lower()](analysis, out)
