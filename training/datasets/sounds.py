"""Labelled tracks with their audio features at the time of the label: for models of genre, mood and instruments."""

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
SIMULATE = "refrain simulate-sound && refrain build  (or: refrain import audio PATH)"


@dataclass(frozen=True)
class LabelledSounds:
    """n labelled tracks with audio features.

    Attributes:
        tracks: ids of the tracks.
        vectors: (n, ``transforms.pure.audio.described.WIDTH``) float32; NaN for a missing feature.
        labels: n rows; columns genre, mood, valence, arousal, instruments, any of them null.
        artists: (n,) number of the artist; a track of an unknown artist has a number of its own.
        sources: (n,) number of the source that ``labels.csv`` states, such as a recorder; all 0 unless every track has
            one.
        balances: (n, 9) of ``transforms.pure.audio.spectrum.tonal_balance``.
        cutoff: time of the newest label, in microseconds.
        pulled: sample of the training set.
    """

    tracks: tuple[str, ...]
    vectors: np.ndarray
    labels: pl.DataFrame
    artists: np.ndarray
    sources: np.ndarray
    balances: np.ndarray
    cutoff: int
    pulled: Sample

    def __len__(self) -> int:
        return len(self.vectors)

    @classmethod
    def load(cls, home: Home) -> "LabelledSounds":
        """Loads all tracks with labels and features; of several labels of one track, the newest.

        Raises:
            InputError: there are no such tracks.
            StoreError: the feature service is not applied.
        """
        labels = scan(home, "audio_labels").sort("event_timestamp").unique("track_id", keep="last").sort("track_id")
        catalogue = scan(home, "tracks").sort("event_timestamp").unique("track_id", keep="last")
        spine = labels.join(catalogue.select("track_id", "artist_id"), on="track_id", how="left").collect()
        if spine.is_empty():
            raise InputError(expected="tracks with audio labels", found="none", next_command=SIMULATE)
        pulled = training_set(SERVICE, spine.drop("created_timestamp"), home=home)
        rows = pulled.data.filter(pl.col(f"{VIEW}__timbre").list.len() > 0)
        if rows.is_empty():
            raise InputError(
                expected=f"features of {spine.height:,} tracks with audio labels",
                found="none at the time of the label",
                next_command="refrain import audio PATH && refrain build",
            )
        feature_rows = rows.select(pl.col(f"{VIEW}__{name}").alias(name) for name in EATEN)
        vectors = np.array([vector(row) for row in feature_rows.iter_rows(named=True)], np.float32).reshape(-1, WIDTH)
        artists = rows.select(pl.coalesce("artist_id", "track_id"))["artist_id"]
        return cls(
            tuple(rows["track_id"].to_list()),
            vectors,
            rows.select("genre", "mood", "valence", "arousal", "instruments"),
            np.unique(artists.to_numpy(), return_inverse=True)[1],
            _sources(rows["source"]),
            to_matrix(rows[f"{VIEW}__tonal_balance"]),
            int(rows["event_timestamp"].dt.timestamp("us").max()),  # type: ignore[arg-type]
            Sample.of(pulled),
        )

    def take(self, rows: np.ndarray) -> "LabelledSounds":
        """Selects tracks by row number."""
        return LabelledSounds(
            tuple(self.tracks[row] for row in rows),
            self.vectors[rows],
            self.labels[rows],
            self.artists[rows],
            self.sources[rows],
            self.balances[rows],
            self.cutoff,
            self.pulled,
        )

    def split(self, *, share: float = 0.25, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Returns rows to train on and rows to test on; no artist is in both."""
        shuffled_artists = np.random.default_rng(seed).permutation(np.unique(self.artists))
        is_test = np.isin(self.artists, shuffled_artists[: max(1, round(share * len(shuffled_artists)))])
        return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _sources(column: pl.Series) -> np.ndarray:
    if column.null_count():
        return np.zeros(len(column), np.int64)
    return np.asarray(np.unique(column.to_numpy(), return_inverse=True)[1])
