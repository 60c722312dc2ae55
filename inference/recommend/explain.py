"""Makes the items of an answer: titles, artists, and reasons from facts about each track and its listener."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from inference.recommend.answer import Recommendation
from inference.recommend.catalogue import Catalogue
from inference.recommend.explore import Slots
from inference.recommend.hidden_facts import without_hidden
from inference.recommend.listener import Listener
from inference.recommend.reasons import Facts, reason, strongest_neighbours
from inference.recommend.retrieve import content_profile
from inference.recommend.titles import TitleLookup
from transforms.pure.candidates.pool import SOURCES, Pool

REASON_HISTORY = 60
"""Number of most recent tracks of a history that a reason may name."""
DAY = 86_400.0


@dataclass(frozen=True)
class Ranking:
    """The ranked candidates of one request.

    Attributes:
        scores: (n,) scores of the candidates; None if they are ordered by popularity alone.
        order: (n,) row numbers of the candidates, best first.
        artist_plays: (n,) plays of the candidate's artist by the listener in 28 days, 0 if unknown; None if not looked
            up.
        note: message about a failed lookup; None if there was none.
        services: feature service → fingerprint, for the services that were read.
        parts: function that returns what the scores are sums of, part by part; None if they are of one part.
    """

    scores: np.ndarray | None
    order: np.ndarray
    artist_plays: np.ndarray | None = None
    note: str | None = None
    services: dict[str, str] | None = None
    parts: Callable[[], dict[str, np.ndarray]] | None = None


class Explainer:
    """Explains the tracks of one bundle.

    Args:
        catalogue: the tracks of the bundle.
        titles: lookup of titles and artists.
        cutoff: end of what the bundle learned from, in seconds since 1970 UTC.
    """

    def __init__(self, catalogue: Catalogue, titles: TitleLookup, cutoff: float) -> None:
        self.titles, self._catalogue, self._cutoff = titles, catalogue, cutoff

    def items(
        self,
        listener: Listener,
        pool: Pool,
        ranking: Ranking,
        slots: Slots,
        picks: np.ndarray | None,
        *,
        unheard: bool,
        now: float,
        hidden: frozenset[str] = frozenset(),
    ) -> list[Recommendation]:
        """Make the items of the slots.

        Args:
            listener: the listener.
            pool: the candidates.
            ranking: their order.
            slots: the rows to show.
            picks: places of the tracks that a new listener picked; None or empty if the history counts.
            unheard: whether the candidates were looked up among all tracks that the listener has heard.
            now: time of the request, in seconds since 1970 UTC.
            hidden: features that reasons and titles must not repeat.
        """
        catalogue, shown = self._catalogue, pool.keep(slots.rows)
        session, history = listener.session_places(catalogue), catalogue.places(listener.history[:REASON_HISTORY])
        is_picked = picks is not None and len(picks) > 0
        seeds = picks if picks is not None and is_picked else history
        follow_rows = strongest_neighbours(catalogue.follows, session, shown.places)
        similar_rows = strongest_neighbours(catalogue.similar, seeds, shown.places)
        tracks = [catalogue.track_ids[place] for place in shown.places.tolist()]
        follow_ids, similar_ids = (
            [None if row is None else catalogue.track_ids[places[row]] for row in rows]
            for places, rows in ((session, follow_rows), (seeds, similar_rows))
        )
        causes = list(dict.fromkeys(track for track in (*follow_ids, *similar_ids) if track is not None))
        display = self.titles.of([*tracks, *causes], reachable=listener.reachable, hidden=hidden)
        title_of = dict(zip([*tracks, *causes], display.titles, strict=True))
        content, taste = self._matches(listener, shown.places, seeds if is_picked else None)
        day_of_cutoff, items = self._day_of_cutoff(now), []
        for slot, (row, place) in enumerate(zip(slots.rows.tolist(), shown.places.tolist(), strict=True)):
            source, similar_row = SOURCES[int(shown.source[slot])], similar_rows[slot]
            artist_plays = None if ranking.artist_plays is None else ranking.artist_plays[row].item()
            facts = Facts(
                source=source,
                explored=bool(slots.explored[slot]),
                artist_name=display.artist_names[slot],
                artist_plays=artist_plays if display.artist_ids[slot] == catalogue.artist_ids[place] else None,
                follows=title_of.get(follow_ids[slot] or ""),
                similar=title_of.get(similar_ids[slot] or ""),
                similar_listeners=catalogue.shared_listeners(int(seeds[similar_row]), place)
                if unheard and similar_row is not None
                else 0,
                content_match=float(content[slot]),
                taste_match=float(taste[slot]),
                listeners=int(catalogue.listeners[place]) if unheard else 0,
                all_listeners=catalogue.all_listeners,
                released_days=catalogue.days_since_release(place, now),
                popular_rank=catalogue.popular_rank(place),
                popular_until=day_of_cutoff,
                among=self._segment(listener, place) if ranking.scores is None and unheard else None,
                picked=is_picked,
                unheard=unheard,
            )
            items.append(
                Recommendation(
                    track_id=tracks[slot],
                    title=display.titles[slot],
                    artist_id=display.artist_ids[slot],
                    artist_name=display.artist_names[slot],
                    score=None if ranking.scores is None else float(ranking.scores[row]),
                    source=source,
                    reason=reason(without_hidden(facts, hidden)),
                    propensity=float(slots.propensity[slot]),
                    explored=bool(slots.explored[slot]),
                )
            )
        return items

    def _matches(
        self, listener: Listener, places: np.ndarray, picks: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) content and taste matches of the places; 0 where they are unknown."""
        content, taste = np.zeros(len(places)), np.zeros(len(places))
        profile = content_profile(self._catalogue, listener, picks)
        if profile is not None:
            content = self._catalogue.vectors("content", places) @ profile
        if listener.taste is not None:
            taste = self._catalogue.vectors("taste", places) @ listener.taste
        return content, taste

    def _segment(self, listener: Listener, place: int) -> str | None:
        """Return the narrowest segment of the listener in which the track was played; None if there is none."""
        played = (name for name in listener.segments[::-1] if self._catalogue.segments.plays_in(name, place))
        return next(played, None)

    def _day_of_cutoff(self, now: float) -> str | None:
        return None if now - self._cutoff < DAY else f"{datetime.fromtimestamp(self._cutoff, UTC):%Y-%m-%d}"
