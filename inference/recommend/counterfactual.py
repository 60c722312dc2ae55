"""Says without what the first recommendation would not have come first: last plays, picks, or parts of the score.

Parts of the score are exact. For plays and picks, the candidates are found and ordered again without some of them, at
most ``MOST_ASKED`` times. What was learned in training stays as it is, and so do the features of the listener.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from inference.recommend.answer import Counterfactual
from inference.recommend.catalogue import Catalogue
from inference.recommend.explain import Explainer, Ranking
from inference.recommend.listener import Listener
from transforms.pure.candidates.counterfactual import search_removal, smallest_removal
from transforms.pure.candidates.neighbours import HISTORY_FADES, SESSION_FADES, Neighbours, fading
from transforms.pure.candidates.pool import Pool

MOST_ASKED = 20
"""Most times that the candidates are ordered again for one answer."""
MOST_PLAYS = 60
"""Most of the last plays that are looked at."""
AskAgain = Callable[[Listener, np.ndarray], int | None]
"""From a listener and places of picks to the place of the track that comes first; None for none."""


def explain_first(
    listener: Listener,
    picks: np.ndarray,
    pool: Pool,
    ranking: Ranking,
    catalogue: Catalogue,
    explainer: Explainer,
    ask_again: AskAgain,
) -> Counterfactual | None:
    """Explain the candidate that the ranking puts first; None if nothing was found.

    Args:
        listener: the listener.
        picks: places of the listener's picks.
        pool: the candidates.
        ranking: their order.
        catalogue: the tracks of the bundle.
        explainer: looks up titles.
        ask_again: finds and orders the candidates of another listener.
    """
    row = int(ranking.order[0])
    first = int(pool.places[row])
    by_parts = _without_parts(ranking, row)
    removal = _without_plays(listener, picks, first, catalogue, ask_again)
    if by_parts is None and removal is None:
        return None
    removed = [] if removal is None else sorted(removal[0])
    instead = [] if removal is None else [removal[1]]
    of_parts = [] if by_parts is None else [int(pool.places[by_parts[1]])]
    tracks = [catalogue.track_ids[place] for place in (first, *removed, *instead, *of_parts)]
    titles = dict(zip(tracks, explainer.titles.of(tracks, reachable=listener.reachable).titles, strict=True))
    without = [catalogue.track_ids[place] for place in removed]
    track_instead = catalogue.track_ids[instead[0]] if instead else None
    parts_instead = catalogue.track_ids[of_parts[0]] if of_parts else None
    texts = []
    if track_instead is not None:
        played = "your picks" if len(picks) and set(removed) <= set(picks.tolist()) else "your last plays"
        named = ", ".join(titles[track] for track in without)
        texts.append(f"without {named} among {played}, {titles[track_instead]} would have come first")
    if by_parts is not None and parts_instead is not None:
        names = " and ".join(by_parts[0])
        texts.append(f"without {names} in the score, {titles[parts_instead]} would have come first")
    return Counterfactual(
        track_id=tracks[0],
        without_tracks=without,
        track_instead=track_instead,
        without_parts=[] if by_parts is None else by_parts[0],
        track_instead_of_parts=parts_instead,
        text="; ".join(texts),
    )


def _without_parts(ranking: Ranking, row: int) -> tuple[list[str], int] | None:
    """Return the fewest parts of the score without which another row comes first, and that row."""
    parts = {} if ranking.parts is None else ranking.parts()
    if len(parts) < 2:
        return None
    table = np.column_stack(list(parts.values()))
    removal = smallest_removal(table, np.zeros(len(table)), row)
    if removal is None or len(removal[0]) == len(parts):
        return None
    return [list(parts)[number] for number in removal[0].tolist()], removal[1]


def _without_plays(
    listener: Listener, picks: np.ndarray, first: int, catalogue: Catalogue, ask_again: AskAgain
) -> tuple[frozenset[int], int] | None:
    """Return the places of a few plays or picks without which another track comes first, and its place."""
    history = listener.history_places(catalogue)[:MOST_PLAYS]
    session = listener.session_places(catalogue)
    seeds = np.concatenate([picks, history]) if len(picks) else history
    influence: dict[int, float] = {}
    _add_influence(influence, catalogue.similar, seeds, fading(len(seeds), HISTORY_FADES), first)
    _add_influence(influence, catalogue.follows, session, fading(len(session), SESSION_FADES), first)
    vectors = catalogue.vectors("content", seeds)
    if len(seeds):
        cosines = vectors @ catalogue.vectors("content", [first])[0]
        for place, cosine in zip(seeds.tolist(), cosines.tolist(), strict=True):
            influence[place] = influence.get(place, 0.0) + max(cosine, 0.0)
    reasons = sorted(influence, key=lambda place: -influence[place])

    def ask(without: frozenset[int]) -> int | None:
        removed = {catalogue.track_ids[place] for place in without}
        other = replace(
            listener,
            history=tuple(track for track in listener.history if track not in removed),
            session=tuple(track for track in listener.session if track not in removed),
            _places={},
        )
        return ask_again(other, picks[~np.isin(picks, list(without))])

    return search_removal(ask, first, reasons, MOST_ASKED) if reasons else None


def _add_influence(
    influence: dict[int, float], table: Neighbours, seeds: np.ndarray, amounts: np.ndarray, track: int
) -> None:
    """Add what each seed contributes to the score of a track, as a share of the largest."""
    if not len(seeds):
        return
    strength = np.where(table.places[seeds] == track, table.weights[seeds], 0).max(axis=1) * amounts
    largest = float(strength.max()) or 1.0
    for place, value in zip(seeds.tolist(), (strength / largest).tolist(), strict=True):
        influence[place] = influence.get(place, 0.0) + value
