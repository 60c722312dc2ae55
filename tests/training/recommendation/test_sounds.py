"""Audio features are part of the attributes of a track once the track is analysed."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from feature_repo.home import Home
from tests.music import FORMATS
from tests.worlds import apply
from training.datasets import Interactions
from training.models.recommendation.knowledge import _sounds, describe
from transforms.batch.build import build
from transforms.pure.audio.stft import RATE
from transforms.raw.ingest import ingest
from transforms.raw.read import scan
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.sound.song import compose
from transforms.raw.simulate.world import Size

WILD, CALM = ("t000001", "t000002", "t000003"), ("t000011", "t000012", "t000013")


def _mean_similarity(rows: np.ndarray, left: tuple[int, ...], right: tuple[int, ...]) -> float:
    return float(np.mean([rows[a] @ rows[b] for a in left for b in right if a != b]))


@pytest.mark.journeys
def test_tracks_that_sound_alike_are_alike(home: Home, tmp_path: Path) -> None:
    simulate(home, Size(users=20, tracks=100, days=5, plays=500), seed=1)
    for genre, tracks in (("metal", WILD), ("ambient", CALM)):
        for number, track in enumerate(tracks):
            song = compose(genre, 3.0, 50 + number, np.random.default_rng(number))
            soundfile.write(tmp_path / f"{track}.flac", song.samples, RATE)
    ingest(home, "audio", FORMATS["audio"].read(tmp_path))
    build(home)
    apply(home)
    interactions = Interactions.load(home)
    row_of_track = {track: number for number, track in enumerate(interactions.track_ids)}
    times = scan(home, "audio_analyses").collect()["event_timestamp"].dt.timestamp("us").to_numpy()
    first, last = times.min(), times.max()
    before, after = (describe(home, interactions, int(moment)).rows for moment in (first - 1, last + 1))
    assert after.shape[1] == before.shape[1] + 106  # before the analysis there are no audio features
    sound = after[:, -106:].toarray()
    wild, calm = (tuple(row_of_track[track] for track in tracks if track in row_of_track) for tracks in (WILD, CALM))
    assert set(np.flatnonzero(np.abs(sound).sum(axis=1))) == {*wild, *calm}
    assert np.linalg.norm(sound[list(wild + calm)], axis=1) == pytest.approx(1)
    assert (
        min(_mean_similarity(sound, wild, wild), _mean_similarity(sound, calm, calm))
        > _mean_similarity(sound, wild, calm) + 0.3
    )


@pytest.mark.parametrize("analysed", [0, 1])
def test_too_few_sounds_tell_nothing(analysed: int) -> None:
    lists = pl.List(pl.Float32)
    rows = {
        "track_audio__timbre": [[1.0] * 94] * analysed + [None] * 3,
        "track_audio__chroma": [[1.0] * 12] * analysed + [None] * 3,
    }
    sounds = _sounds(pl.DataFrame(rows, schema_overrides=dict.fromkeys(rows, lists)))
    assert sounds.shape == (3 + analysed, 0)
