"""Real values of Spotify's ``audio-features``, with the kinds of music of their artists by tags of Last.fm."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from transforms.pure.audio.vocabulary.inputs import cues
from transforms.pure.audio.vocabulary.sound_kind import KINDS

TAGS = {
    "blues": "blues, blues rock",
    "classical": "classical, classic music, orchestral, composer",
    "country": "country, alt-country, americana, bluegrass, folk",
    "disco": "disco, funk, dance",
    "hiphop": "hip-hop, rap, hip hop, hiphop, underground hip-hop, gangsta rap",
    "jazz": "jazz, vocal jazz, smooth jazz, swing, bossa nova, jazz fusion, fusion",
    "metal": "metal, heavy metal, thrash metal, death metal, black metal, nu metal, power metal, metalcore, "
    "industrial metal, progressive metal, glam metal, hair metal, speed metal",
    "pop": "pop, pop rock, soft rock, synthpop, teen pop, dance-pop, electropop",
    "reggae": "reggae, dub, ska, dancehall, roots reggae",
    "rock": "rock, classic rock, hard rock, alternative rock, indie rock, punk, punk rock, progressive rock, grunge, "
    "rock n roll, rock and roll",
}
"""Kind → tags of Last.fm that say it."""
VALUES = ("energy", "danceability", "valence", "acousticness", "instrumentalness", "liveness", "speechiness")
SPEECH = 0.66
"""Speechiness above which Spotify's documentation calls a track speech."""
_GUESTS = r"( featuring | feat\. | & | and the | with |, ).*"


@dataclass(frozen=True)
class SpotifyRows:
    """n tracks with their values.

    Attributes:
        cues: (n, ``inputs.CUES``) of their loudness, tempo, mode and time signature.
        values: name of ``VALUES`` → (n,) values.
        kinds: (n, len(``sound_kind.KINDS``)) shares of the tags of the artist; zeros if it has none of them.
        artists: (n,) names of the first artist, lower case.
    """

    cues: np.ndarray
    values: dict[str, np.ndarray]
    kinds: np.ndarray
    artists: np.ndarray

    @property
    def has_kind(self) -> np.ndarray:
        """(n,) whether the artist has tags."""
        return np.asarray(self.kinds.sum(axis=1) > 0)

    def take(self, rows: np.ndarray) -> "SpotifyRows":
        """Select rows by a mask or by numbers."""
        values = {name: column[rows] for name, column in self.values.items()}
        return SpotifyRows(self.cues[rows], values, self.kinds[rows], self.artists[rows])

    def folds(self, count: int = 5) -> np.ndarray:
        """(n,) number of the fold; an artist is in one fold, whichever rows there are."""
        numbers = {name: int(hashlib.sha256(name.encode()).hexdigest(), 16) % count for name in set(self.artists)}
        return np.array([numbers[name] for name in self.artists])


def read_spotify_rows(folder: Path, tags: Path) -> SpotifyRows:
    """Read the tables of the data set ``spotify-hit-predictor``; a track that is in several of them once.

    Args:
        folder: folder of the tables, one a decade.
        tags: folder of the data set ``hetrec2011-lastfm-2k``.

    Raises:
        InputError: no table is there.
    """
    files = sorted(folder.glob("dataset-of-*.csv")) if folder.is_dir() else []
    if not files:
        raise InputError(
            expected="tables dataset-of-60s.csv, …", found=f"none in {folder}", next_command="refrain model --help"
        )
    columns = ("uri", "artist", "loudness", "tempo", "mode", "time_signature", *VALUES)
    frames = [pl.read_csv(file, columns=columns, infer_schema_length=None, glob=False) for file in files]
    frame = pl.concat(frames, how="vertical_relaxed").unique("uri", keep="first", maintain_order=True)
    return of_frame(frame, artist_kinds(tags))


def of_frame(frame: pl.DataFrame, kinds: dict[str, np.ndarray]) -> SpotifyRows:
    """Convert a table with Spotify's columns and ``artist``; without ``mode``, the mode is not known."""
    names = frame["artist"].str.to_lowercase().str.replace(_GUESTS, "").to_list()
    if "mode" not in frame.columns:
        frame = frame.with_columns(mode=pl.lit(None, pl.Int64))
    numbers = frame.select("loudness", "tempo", "mode", "time_signature").iter_rows()
    rows = [cues(loudness, tempo or None, mode, meter) for loudness, tempo, mode, meter in numbers]
    nothing = np.zeros(len(KINDS))
    return SpotifyRows(
        np.array(rows).reshape(len(rows), -1),
        {name: frame[name].to_numpy().astype(np.float64) for name in VALUES},
        np.array([kinds.get(name, nothing) for name in names]).reshape(len(names), -1),
        np.array(names),
    )


def artist_kinds(folder: Path) -> dict[str, np.ndarray]:
    """Name of an artist, lower case → shares of ``KINDS`` among its tags; artists without such tags are left out.

    Args:
        folder: folder of the data set ``hetrec2011-lastfm-2k``.
    """
    names = ("artistID", "name", "url", "picture")
    artists = _read(folder / "artists.dat", has_header=False, new_columns=names).select("artistID", "name")
    kinds = pl.DataFrame(
        [(tag, kind) for kind, tags in TAGS.items() for tag in tags.split(", ")],
        schema=["tagValue", "kind"],
        orient="row",
    )
    tagged = _read(folder / "user_taggedartists.dat").join(_read(folder / "tags.dat"), on="tagID")
    counts = (
        tagged.join(kinds, on="tagValue")
        .join(artists, on="artistID")
        .group_by(pl.col("name").str.to_lowercase(), "kind")
        .len()
    )
    shares: dict[str, np.ndarray] = {}
    for name, kind, count in counts.iter_rows():
        shares.setdefault(name, np.zeros(len(KINDS)))[KINDS.index(kind)] += count
    return {name: row / row.sum() for name, row in shares.items()}


def _read(file: Path, *, has_header: bool = True, new_columns: Sequence[str] | None = None) -> pl.DataFrame:
    options = {"separator": "\t", "quote_char": None, "encoding": "utf8-lossy", "truncate_ragged_lines": True}
    return pl.read_csv(file, glob=False, has_header=has_header, new_columns=new_columns, **options)  # type: ignore[arg-type]
