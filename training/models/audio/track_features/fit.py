"""Fits all arrays of ``transforms.pure.audio.vocabulary``."""

import numpy as np

from training.models.audio.track_features.genre_clips import GenreClips
from training.models.audio.track_features.softmax import fit_distance, fit_softmax
from training.models.audio.track_features.sounds import AUDIENCE, Sounds
from training.models.audio.track_features.spotify_rows import SpotifyRows
from training.models.audio.track_features.values import fit_values, heard_kinds
from transforms.pure.audio.vocabulary.scores import probabilities
from transforms.pure.audio.vocabulary.sound_kind import KINDS, SOUNDS

KIND_STRENGTH, VOICE_STRENGTH, AUDIENCE_STRENGTH = 0.1, 0.05, 0.05
AUDIENCE_PRIOR = 0.05
"""Share of recordings before an audience; of Spotify's rows 4 % are above .8 in liveness."""


def fit(rows: SpotifyRows, clips: GenreClips, sounds: Sounds, seed: int) -> dict[str, np.ndarray]:
    """Fit everything: kinds of music, voices, audiences, and the values of Spotify."""
    answers = held_out_answers(rows, clips)
    arrays = fit_kinds(rows, clips) | fit_sounds(sounds, clips)
    return arrays | fit_values(rows, heard_kinds(rows.kinds, answers, clips.kinds, seed))


def fit_kinds(rows: SpotifyRows, clips: GenreClips) -> dict[str, np.ndarray]:
    """Fit what tells kinds of music apart; a kind's prior is the root of its share among Spotify's tagged rows."""
    shares = np.sqrt(rows.kinds.sum(axis=0))
    priors = (shares / shares.sum()).tolist()
    return fit_softmax(clips.inputs, clips.kinds, len(KINDS), "kind", strength=KIND_STRENGTH, priors=priors)


def held_out_answers(rows: SpotifyRows, clips: GenreClips) -> np.ndarray:
    """(clips, kinds) probabilities of each clip, by what was learned from the list that it is not in."""
    answers = np.zeros((len(clips.kinds), len(KINDS)))
    for held_out in (clips.is_valid, ~clips.is_valid):
        answers[held_out] = probabilities(clips.inputs[held_out], "kind", fit_kinds(rows, clips.take(~held_out)))
    return answers


def fit_sounds(sounds: Sounds, clips: GenreClips) -> dict[str, np.ndarray]:
    """Fit what tells voices, single instruments and audiences, and how far sounds of all kinds are from each other."""
    is_dry = np.isin(sounds.labels, SOUNDS)
    classes = np.array([SOUNDS.index(label) for label in sounds.labels[is_dry]])
    audience = (sounds.labels == AUDIENCE).astype(np.int64)
    return {
        **fit_softmax(sounds.voice[is_dry], classes, len(SOUNDS), "voice", strength=VOICE_STRENGTH),
        **fit_softmax(
            *(sounds.voice, audience, 2, "audience"),
            strength=AUDIENCE_STRENGTH,
            priors=(1 - AUDIENCE_PRIOR, AUDIENCE_PRIOR),
        ),
        **fit_distance(sounds.voice[is_dry], "voice"),
        **fit_distance(np.concatenate([clips.inputs, sounds.music]), "music"),
    }
