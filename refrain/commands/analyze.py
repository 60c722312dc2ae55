"""``refrain analyze``: one sound for a person to read, or the sounds of a folder as a table."""

import math
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import Project
from refrain.commands.command import Command

_MOST_ERRORS = 10


def analyze(
    source: Annotated[
        Path,
        typer.Argument(metavar="FILE|FOLDER", help="a sound: wav, flac, ogg, opus, mp3, aiff, m4a, …; or a folder"),
    ],
    plot: Annotated[
        Path | None, typer.Option(help="picture to draw of a file, such as out.png (png, svg, pdf)")
    ] = None,
    model: Annotated[str, typer.Option(help="NAME for the champion, NAME:VERSION for another; what is promoted")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="of a file: one JSON object")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="of a file: structure (.json, .jams, .csv, .parquet); of a folder: table (.parquet, .csv, .jsonl)"
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="of a folder: processes; one a core")] = None,
) -> None:
    """Analyse a sound: loudness, beats, key, spectrum, energy and the like; genre, mood and instruments.

    The last three need a promoted model. --plot draws waveform, spectrogram, beats, key, tonal balance and classes.
    A folder becomes a table with a row for each file, with its error where it cannot be read; a run that was stopped
    goes on where it was, and files that have not changed are not analysed again. --out of a file writes its structure:
    bars, beats, tatums, sections and segments, as JSON of Spotify's audio-analysis, JAMS or one long table.

    Example: refrain analyze song.flac --plot song.png
    """
    if source.is_dir():
        _analyze_folder(source, out, model, workers, plot is not None or as_json)
        return
    if workers is not None:
        raise InputError(
            expected="a folder, as there is --workers",
            found=str(source),
            next_command=f"refrain analyze {source}",
        )
    _analyze_file(source, plot, model, as_json, out)


def _analyze_file(file: Path, plot: Path | None, model: str, as_json: bool, out: Path | None) -> None:
    from inference.audio import picture, structure_file
    from inference.audio.analyzer import AudioAnalysisModel
    from inference.audio.console_output import as_lines, line_of_json
    from transforms.pure.audio.decode import quiet

    if plot:
        picture.check(plot)
    if out:
        structure_file.check(out)
    analyzer = AudioAnalysisModel.load(model or None, Home.from_env())
    with quiet():
        analysis = analyzer.analyze(file, metered=math.inf, keep=plot is not None, fingerprint=out is not None)
    for line in [line_of_json(analysis)] if as_json else as_lines(analysis):
        say(line)
    if plot:
        picture.draw(analysis, plot, title=file.name)
        say(f"picture: {plot}")
    if out:
        structure_file.write(analysis, out)
        if not as_json:
            say(f"structure: {out}")
    if analyzer.note and not as_json and Project.load(Home.from_env().project_folder).has_music:
        say(analyzer.note)


def _analyze_folder(folder: Path, out: Path | None, model: str, workers: int | None, is_for_file: bool) -> None:
    from refrain.folder_analysis.work import analyze_folder

    if out is None or is_for_file:
        raise InputError(
            expected="--out for a folder, without --plot and --json",
            found=f"the folder {folder}",
            next_command=f"refrain analyze {folder} --out features.parquet",
        )
    with progress("analyze") as report:
        result = analyze_folder(folder, out, Home.from_env(), model=model, workers=workers, progress=report)
    for name, reason in list(result.errors.items())[:_MOST_ERRORS]:
        say(f"error        {name}: {reason}")
    if len(result.errors) > _MOST_ERRORS:
        say(f"             and {len(result.errors) - _MOST_ERRORS:,} more, in the column error")
    known = f", {result.known:,} were there" if result.known else ""
    say(f"{out}: {result.analysed:,} files analysed{known}, {len(result.errors):,} errors")


COMMAND = Command(analyze, "Answers")
