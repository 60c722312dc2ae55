"""Bars, beats and tatums of clicks at known times."""

import numpy as np
import pytest

from tests.transforms.pure.audio.structure.sounds import clicks
from transforms.pure.audio.beats import NOTHING, Beats
from transforms.pure.audio.structure.describe import Structure, structure
from transforms.pure.audio.structure.rhythm_grid import rhythm_grid
from transforms.pure.audio.track import analyze


def _of_clicks(division: int) -> Structure:
    times = np.arange(0.5, 19.5, 0.5 / division)
    strengths = [1.0 if number % division == 0 else 0.35 for number in range(len(times))]
    analysis = analyze([clicks(times, 20, strengths)])
    return structure(analysis.frames, analysis.beats)


@pytest.mark.parametrize("division", [2, 3])
def test_beats_and_tatums_are_where_the_clicks_are(division: int) -> None:
    grid = _of_clicks(division).grid
    assert np.median(grid.beats.duration) == pytest.approx(0.5, abs=0.01)
    assert np.median(grid.tatums.duration) == pytest.approx(0.5 / division, abs=0.01)
    for intervals, period in ((grid.beats, 0.5), (grid.tatums, 0.5 / division)):
        inside = intervals.start[(intervals.start > 0.4) & (intervals.start < 19)]
        distance = np.abs((inside - 0.5 + period / 2) % period - period / 2)
        assert np.median(distance) < 0.03
        assert intervals.confidence.mean() > 0.5


def test_a_tatum_that_is_not_played_has_no_confidence() -> None:
    analysis = analyze([clicks(np.arange(0.5, 19.5, 0.5), 20, np.ones(38))])
    grid = structure(analysis.frames, analysis.beats).grid
    between = grid.tatums.confidence[~np.isin(grid.tatums.start, grid.beats.start)]
    assert between.mean() < 0.1 < grid.beats.confidence.mean()


def test_beats_before_the_first_downbeat_are_in_no_bar() -> None:
    places, likely = np.array([3, 1, 2, 3, 1, 2, 3, 1, 2]), np.ones(9)
    beats = Beats(np.arange(1, 10) * 0.5, places, 120.0, 1.0, 3, 1.0, likely, likely, ())
    grid = rhythm_grid(beats, np.full(500, 5.0), 4.9)
    np.testing.assert_allclose(grid.bars.start, [1.0, 2.5, 4.0])
    np.testing.assert_allclose(grid.bars.duration, [1.5, 1.5, 0.9])
    assert grid.beats.duration[-1] == pytest.approx(0.4)  # no longer than the sound


def test_a_single_bar_is_as_long_as_its_beats() -> None:
    beats = Beats(np.array([0.5, 1.0, 1.5]), np.array([1, 2, 3]), 120.0, 1.0, 3, 1.0, np.ones(3), np.ones(3), ())
    assert rhythm_grid(beats, np.zeros(900), 9.0).bars.duration == pytest.approx([1.5])


def test_without_beats_there_is_no_grid() -> None:
    grid = rhythm_grid(NOTHING, np.zeros(100), 3.0)
    assert not len(grid.bars.start) + len(grid.beats.start) + len(grid.tatums.start)
