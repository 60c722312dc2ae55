"""Segments of tones whose onsets, loudness and pitch are known."""

import numpy as np
import pytest

from tests.transforms.pure.audio.structure.sounds import tones
from transforms.pure.audio.structure.describe import structure
from transforms.pure.audio.structure.segments import Segments, onset_frames
from transforms.pure.audio.track import analyze

NOTES = [(0.5, 0.4, 0, 0.5), (1.0, 0.4, 4, 0.25), (1.7, 0.3, 7, 0.1), (2.1, 0.6, 11, 0.5), (3.0, 0.5, 2, 0.05)]


def _segments(sound: np.ndarray, loudness: float | None = None) -> Segments:
    analysis = analyze([sound])
    return structure(analysis.frames, analysis.beats, loudness=loudness).segments


def test_a_segment_begins_at_each_note() -> None:
    segments = _segments(tones(NOTES, 4))
    for start, _, pitch, amplitude in NOTES:
        number = int(np.abs(segments.start - start).argmin())
        assert segments.start[number] == pytest.approx(start, abs=0.02)
        assert segments.pitches[number].argmax() == pitch % 12
        assert segments.pitches[number].max() == 1.0
        assert segments.loudness_max[number] == pytest.approx(20 * np.log10(amplitude) - 3.7, abs=1.2)
        assert segments.loudness_start[number] < segments.loudness_max[number]
        assert segments.confidence[number] > 0.4
    uncertain = len(segments.start) - len(NOTES) - 1
    assert (segments.confidence < 0.4).sum() >= uncertain  # ends of notes


def test_the_loudest_moment_is_where_it_is() -> None:
    swell = tones([(0.5, 1.0, 9, 1.0)], 2) * np.interp(np.arange(2 * 22_050) / 22_050, [0.5, 1.2, 1.5], [0.1, 0.8, 0.1])
    segments = _segments(swell.astype(np.float32))
    number = int(np.abs(segments.start - 0.5).argmin())
    assert segments.start[number] + segments.loudness_max_time[number] == pytest.approx(1.2, abs=0.06)


def test_loudness_is_shifted_to_that_of_the_channels_and_silence_stays() -> None:
    sound = tones(NOTES, 4)
    plain, louder = _segments(sound), _segments(sound, loudness=-5.0)
    difference = louder.loudness_max - plain.loudness_max
    audible = plain.loudness_max > -50
    assert np.ptp(difference[audible]) == pytest.approx(0.0, abs=1e-9)
    assert difference[audible][0] > 3
    assert louder.loudness_start[0] == plain.loudness_start[0] == -60.0


def test_loudness_of_a_part_shifts_by_that_part() -> None:
    """The first second was measured; the second one, which is 20 dB louder, was not."""
    analysis = analyze([tones([(0, 1, 9, 0.05), (1, 1, 9, 0.5)], 2)])
    for shift in (0.0, 3.0):
        quiet = -29.0 + shift  # of a sine of 440 Hz, K-weighted: about -0.4 dB below its power
        parts = structure(analysis.frames, analysis.beats, loudness=quiet, measured_seconds=1.0).segments
        assert parts.loudness_max[0] == pytest.approx(quiet, abs=1.0)
        assert parts.loudness_max.max() == pytest.approx(quiet + 20, abs=1.0)


def test_silence_is_one_segment_without_pitch() -> None:
    segments = _segments(np.zeros(22_050, np.float32))
    assert len(segments.start) == 1
    assert not segments.pitches.any()
    assert segments.loudness_max.tolist() == [-60.0]


def test_timbre_is_level_and_tilt() -> None:
    """A louder sound has a larger first number and the same others; a darker one a larger second."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=22_050) * 0.1
    dark = np.convolve(noise, np.ones(20) / 20, mode="same")
    loud, quiet, low = (_segments(part.astype(np.float32)).timbre[0] for part in (noise, noise / 10, dark))
    assert loud[0] - quiet[0] == pytest.approx(20.0, abs=0.1)
    np.testing.assert_allclose(loud[1:], quiet[1:], atol=0.1)
    assert low[1] > loud[1] + 3


def test_equal_neighbours_are_one_onset() -> None:
    assert onset_frames(np.array([0.0, 2.0, 2.0, 0.0])).tolist() == [1]
