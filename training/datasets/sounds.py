"""What tracks sound like, at the time that somebody said what they are: for models of genre, mood and instruments."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets import Sample, training_set
from training.datasets.columns import to_matrix
from transforms.pure.audio.described import EATEN, WIDTH, vector
from transforms.raw.read import scan

SERVICE, VIEW = "audio_classifier_v1", "track_audio"
SIMULATE = (
    "python -m transforms simulate-sound && python -m transforms build  (or: python -m transforms import audio PATH)"
)


@dataclass(frozen=True)
class LabelledSounds:
    """n tracks.

    Attributes:
        tracks: their ids.
        vectors: (n, ``transforms.pure.audio.described.WIDTH``) float32; NaN for what a sound does not have.
        labels: n rows; columns genre, mood, valence, arousal, instruments, any of them null.
        artists: (n,) number of the artist; a track whose artist nobody knows is one of its own.
        balances: (n, 9) of ``transforms.pure.audio.spectrum.tonal_balance``.
        cutoff: microseconds; nothing was said later.
        pulled: the training set.
    """

    tracks: tuple[str, ...]
    vectors: np.ndarray
    labels: pl.DataFrame
    artists: np.ndarray
    balances: np.ndarray
    cutoff: int
    pulled: Sample

    def __len__(self) -> int:
        return len(self.vectors)

    @classmethod
    def load(cls, home: Home) -> "LabelledSounds":
        """All tracks with labels and features; of several labels of one track, the newest.

        Raises:
            InputError: there are none.
            StoreError: the feature service is not there.
        """
        labels = scan(home, "audio_labels").sort("event_timestamp").unique("track_id", keep="last").sort("track_id")
        catalogue = scan(home, "tracks").sort("event_timestamp").unique("track_id", keep="last")
        spine = labels.join(catalogue.select("track_id", "artist_id"), on="track_id", how="left").collect()
        if spine.is_empty():
            raise InputError(expected="tracks that somebody said the sound of", found="none", next_command=SIMULATE)
        pulled = training_set(SERVICE, spine.drop("created_timestamp"), home=home)
        rows = pulled.data.filter(pl.col(f"{VIEW}__timbre").list.len() > 0)
        if rows.is_empty():
            raise InputError(
                expected=f"features of {spine.height:,} tracks that somebody said the sound of",
                found="none at the time that it was said",
                next_command="python -m transforms import audio PATH && python -m transforms build",
            )
        named = rows.select(pl.col(f"{VIEW}__{name}").alias(name) for name in EATEN)
        vectors = np.array([vector(row) for row in named.iter_rows(named=True)], np.float32).reshape(-1, WIDTH)
        owners = rows.select(pl.coalesce("artist_id", "track_id"))["artist_id"]
        return cls(
            tuple(rows["track_id"].to_list()),
            vectors,
            rows.select("genre", "mood", "valence", "arousal", "instruments"),
            np.unique(owners.to_numpy(), return_inverse=True)[1],
            to_matrix(rows[f"{VIEW}__tonal_balance"]),
            int(rows["event_timestamp"].dt.timestamp("us").max()),  # type: ignore[arg-type]
            Sample.of(pulled),
        )

    def take(self, rows: np.ndarray) -> "LabelledSounds":
        """Some of them."""
        return LabelledSounds(
            tuple(self.tracks[row] for row in rows),
            self.vectors[rows],
            self.labels[rows],
            self.artists[rows],
            self.balances[rows],
            self.cutoff,
            self.pulled,
        )

    def split(self, *, share: float = 0.25, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Rows to learn from and rows to be asked about; no artist is in both."""
        names = np.random.default_rng(seed).permutation(np.unique(self.artists))
        asked = np.isin(self.artists, names[: max(1, round(share * len(names)))])
        return np.flatnonzero(~asked), np.flatnonzero(asked)
