"""NAB's rules, and what the detector reaches by them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality_nab import load, windowed_gaussian
from training.evaluate.nab import LOW_FALSE_NEGATIVES, LOW_FALSE_POSITIVES, NabSeries, nab_score, values, worth
from transforms.pure.anomaly.series import SeriesDetector

WINDOWS = [(400, 449), (700, 799)]


def scored(*places: int, count: int = 1_000, **more: object) -> float:
    scores = np.zeros(count)
    scores[list(places)] = 1.0
    return nab_score([NabSeries(scores, WINDOWS)], 0.5, **more).score  # type: ignore[arg-type]


def test_silence_has_none_and_the_first_moments_have_all() -> None:
    assert scored() == 0
    assert scored(400, 700) == pytest.approx(100)
    assert scored(400) == pytest.approx(50)


def test_later_alarms_earn_less_and_only_the_first_counts() -> None:
    earned = [scored(place) for place in (400, 420, 440, 449)]
    assert earned == sorted(earned, reverse=True)
    assert 25 < earned[-1] < earned[0]
    assert scored(420, 430, 440) == scored(420)


def test_false_alarms_cost_less_just_after_a_window() -> None:
    assert scored(400, 700, 300) == pytest.approx(100 - 100 * 0.11 / 4)
    assert scored(400, 700, 450) > scored(400, 700, 500) > scored(400, 700, 690)
    assert scored(400, 700, 300, profile=LOW_FALSE_POSITIVES) == pytest.approx(100 - 100 * 0.22 / 4)
    assert scored(400, profile=LOW_FALSE_NEGATIVES) == pytest.approx(50)


def test_the_first_part_is_for_learning() -> None:
    assert scored(0, 100, 149) == 0
    assert scored(150) < 0


def test_the_worths_are_those_of_the_paper() -> None:
    told, inside = values(1_000, WINDOWS)
    assert told[400] == pytest.approx(1.0)
    assert told[425] == pytest.approx(float(worth(-0.5)) / float(worth(-1.0)))
    assert told[:400].tolist() == [-1.0] * 400
    assert told[449 + 49 * 3 + 1] == -1.0
    assert (inside >= 0).sum() == 150


def test_the_best_threshold_is_the_best() -> None:
    rng = np.random.default_rng(0)
    series = [NabSeries(rng.random(1_000).round(2), WINDOWS) for _ in range(3)]
    best = nab_score(series)
    every = [nab_score(series, threshold).score for threshold in np.linspace(0, 1.01, 102)]
    assert best.score == pytest.approx(max(every))
    assert nab_score(series, best.threshold).score == pytest.approx(best.score)


def test_one_configuration_reaches_the_aim_on_all_series(real_data: Path) -> None:
    folder = real_data / "nab"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    corpus = load(folder)
    names = [one.name for one in corpus for _ in one.values]
    times, streamed = (np.concatenate([getattr(one, what) for one in corpus]) for what in ("times", "values"))
    alarms = SeriesDetector().replay(names, times, streamed).alarm.astype(float)
    cuts = np.cumsum([len(one.values) for one in corpus])[:-1]
    found = nab_score(
        [NabSeries(one, told.windows) for one, told in zip(np.split(alarms, cuts), corpus, strict=True)], 0.5
    )
    assert found.score >= 60


def test_the_published_detector_is_reproduced(real_data: Path) -> None:
    """Windowed Gaussian has 39.6 on the whole corpus; on the part that is here, about as much."""
    folder = real_data / "nab"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    found = nab_score([NabSeries(windowed_gaussian(one.values), one.windows) for one in load(folder)])
    assert found.score == pytest.approx(39.6, abs=5)
