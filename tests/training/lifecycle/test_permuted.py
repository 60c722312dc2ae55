"""What was learned from labels in a drawn order never becomes champion, in the families without plain labels."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from feature_repo.home import Home
from training.models.find import models
from training.models.forecasting.backtest import Forecaster, backtest
from training.models.forecasting.blend import Blend
from training.models.forecasting.chart_forecaster import permuted_places
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.naive import RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.permuted import permuted, permuted_forecasts
from training.models.text import sequence_model, text_embedder
from training.models.text.sequence_model import Sequences, chosen
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from training.validation.gates import Decision, decide
from transforms.raw.read import scan

HORIZON, SERIES = 7, 60
MEMBERS: list[Forecaster] = [SeasonalNaive(), SeasonalMean(), RecentMean(28, "mean_28d"), GlobalLightGBM(trees=30)]


def weekly(seed: int = 0) -> Panel:
    """Return daily series with a week that differs from series to series, and noise."""
    rng = np.random.default_rng(seed)
    week = rng.normal(0, 1, (SERIES, 7))[:, np.arange(120) % 7]
    values = 50 + 10 * week + rng.normal(0, 3, (SERIES, 120))
    return Panel([str(number) for number in range(SERIES)], values, (7,), datetime(2026, 1, 1, tzinfo=UTC))


def judge_panel(panel: Panel, most: int = SERIES) -> tuple[Decision, Evidence]:
    """Return the decision on an ensemble, as when it is registered, and its evidence."""
    past = backtest(panel, MEMBERS, HORIZON, [14, 21])
    blend = Blend.choose(past, [member.name for member in MEMBERS])
    test = backtest(panel, MEMBERS, HORIZON, [7])
    floor = permuted_forecasts(panel, MEMBERS, blend, HORIZON, [7], most=most)
    evidence = test.evidence(blend.of(test), panel, ["seasonal_naive", "mean_28d"], floor)
    return decide(evidence, models()["trend_forecaster"].gates), evidence


def test_a_forecaster_of_seasons_passes_and_stands_above_its_floor() -> None:
    decision, evidence = judge_panel(weekly(), most=40)
    assert decision.answer == "pass", decision.reasons
    assert evidence.figure(PERMUTED).mean > 1.5 * evidence.figure().mean
    assert np.isfinite(evidence.values[PERMUTED]).sum() == 40


def test_a_forecaster_of_days_in_a_drawn_order_does_not_pass() -> None:
    """It is surely better than the seasonal naive, as any mean is in noise; the floor is as good."""
    decision, evidence = judge_panel(permuted(weekly()))
    assert evidence.gain("seasonal_naive").low > 0
    assert evidence.gain(PERMUTED).low <= 0
    assert not decision.may_serve
    assert any(reason.startswith("permuted labels") for reason in decision.reasons)


def test_steps_before_a_series_began_stay() -> None:
    panel = weekly()
    panel.values[0, :30] = np.nan
    panel.values[1] = np.nan
    drawn = permuted(panel)
    np.testing.assert_array_equal(np.isnan(drawn.values), np.isnan(panel.values))
    np.testing.assert_array_equal(np.sort(drawn.values), np.sort(panel.values))
    assert not np.array_equal(drawn.values[2], panel.values[2])
    assert permuted(Panel([], np.zeros((0, 0)))).values.shape == (0, 0)


def _walks(seed: int = 0) -> list[list[str]]:
    """Return sequences in which each item names the next, mostly."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(400):
        places = [int(rng.integers(12))]
        for _ in range(6):
            places.append((places[-1] + 1) % 12 if rng.random() < 0.8 else int(rng.integers(12)))
        lines.append([f"t{place}" for place in places])
    return lines


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_sequences(is_shuffled: bool) -> None:
    lines = sequence_model.permuted(_walks(), seed=1) if is_shuffled else _walks()
    sequences = Sequences.cut("sessions", lines, fewest=1)
    evidence = sequence_model._evidence(sequences, chosen(sequences))
    decision = decide(evidence, models()["sequence_model"].gates)
    assert decision.may_serve is not is_shuffled, decision.reasons
    assert any(check.name == "permuted labels" and check.binding for check in decision.checks)


def test_an_embedder_of_words_in_a_drawn_order_does_not_pass(in_written: Home) -> None:
    tags = scan(in_written, "tags").collect()
    artists, ranks = text_embedder.rank_artists(in_written, tags, 0)
    evidence = text_embedder._evidence(artists, ranks)
    assert evidence is not None
    assert evidence.gain(PERMUTED).low > 0
    shuffled = text_embedder._evidence(artists, ranks | {text_embedder.EMBEDDER: ranks[PERMUTED]})
    assert shuffled is not None
    decision = decide(shuffled, models()["text_embedder"].gates)
    assert not decision.may_serve
    assert any(reason.startswith("permuted labels") for reason in decision.reasons)


def test_places_are_drawn_among_those_known_by_then() -> None:
    weeks = np.repeat(np.arange(40), 5)
    labels = {f"rank_{ahead}w": [None if week > 35 else week * 10 + ahead for week in weeks] for ahead in (1, 4, 13)}
    rows = pl.DataFrame({"week": weeks, **labels})
    drawn = permuted_places(rows, 30)
    assert drawn["week"].to_list() == rows.filter(pl.col("week") <= 30)["week"].to_list()
    for ahead in (1, 4, 13):
        usable = drawn.filter(pl.col("week") + ahead <= 30)[f"rank_{ahead}w"]
        assert usable.sort().to_list() == [week * 10 + ahead for week in weeks if week + ahead <= 30]
        assert usable.to_list() != usable.sort().to_list()
    assert permuted_places(rows, 30, most=20).height == 20


def test_a_floor_that_passes_by_itself_fails_the_model() -> None:
    """A plain model counts, too: a floor that is surely worse than it does not pass."""
    good, spread = np.random.default_rng(0).normal(0.5, 0.1, 200), np.random.default_rng(1).normal(0, 0.01, 200)
    values = {MODEL_KEY: good - 0.3, "constant": good + 0.4, "linear": good + spread, PERMUTED: good + 0.2}
    gates = models()["skip_model"].gates
    assert decide(Evidence.of("loss", range(200), values), gates).may_serve
    failed = decide(Evidence.of("loss", range(200), values | {PERMUTED: good + 0.01}), gates)
    assert "a fit on permuted labels passes beside constant, linear" in "".join(failed.reasons)
