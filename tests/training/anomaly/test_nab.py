"""The scoring rules of NAB, and the score of the detector under them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality_nab import load, windowed_gaussian
from training.evaluate.nab import LOW_FALSE_NEGATIVES, LOW_FALSE_POSITIVES, NabSeries, nab_score, values, worth
from transforms.pure.anomaly.series import SeriesDetector

WINDOWS = [(400, 449), (700, 799)]


def score_of(*alarms: int, count: int = 1_000, **options: object) -> float:
    scores = np.zeros(count)
    scores[list(alarms)] = 1.0
    return nab_score([NabSeries(scores, WINDOWS)], 0.5, **options).score  # type: ignore[arg-type]


def test_silence_has_none_and_the_first_moments_have_all() -> None:
    assert score_of() == 0
    assert score_of(400, 700) == pytest.approx(100)
    assert score_of(400) == pytest.approx(50)


def test_later_alarms_earn_less_and_only_the_first_counts() -> None:
    scores = [score_of(position) for position in (400, 420, 440, 449)]
    assert scores == sorted(scores, reverse=True)
    assert 25 < scores[-1] < scores[0]
    assert score_of(420, 430, 440) == score_of(420)


def test_false_alarms_cost_less_just_after_a_window() -> None:
    assert score_of(400, 700, 300) == pytest.approx(100 - 100 * 0.11 / 4)
    assert score_of(400, 700, 450) > score_of(400, 700, 500) > score_of(400, 700, 690)
    assert score_of(400, 700, 300, profile=LOW_FALSE_POSITIVES) == pytest.approx(100 - 100 * 0.22 / 4)
    assert score_of(400, profile=LOW_FALSE_NEGATIVES) == pytest.approx(50)


def test_the_first_part_is_for_learning() -> None:
    assert score_of(0, 100, 149) == 0
    assert score_of(150) < 0


def test_the_worths_are_those_of_the_paper() -> None:
    worths, window_of_row = values(1_000, WINDOWS)
    assert worths[400] == pytest.approx(1.0)
    assert worths[425] == pytest.approx(float(worth(-0.5)) / float(worth(-1.0)))
    assert worths[:400].tolist() == [-1.0] * 400
    assert worths[449 + 49 * 3 + 1] == -1.0
    assert (window_of_row >= 0).sum() == 150


def test_the_best_threshold_is_the_best() -> None:
    rng = np.random.default_rng(0)
    series = [NabSeries(rng.random(1_000).round(2), WINDOWS) for _ in range(3)]
    best = nab_score(series)
    all_scores = [nab_score(series, threshold).score for threshold in np.linspace(0, 1.01, 102)]
    assert best.score == pytest.approx(max(all_scores))
    assert nab_score(series, best.threshold).score == pytest.approx(best.score)


def test_one_configuration_reaches_the_aim_on_all_series(real_data: Path) -> None:
    folder = real_data / "nab"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    corpus = load(folder)
    names = [series.name for series in corpus for _ in series.values]
    times, streamed = (np.concatenate([getattr(series, field) for series in corpus]) for field in ("times", "values"))
    alarms = SeriesDetector().replay(names, times, streamed).alarm.astype(float)
    boundaries = np.cumsum([len(series.values) for series in corpus])[:-1]
    result = nab_score(
        [NabSeries(part, series.windows) for part, series in zip(np.split(alarms, boundaries), corpus, strict=True)],
        0.5,
    )
    assert result.score >= 60


def test_the_published_detector_is_reproduced(real_data: Path) -> None:
    """Windowed Gaussian has a published score of 39.6 on the whole corpus; the local part gives about the same."""
    folder = real_data / "nab"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    result = nab_score([NabSeries(windowed_gaussian(series.values), series.windows) for series in load(folder)])
    assert result.score == pytest.approx(39.6, abs=5)
