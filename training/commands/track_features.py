"""Command to fit what the vocabulary of ``audio-features`` cannot measure."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import progress, say


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("track-features")(track_features)


def track_features(
    out: Annotated[Path, typer.Argument(help="file of the weights to write, .npz")],
    data: Annotated[Path, typer.Option(help="folder of the data sets, a folder for each")] = Path("data-sets"),
    prompts: Annotated[Path | None, typer.Option(help="recorded speech: G.722, a folder for each speaker")] = None,
    soundfont: Annotated[list[Path] | None, typer.Option(help="sf2 or sf3; may be given several times")] = None,
    songs: Annotated[int, typer.Option(min=10, help="number of songs that are made")] = 240,
    clips: Annotated[int, typer.Option(min=1, help="greatest number of clips of a speaker")] = 36,
    seed: Annotated[int, typer.Option(help="random seed of all that is made")] = 0,
) -> None:
    """Fit energy, danceability, valence, acousticness, speechiness and the proxies, and write their weights.

    Learns from the public data sets spotify-hit-predictor, hetrec2011-lastfm-2k, gtzan-features and instrument-samples,
    from recorded speech and from songs that are made. Needs the extras deep (mido) and ffmpeg, and fluidsynth. The
    analysis of sounds uses the weights that come along.

    Example: refrain model track-features weights.npz --data data-sets
    """
    from training.models.audio.beat_tracking.train import FONTS
    from training.models.audio.track_features.clips import PROMPTS
    from training.models.audio.track_features.train import train_track_features

    with progress("track-features") as report:
        result = train_track_features(
            out,
            data,
            prompts=prompts or PROMPTS,
            fonts=soundfont or FONTS,
            songs=songs,
            each=clips,
            seed=seed,
            progress=report,
        )
    say(f"{result.weights:,} weights of {result.rows:,} rows, {result.clips:,} clips and {result.sounds:,} sounds")
    say(f"written: {result.file}")
