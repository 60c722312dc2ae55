"""Figures of shown lists equal those of plain loops."""

import math

import numpy as np
import pytest

from training.datasets.interactions import Interactions
from training.fairness.by_group import figures_of_evidence
from training.fairness.figure import Figure
from training.fairness.lists import Lists, figures_of_lists, gini
from training.fairness.measure import measure
from training.fairness.providers import providers_of, tiers
from training.fairness.settings import FairnessSettings
from training.validation.evidence import MODEL_KEY, Evidence

TRACKS, LISTENERS = 60, 40


def lists_of(seed: int = 0) -> Lists:
    rng = np.random.default_rng(seed)
    popularity = np.sort(rng.integers(1, 40, TRACKS))[::-1]
    return Lists(
        [rng.choice(TRACKS, rng.integers(1, 15), replace=False) for _ in range(LISTENERS)],
        [rng.choice(TRACKS, 4, replace=False) for _ in range(LISTENERS)],
        [rng.choice(TRACKS, 6, replace=False) for _ in range(LISTENERS)],
        popularity,
        50,
        np.arange(TRACKS) < 55,
        {"label": np.where(np.arange(TRACKS) % 2 == 0, "large", "small")},
        np.arange(LISTENERS),
        [["jazz"] if track % 3 else ["jazz", "folk"] for track in range(TRACKS)],
    )


def named(figures: list[Figure]) -> dict[tuple[str, str], float]:
    return {(figure.metric, figure.group): figure.interval.mean for figure in figures if figure.interval is not None}


def test_exposure_and_attention_are_those_of_plain_loops() -> None:
    lists = lists_of()
    figures = named(list(figures_of_lists(lists)))
    attention = {}
    for group in ("large", "small"):
        exposure = merit = 0.0
        for shown, relevant in zip(lists.shown, lists.relevant, strict=True):
            weights = [1 / math.log2(2 + place) for place in range(min(len(shown), 10))]
            of_group = [lists.providers["label"][track] == group for track in shown[:10]]
            exposure += sum(w for w, counts in zip(weights, of_group, strict=True) if counts) / sum(weights)
            merit += sum(lists.providers["label"][track] == group for track in relevant) / len(relevant)
        assert figures["exposure", group] == pytest.approx(exposure / LISTENERS)
        attention[group] = exposure / merit
        assert figures["attention", group] == pytest.approx(attention[group])
        share = sum(lists.providers["label"][track] == group for track in range(55)) / 55
        assert figures["exposure_to_catalogue", group] == pytest.approx(exposure / LISTENERS / share)
    assert figures["exposure_ratio", ""] == pytest.approx(min(attention.values()) / max(attention.values()))


def test_popularity_and_genres_are_those_of_plain_loops() -> None:
    lists = lists_of(1)
    evidence = Evidence.of("ndcg_at_10", range(LISTENERS), {MODEL_KEY: np.ones(LISTENERS)}, higher_is_better=True)
    figures = named(figures_of_evidence(evidence, shown=lists.measures()))
    shown = [np.mean([lists.listeners[track] / 50 for track in tracks[:10]]) for tracks in lists.shown]
    played = [np.mean([lists.listeners[track] / 50 for track in tracks]) for tracks in lists.history]
    assert figures["average_popularity", ""] == pytest.approx(np.mean(shown))
    assert figures["popularity_lift", ""] == pytest.approx(sum(shown) / sum(played) - 1)
    divergences = []
    for tracks, history in zip(lists.shown, lists.history, strict=True):
        p, q = ({"jazz": 0.0, "folk": 0.0} for _ in range(2))
        for share, each in ((p, history), (q, tracks[:10])):
            for track in each.tolist():
                for genre in lists.genres[track]:
                    share[genre] += 1 / len(lists.genres[track]) / len(each)
        smooth = {genre: 0.99 * q[genre] + 0.01 * p[genre] for genre in p}
        divergences.append(sum(p[genre] * math.log(p[genre] / smooth[genre]) for genre in p if p[genre]))
    assert figures["genre_miscalibration", ""] == pytest.approx(np.mean(divergences))


def test_concentration_is_that_of_plain_loops() -> None:
    lists = lists_of(2)
    figures = {figure.metric: figure.interval for figure in figures_of_lists(lists) if not figure.division}
    assert figures["coverage"] is not None
    assert all(each is not None and each.low <= each.mean <= each.high for each in figures.values())
    assert figures["coverage"].mean == pytest.approx(
        len({t for each in lists.shown for t in each[:10].tolist() if t < 55}) / 55
    )
    values = np.random.default_rng(0).random(30)
    pairs = sum(abs(first - second) for first in values for second in values)
    assert gini(values) == pytest.approx(pairs / (2 * 30 * 30 * values.mean()))


def test_a_group_of_few_tracks_is_too_small_to_tell() -> None:
    lists = lists_of()
    groups = np.where(np.arange(TRACKS) < 19, "few", "many")
    figures = list(figures_of_lists(Lists(**{**vars(lists), "providers": {"label": groups}})))
    assert {figure.interval for figure in figures if figure.group == "few"} == {None}
    assert [figure.left_out for figure in figures if figure.metric == "exposure_ratio"] == [("few",)]


def test_groups_of_artists_hold_as_of_the_cutoff(tmp_path) -> None:  # type: ignore[no-untyped-def]
    plays = Interactions(["u"], ["a", "b", "c"], ["x", "y", None], *np.array([[0], [0], [10]]))
    file = tmp_path / "artists [1].csv"
    file.write_text(
        "artist_id,event_timestamp,label\nx,2020-01-01T00:00:00,small\nx,2021-01-01T00:00:00,large\n"
        "y,2020-01-01T00:00:00,\n"
    )
    for year, expected in ((2020, "small"), (2021, "large")):
        cutoff = int(np.datetime64(f"{year}-06-01", "us").astype(np.int64))
        groups = providers_of(plays, np.array([5, 1, 0]), cutoff, file)
        assert groups["label"].tolist() == [expected, "", ""]
        assert groups["popularity"].tolist() == tiers(np.array([5, 1, 0])).tolist()


def test_no_list_and_no_history_are_no_error() -> None:
    lists = lists_of()
    empty = np.empty(0, np.int64)
    hollow = Lists(**{**vars(lists), "shown": [empty] * LISTENERS, "history": [empty] * LISTENERS})
    evidence = Evidence.of("ndcg_at_10", range(LISTENERS), {MODEL_KEY: np.zeros(LISTENERS)}, higher_is_better=True)
    figures = measure(evidence, FairnessSettings(), hollow)
    assert {figure.metric for figure in figures if figure.interval is not None and not figure.division} >= {"coverage"}
    assert measure(None, FairnessSettings()) == []
