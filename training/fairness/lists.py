"""Figures of shown lists: exposure and attention by group of those whose work is shown, and concentration.

The exposure of a slot is 1 / log₂(1 + slot), as in DCG (A. Singh and T. Joachims, Fairness of Exposure in Rankings,
2018).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from training.fairness.by_group import gap_figure
from training.fairness.divisions import membership
from training.fairness.figure import FEWEST, OF_LISTS, Figure
from training.fairness.rates import gaps
from training.fairness.resampling import Ratios, resample
from training.validation.bootstrap import Interval, tails

DEPTH = 10
"""Number of slots of a list."""
DRAWS = 200
"""Resamples of lists for concentration."""
TINY = 1e-12
"""Denominator of a list that has none, whose exposure counts all the same."""
SMOOTHING = 0.01
"""Share of a history's genres that is mixed into a list's (Steck 2018)."""


@dataclass(frozen=True)
class Lists:
    """The lists of n listeners, and what was known when they were shown.

    Attributes:
        shown: tracks of each list, best first.
        relevant: tracks that the listener played afterwards.
        history: tracks that the listener had played.
        listeners: (tracks,) number of distinct past listeners of each track.
        past_listeners: number of distinct past listeners of any track.
        recommendable: (tracks,) whether a track could be shown.
        providers: division → (tracks,) group of those whose work it is; empty for unknown.
        genres: genres of each track; empty if unknown.
        clusters: (n,) the listeners.
    """

    shown: Sequence[np.ndarray]
    relevant: Sequence[np.ndarray]
    history: Sequence[np.ndarray]
    listeners: np.ndarray
    past_listeners: int
    recommendable: np.ndarray
    providers: Mapping[str, np.ndarray]
    clusters: np.ndarray
    genres: Sequence[Sequence[str]] = field(default_factory=list)

    def measures(self) -> dict[str, np.ndarray]:
        """Computes measures of each list, (n,) each and NaN where unknown, for the rates of listeners."""
        share = self.listeners / max(self.past_listeners, 1)

        def mean(tracks: np.ndarray) -> float:
            return float(share[tracks[:DEPTH]].mean()) if len(tracks) else float("nan")

        def mean_of_all(tracks: np.ndarray) -> float:
            return float(share[tracks].mean()) if len(tracks) else float("nan")

        result = {
            "popularity": np.array([mean(tracks) for tracks in self.shown]),
            "history_popularity": np.array([mean_of_all(tracks) for tracks in self.history]),
        }
        if any(self.genres):
            pairs = zip(self.shown, self.history, strict=True)
            result["genre_divergence"] = np.array(
                [genre_divergence(self._genres(shown[:DEPTH]), self._genres(past)) for shown, past in pairs]
            )
        return result

    def _genres(self, tracks: np.ndarray) -> dict[str, float]:
        shares: dict[str, float] = {}
        named = [self.genres[track] for track in tracks.tolist() if self.genres[track]]
        for genres in named:
            for genre in genres:
                shares[genre] = shares.get(genre, 0.0) + 1 / (len(genres) * len(named))
        return shares


def genre_divergence(shown: Mapping[str, float], played: Mapping[str, float]) -> float:
    """Computes KL(played ‖ smoothed shown), in nats; NaN if nothing is known of one of them.

    >>> genre_divergence({"jazz": 1.0}, {"jazz": 1.0})
    0.0
    """
    if not shown or not played:
        return float("nan")
    return float(
        sum(
            share * np.log(share / ((1 - SMOOTHING) * shown.get(genre, 0.0) + SMOOTHING * share))
            for genre, share in played.items()
        )
    )


def figures_of_lists(lists: Lists, *, fewest: int = FEWEST) -> Iterator[Figure]:
    """Yields exposure, attention and their gaps by group of providers; then coverage and the Gini coefficient."""
    for division, groups in lists.providers.items():
        names, belongs = membership(groups)
        if names:
            yield from _of_division(lists, division, names, belongs, fewest)
    if len(lists.shown):
        yield from _concentration(lists)


def _of_division(lists: Lists, division: str, names: list[str], belongs: np.ndarray, fewest: int) -> Iterator[Figure]:
    exposure = np.array([_shares(belongs, tracks[:DEPTH], discounted=True) for tracks in lists.shown])
    merit = np.array([_shares(belongs, tracks, discounted=False) for tracks in lists.relevant])
    possible = lists.recommendable[:, None] & belongs
    catalogue = possible.sum(axis=0) / max(int(lists.recommendable.sum()), 1)
    everywhere = np.ones_like(exposure)
    share_of_catalogue = np.broadcast_to(catalogue, exposure.shape)
    tops = {"exposure": exposure, "attention": exposure, "exposure_to_catalogue": exposure}
    bottoms = {"exposure": everywhere, "attention": merit, "exposure_to_catalogue": share_of_catalogue}
    is_large = possible.sum(axis=0) >= fewest  # of few tracks, or few that were played, nothing can be told
    by_rate = {name: _resampled(tops[name], bottoms[name], lists.clusters, is_large) for name in tops}
    for name, ratios in by_rate.items():
        for number, group in enumerate(names):
            clusters = int(ratios.clusters[number])
            yield Figure(
                name,
                division,
                group,
                None if clusters < fewest else ratios.interval(number),
                clusters,
                about=OF_LISTS,
            )
    for gap in gaps().values():
        if gap.of_lists:
            yield gap_figure(gap, [by_rate[name] for name in gap.rates], division, names, fewest, OF_LISTS)


def _resampled(tops: np.ndarray, bottoms: np.ndarray, clusters: np.ndarray, is_large: np.ndarray) -> Ratios:
    """Resamples Σ tops / Σ bottoms by group, where a list without the denominator still counts in the numerator."""
    ratios, known = resample(tops, np.maximum(bottoms, TINY), clusters), bottoms > 0
    clusters_with = np.array([len(np.unique(clusters[column])) for column in known.T])
    return replace(ratios, units=known.sum(axis=0), clusters=np.where(is_large, clusters_with, 0))


def _shares(belongs: np.ndarray, tracks: np.ndarray, *, discounted: bool) -> np.ndarray:
    """(g,) share of each group in a list, by the exposure of its slots or by number."""
    if not len(tracks):
        return np.zeros(belongs.shape[1])
    weights = 1 / np.log2(np.arange(2, len(tracks) + 2)) if discounted else np.ones(len(tracks))
    return np.asarray(weights @ belongs[tracks] / weights.sum())


def _concentration(lists: Lists) -> Iterator[Figure]:
    """Yields the share of the catalogue that is shown to anybody, and the Gini coefficient of the exposure of tracks.

    Both depend on how many listeners there are, and a resample has fewer different ones. The intervals are therefore
    the spread of the resamples about their mean, put about the figure: of as many other listeners.
    """
    possible = max(int(lists.recommendable.sum()), 1)
    tracks = len(lists.listeners)
    sizes = [min(len(shown), DEPTH) for shown in lists.shown]
    of_list = np.repeat(np.arange(len(lists.shown)), sizes)
    shown = np.concatenate([each[:DEPTH] for each in lists.shown])
    weight = 1 / np.log2(2 + np.concatenate([np.arange(size) for size in sizes]))
    people, person = np.unique(lists.clusters, return_inverse=True)
    rng = np.random.default_rng(0)

    def measure(times: np.ndarray) -> tuple[float, float]:
        exposure = np.bincount(shown, weight * times[person][of_list], minlength=tracks)
        return float((exposure[lists.recommendable] > 0).sum() / possible), gini(
            exposure[lists.recommendable | (exposure > 0)]
        )

    values = measure(np.ones(len(people)))
    draws = np.array(
        [
            measure(np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people)).astype(float))
            for _ in range(DRAWS)
        ]
    )
    for name, value, drawn in zip(("coverage", "gini"), values, draws.T, strict=True):
        low, high = np.quantile(drawn, tails(len(people))) - drawn.mean() if len(people) > 1 else (np.nan, np.nan)
        interval = Interval(value, max(value + low, 0.0), min(value + high, 1.0), len(lists.shown), len(people))
        yield Figure(name, "", "", interval if len(people) >= FEWEST else None, len(people), about=OF_LISTS)


def gini(exposure: np.ndarray) -> float:
    """Gini coefficient of exposure: 0 if all tracks have the same, near 1 if one has everything.

    >>> gini(np.ones(5)), round(gini(np.array([0.0, 0, 0, 1])), 2)
    (0.0, 0.75)
    """
    total = float(exposure.sum())
    if total == 0:
        return float("nan")
    ascending, count = np.sort(exposure), len(exposure)
    return float((2 * np.arange(1, count + 1) - count - 1) @ ascending / (count * total))
