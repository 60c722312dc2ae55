"""What a listener may want to hear again: ranks what they have heard, by their own plays alone.

Training of few listeners writes their plays to ``user_own_listening`` and learns how to order them
(``training.models.recommendation.own_run``). With other bundles, and for listeners without such a row, the last tracks
of ``user_history`` are ordered by how often each was played.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from feature_repo.errors import OnlineUnavailable
from inference.features import OnlineFeatures
from inference.recommend.answer import Recommendation
from inference.recommend.catalogue import Catalogue
from inference.recommend.diversify import limit_per_artist
from inference.recommend.explain import Explainer
from inference.recommend.filter import excluded_places
from inference.recommend.heard import Heard
from inference.recommend.listener import Listener
from inference.recommend.request import RequestOptions
from inference.recommend.rights import Rights
from transforms.pure.candidates.neighbours import Neighbours
from transforms.pure.candidates.own import (
    FAVOURITE_PLAYS,
    FORGOTTEN_DAYS,
    PARTS,
    SESSION_PAUSE_S,
    OwnListening,
    candidate_rows,
    forgotten_favourites,
    not_just_played,
    ordered,
    own_scores,
)
from transforms.pure.candidates.pool import Pool

SERVICE = "own_listening_v1"
_VIEW = "user_own_listening__"
DAY_S = 86_400.0
UNMEASURED = "how well this order fits was not measured"


@dataclass(frozen=True)
class AgainRanking:
    """Tracks to hear again.

    Attributes:
        places: (n,) numbers of the tracks in the catalogue, best first.
        scores: (n,) scores, comparable within one answer.
        notes: messages on how they are ordered.
        followed: (n,) place of the play of the last day that each track has most followed; -1 for none.
    """

    places: np.ndarray
    scores: np.ndarray
    notes: list[str]
    followed: np.ndarray


class HearAgain:
    """Orders what a listener has heard.

    Args:
        features: lookup of the feature service ``own_listening_v1``.
        heard: which tracks a listener has heard.
        rights: which tracks may be played.
        explainer: titles of tracks.
        catalogue: the tracks of the bundle.
        orders: question → order and weights, as training chose them; empty for a bundle without.
    """

    def __init__(
        self,
        features: OnlineFeatures,
        heard: Heard,
        rights: Rights,
        explainer: Explainer,
        catalogue: Catalogue,
        orders: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._features, self._heard, self._rights, self._explainer = features, heard, rights, explainer
        self._catalogue, self._orders = catalogue, orders

    def recommend(
        self,
        listener: Listener,
        count: int,
        options: RequestOptions,
        now: float,
        *,
        forgotten: bool,
        hidden: frozenset[str] = frozenset(),
    ) -> tuple[list[Recommendation], list[str]]:
        """Return the best heard tracks that may be played, with reasons, and notes.

        Args:
            listener: the listener.
            count: number of tracks.
            options: what is excluded, and how many tracks one artist may have.
            now: time of the request, in seconds since 1970 UTC.
            forgotten: whether only forgotten favourites are wanted.
            hidden: features that titles must not repeat.
        """
        try:
            return self._recommend(listener, count, options, now, forgotten, hidden)
        except OnlineUnavailable:
            return [], ["the online store does not answer: what was heard is not known"]

    def _recommend(
        self,
        listener: Listener,
        count: int,
        options: RequestOptions,
        now: float,
        forgotten: bool,
        hidden: frozenset[str],
    ) -> tuple[list[Recommendation], list[str]]:
        ranking, catalogue = self.rank(listener, now, forgotten=forgotten), self._catalogue
        barred = excluded_places(catalogue, np.empty(0, np.int64), options.exclude_tracks, options.exclude_artists)
        rows = np.flatnonzero(~np.isin(ranking.places, barred))
        zeros = np.zeros(len(rows))
        permitted = self._rights.allowed(
            Pool(ranking.places[rows], zeros, zeros, zeros), country=listener.country, explicit=options.explicit
        )
        rows = rows[np.isin(ranking.places[rows], permitted.pool.places)]
        max_per_artist = options.most_by_artist or max(-(-count // 3), 2)
        rows = limit_per_artist(rows, catalogue.artists[ranking.places], count, max_per_artist)[:count]
        tracks = [catalogue.track_ids[place] for place in ranking.places[rows].tolist()]
        causes = [catalogue.track_ids[place] if place >= 0 else None for place in ranking.followed[rows].tolist()]
        shown = self._explainer.titles.of([*tracks, *(cause for cause in causes if cause is not None)], hidden=hidden)
        title_of = dict(zip([*tracks, *(cause for cause in causes if cause is not None)], shown.titles, strict=True))
        plays, last = self._heard.plays(listener.user_id, tracks)
        items = [
            Recommendation(
                track_id=track,
                title=shown.titles[slot],
                artist_id=shown.artist_ids[slot],
                artist_name=shown.artist_names[slot],
                score=float(ranking.scores[row]),
                source="history",
                reason=again_reason(
                    int(plays[slot]), float(last[slot]), now, title_of.get(causes[slot] or ""), forgotten=forgotten
                ),
            )
            for slot, (row, track) in enumerate(zip(rows.tolist(), tracks, strict=True))
        ]
        right_notes = [permitted.note] if permitted.note else []
        if items:
            return items, [*ranking.notes, *right_notes]
        return [], [
            *right_notes,
            f"no track that was played {FAVOURITE_PLAYS} times or more has rested for {FORGOTTEN_DAYS} days"
            if forgotten and listener.known
            else "nothing that this listener heard may be played again"
            if listener.known
            else "nothing that this listener heard is known",
        ]

    def rank(self, listener: Listener, now: float, *, forgotten: bool) -> AgainRanking:
        """Rank the heard tracks.

        Args:
            listener: the listener.
            now: time of the request, in seconds since 1970 UTC.
            forgotten: whether only forgotten favourites are ranked.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        learned = self._own_listening(listener)
        own = self._from_history(listener) if learned is None else learned
        moment = round(now * 1e6)
        nothing = np.empty(0, np.int64)
        if forgotten:
            rows = forgotten_favourites(own, moment)
            rows = rows[self._last_plays(listener, own.places[rows]) < now - FORGOTTEN_DAYS * DAY_S]
            return AgainRanking(own.places[rows], own.plays[rows].astype(float), [], np.full(len(rows), -1))
        if not len(own.places):
            return AgainRanking(nothing, np.empty(0), [], nothing)
        history, session = listener.history_places(self._catalogue), listener.session_places(self._catalogue)
        scores = own_scores(own, history, session, moment, self._catalogue.vectors("content", own.places))
        choice = self._choice(listener, session, now)
        rows, values = ordered(
            scores, candidate_rows(scores, not_just_played(own, session)), choice["order"], choice["weights"]
        )
        notes = [] if learned is not None and choice.get("measured") else [UNMEASURED]
        return AgainRanking(own.places[rows], values, notes, self._followed(own, session, rows))

    def heard_places(self, listener: Listener) -> np.ndarray:
        """List the places of all tracks that the listener had heard when the model was trained; none if unknown."""
        try:
            own = self._own_listening(listener)
        except OnlineUnavailable:
            own = None
        return np.empty(0, np.int64) if own is None else own.places

    def _choice(self, listener: Listener, session: np.ndarray, now: float) -> Mapping[str, Any]:
        last = self._last_plays(listener, session[:1])
        is_within = len(last) > 0 and now - last[0] < SESSION_PAUSE_S
        return self._orders.get("within" if is_within else "start", {"order": "plays", "weights": {}})

    def _last_plays(self, listener: Listener, places: np.ndarray) -> np.ndarray:
        """Return the (n,) time of the last play of each track, in seconds since 1970 UTC."""
        return self._heard.plays(listener.user_id, [self._catalogue.track_ids[place] for place in places.tolist()])[1]

    def _own_listening(self, listener: Listener) -> OwnListening | None:
        """Return the own plays of the listener as training wrote them; None if it did not."""
        values = self._features.get({"user_id": [listener.user_id]}).values
        tracks: Sequence[str] | None = values[f"{_VIEW}track_ids"][0]
        if tracks is None:
            return None
        place = self._catalogue.place
        places = np.array([place.get(track, -1) for track in tracks], np.int64)
        columns = {name: np.asarray(values[_VIEW + name][0]) for name in ("plays", "last", "faded")}
        follows = Neighbours(
            np.asarray(values[f"{_VIEW}followers"][0], np.int32).reshape(len(tracks), -1),
            np.asarray(values[f"{_VIEW}follow_weights"][0], np.float32).reshape(len(tracks), -1),
        )
        by_part = np.asarray(values[f"{_VIEW}by_part"][0]).reshape(len(tracks), PARTS)
        return OwnListening(places, **columns, by_part=by_part, follows=follows).in_catalogue()

    def _from_history(self, listener: Listener) -> OwnListening:
        places = np.unique(listener.history_places(self._catalogue))
        tracks = [self._catalogue.track_ids[place] for place in places.tolist()]
        plays, last = self._heard.plays(listener.user_id, tracks)
        nothing = Neighbours(np.full((len(places), 1), -1, np.int32), np.zeros((len(places), 1), np.float32))
        return OwnListening(
            places, plays, (last * 1e6).astype(np.int64), plays.astype(float), np.zeros((len(places), PARTS)), nothing
        )

    @staticmethod
    def _followed(own: OwnListening, session: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return for each row the place of the play of the session that it has most followed; -1 for none."""
        strength, followed = np.zeros(len(own.places)), np.full(len(own.places), -1)
        for row in own.rows(session).tolist():
            neighbours, weights = own.follows.scores(np.array([row]), np.ones(1))
            is_stronger = weights > strength[neighbours]
            strength[neighbours[is_stronger]] = weights[is_stronger]
            followed[neighbours[is_stronger]] = own.places[row]
        return followed[rows]


def again_reason(plays: int, last: float, now: float, follows: str | None, *, forgotten: bool) -> str:
    """Say why a track is worth hearing again: facts of the listener's own plays.

    Args:
        plays: plays of the track by the listener, up to now.
        last: time of the last one, in seconds since 1970 UTC.
        now: time of the request.
        follows: title of a play of the last day that the track has followed; None for none.
        forgotten: whether it is a forgotten favourite.

    >>> again_reason(12, 0.0, 8e6, None, forgotten=False)
    'you played it 12 times, last on 1970-01-01'
    """
    times = "once" if plays == 1 else f"{plays} times"
    when = f"{datetime.fromtimestamp(last, UTC):%Y-%m-%d}"
    text = f"you played it {times}, {'' if plays == 1 else 'last '}on {when}"
    if forgotten:
        return f"a forgotten favourite: {text}, {int((now - last) / DAY_S)} days ago"
    return f"{text}; it has followed {follows}, which you played in the last day" if follows else text
