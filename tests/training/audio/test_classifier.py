"""The audio classifier on simulated songs: better than the most frequent class, on artists outside its training set."""

import numpy as np
import pytest

from feature_repo.bundle import open_bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.sounds import LabelledSounds
from training.models.audio.audio_classifier import NAME, run
from transforms.pure.audio.spectrum import OCTAVES


def test_it_is_better_than_what_is_frequent(in_sounding: Home) -> None:
    metrics = open_bundle(NAME, in_sounding).manifest["metrics"]
    model, frequent = metrics[NAME], metrics["frequent"]
    assert model["genre_accuracy"] > frequent["genre_accuracy"] + 0.15
    assert model["genre_log_loss"] < frequent["genre_log_loss"] - 0.5
    assert model["instruments_mean_average_precision"] > frequent["instruments_mean_average_precision"] + 0.2
    assert model["arousal_r2"] > 0.2


def test_sounds_are_pulled_with_labels_and_artists(in_sounding: Home) -> None:
    sounds = LabelledSounds.load(in_sounding)
    assert len(sounds) == 120
    assert np.isfinite(sounds.vectors).mean() > 0.99
    assert sounds.balances.shape == (120, len(OCTAVES))
    train, test = sounds.split()
    assert not set(sounds.artists[train]) & set(sounds.artists[test])
    assert len(train) + len(test) == 120
    assert sounds.take(test).tracks == tuple(sounds.tracks[row] for row in test)


def test_without_labels_the_next_command_is_told(home: Home) -> None:
    with pytest.raises(InputError, match="simulate-sound"):
        run(home)
