"""Recommendations for one listener: retrieve, filter, rank, diversify, explore, and tell why."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError, InputError, OnlineUnavailable
from feature_repo.home import Home
from inference import golden
from inference.features import OnlineFeatures
from inference.models import load_bundle
from inference.recommend import diversify as diversity_of
from inference.recommend import filter as filters
from inference.recommend.answer import Answer, Recommendation
from inference.recommend.catalogue import Catalogue
from inference.recommend.controller import Budget
from inference.recommend.explore import Slots, explore
from inference.recommend.impressions import ImpressionLog
from inference.recommend.listener import STALE_DAYS, Listener, look_up, picked, stranger
from inference.recommend.rank import Ranker
from inference.recommend.reasons import first_known, reason, strongest
from inference.recommend.request import Strategy, Wishes
from inference.recommend.retrieve import content_profile, retrieve
from transforms.pure.candidates.blend import blended
from transforms.pure.candidates.cold import evidence
from transforms.pure.candidates.neighbours import MOST_ASKED
from transforms.pure.candidates.pool import SOURCES, Pool

MOST_WANTED = 1_000
UNCHECKED = "the online store does not answer: rights and explicit tracks were not checked"
RECENT = 60
"""Tracks of a history that a reason may name."""
HELD = ("track_catalogue", "track_taste", "track_content", "track_popularity", "artist_popularity")
"""Views that may be answered from memory for ``filter.SECONDS``; what is known of listeners is looked up every time."""

SOURCES_OF: dict[str, tuple[str, ...]] = {
    "collaborative": ("taste", "similar"),
    "content": ("content",),
    "hybrid": ("taste", "similar", "content", "popular", "fresh"),
    "real_time": SOURCES,
    "cold_start": ("similar", "content", "popular", "fresh"),
}
"""Strategy → sources of its candidates."""


@dataclass(frozen=True)
class _Ordered:
    """Candidates with their scores.

    Attributes:
        scores: (n,) of the candidates; None where popularity alone orders them.
        order: (n,) rows, best first.
        artist_plays: (n,) of the listener in four weeks; None where that was not looked up.
        note: what went wrong.
        services: feature service → fingerprint.
    """

    scores: np.ndarray | None
    order: np.ndarray
    artist_plays: Sequence[Any] | None = None
    note: str | None = None
    services: Mapping[str, str] | None = None


class RecommendationEngine:
    """Answers from one bundle and the features online: by the model that fits what is known of who asks.

    Safe to share between threads.

    >>> engine = RecommendationEngine.load("recommendation")                      # doctest: +SKIP
    >>> engine.recommend("u000042", {"device": "phone"}, count=10)                # doctest: +SKIP
    """

    STRATEGY: Strategy | None = None
    """The one strategy of a class; chosen by what is known of who asks if None."""

    def __init__(self, bundle: Bundle, home: Home) -> None:
        """Load everything the bundle holds; connect to Redis on the first question."""
        self.bundle = bundle
        self.catalogue = Catalogue(bundle)
        extra = bundle.manifest["extra"]
        self._platform = home.tenant
        hold = dict.fromkeys(HELD, filters.SECONDS)
        self._fits = {"taste": int(extra["taste_fit"]), "content": int(extra["content_fit"])}
        self._weights: dict[str, dict[str, float]] = extra["weights"]
        self._cutoff = datetime.fromisoformat(bundle.manifest["cutoff"]).timestamp()
        self._rankers = {
            "hybrid": Ranker(
                bundle.read("hybrid.onnx"),
                bundle.inputs,
                OnlineFeatures(bundle.manifest["feature_service"], home, hold=hold),
            ),
            "real_time": Ranker(
                bundle.read("real_time.onnx"),
                extra["real_time"]["inputs"],
                OnlineFeatures(extra["real_time"]["service"], home, hold=hold),
            ),
        }
        self._listener = OnlineFeatures("listener_v1", home)
        self._display = OnlineFeatures("track_display_v1", home, hold=hold)
        self._rights = filters.Rights(OnlineFeatures("track_rights_v1", home), self.catalogue)
        self._log = ImpressionLog.from_env(home)

    @classmethod
    def load(cls, name: str = "recommendation", home: Home | None = None) -> "RecommendationEngine":
        """The champion (``recommendation``) or a version (``recommendation:3``).

        Raises:
            BundleError: see ``inference.models.load_bundle``.
            StoreError: the manifest is missing or damaged.
        """
        home = home or Home.from_env()
        return cls(load_bundle(name, home), home)

    def recommend(
        self,
        user_id: str,
        context: Mapping[str, Any] | None = None,
        *,
        count: int = 10,
        budget: Budget = Budget(),  # noqa: B008 (it cannot be changed)
        **wishes: Any,
    ) -> Answer:
        """The best tracks that the listener has not heard.

        Args:
            user_id: who asks; somebody unknown gets what people like them play, or what goes with what they pick.
            context: of the request: ``device``, ``context``, ``request_timestamp`` (seconds since 1970 UTC).
            count: how many, 1 to 1,000; fewer come back only if there are no more tracks.
            budget: what the answer may cost; a note says what was left out.
            wishes: of ``Wishes``.

        Raises:
            InputError: a wish or the count is none.
        """
        if not 1 <= count <= MOST_WANTED:
            raise InputError(
                expected=f"1 to {MOST_WANTED:,} tracks", found=f"{count}", next_command="recommend(…, count=10)"
            )
        wanted, request, at = Wishes(**wishes), dict(context or {}), time.time()
        listener = self._who(user_id, request, wanted)
        strategy, picks = self._strategy(listener, wanted)
        notes = list(listener.notes)
        if not budget.diversify and (wanted.diversify or wanted.explore):
            wanted = replace(wanted, diversify=None, explore=0.0)
            notes.append("the service is busy: neither diversified nor explored")
        unwanted = filters.unwanted(
            self.catalogue, listener.history, [*wanted.exclude_tracks, *wanted.pick_tracks], wanted.exclude_artists
        )
        pool, told = self._candidates(listener, strategy, wanted, unwanted, picks, count, budget.candidates)
        notes += [told] if told else []
        if not len(pool):
            notes.append("nothing is left: every track was heard, excluded or may not be played here")
            return self._answer(listener, strategy, [], notes, {}, at)
        if budget.features or strategy not in self._rankers:
            ordered = self._order(listener, strategy, pool, picks, request)
        else:
            ordered = self._blended(listener, pool, picks, "the service is busy: ordered without features")
        notes += [ordered.note] if ordered.note else []
        rows = self._diversified(listener, pool, ordered, wanted, count)
        slots = self._slots(pool, ordered, rows, wanted)
        items = self._explained(listener, pool, ordered, slots, picks if strategy == "cold_start" else None)
        notes += self._remarks(listener, strategy, bool(notes))
        return self._answer(listener, strategy, items, notes, dict(ordered.services or {}), at)

    def history(self, user_id: str, count: int = 10) -> list[Recommendation]:
        """The listener's last distinct tracks, newest first.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        seen = (self._listener.get({"user_id": [user_id]}).values["user_history__track_ids"][0] or [])[:count]
        shown = self._shown(seen)
        return [
            Recommendation(track, title, artist, name, None, "history", "heard")
            for track, title, artist, name in zip(seen, *shown, strict=True)
        ]

    def check(self) -> None:
        """Ask the online store something.

        Raises:
            StoreError: it does not answer.
        """
        self._listener.get({"user_id": [""]})

    def try_out(self) -> None:
        """Ask what was asked in training, and one question of a stranger.

        Raises:
            RefrainError: it does not answer as it should.
        """
        for name, ranker in self._rankers.items():
            golden.check(self.bundle, name, ranker.score)
        if not self.recommend("").items:
            raise BundleError(
                expected=f"tracks for anybody from {self.bundle.name_version}",
                found="none",
                next_command="python -m training run recommendation",
            )

    def _who(self, user_id: str, request: Mapping[str, Any], wanted: Wishes) -> Listener:
        try:
            return look_up(self._listener, user_id, request, self._fits, wanted.country)
        except OnlineUnavailable as error:
            return stranger(user_id, wanted.country, error)

    def _strategy(self, listener: Listener, wanted: Wishes) -> tuple[Strategy, np.ndarray]:
        """Which model answers, and the places of what was picked."""
        told = (tuple(wanted.pick_tracks), tuple(wanted.pick_artists), tuple(wanted.pick_genres))
        picks = picked(self.catalogue, *told)
        chosen = self.STRATEGY or wanted.strategy
        if chosen is not None:
            return chosen, picks
        if len(picks) or not listener.known:
            return "cold_start", picks
        return ("real_time" if listener.session or listener.taste is None else "hybrid"), picks

    def _candidates(
        self,
        listener: Listener,
        strategy: Strategy,
        wanted: Wishes,
        unwanted: np.ndarray,
        picks: np.ndarray,
        count: int,
        share: float = 1.0,
    ) -> tuple[Pool, str | None]:
        """What may be recommended; more is looked for where filters leave too little."""
        sources, chosen = SOURCES_OF[strategy], picks if strategy == "cold_start" else None
        at_least, told = count, None
        while True:
            pool = retrieve(self.catalogue, listener, sources, unwanted, picks=chosen, at_least=at_least, share=share)
            kept, told = self._permitted(listener, pool, wanted)
            if told or len(kept) >= count or at_least >= len(self.catalogue):
                break
            at_least = min(4 * at_least, len(self.catalogue))
        if not len(kept) and strategy in ("collaborative", "content"):  # it knows nothing of them
            kept, _ = self._candidates(listener, "cold_start", wanted, unwanted, picks, count, share)
            told = "; ".join([*([told] if told else []), f"{strategy} knows nothing of this listener: popular tracks"])
        return kept, told

    def _permitted(self, listener: Listener, pool: Pool, wanted: Wishes) -> tuple[Pool, str | None]:
        """Those that may be played, or all of them and why that could not be told."""
        if not listener.reachable:
            return pool, UNCHECKED
        try:
            return self._rights.allowed(pool, country=listener.country, explicit=wanted.explicit), None
        except OnlineUnavailable:
            return pool, UNCHECKED

    def _order(
        self, listener: Listener, strategy: Strategy, pool: Pool, picks: np.ndarray, request: Mapping[str, Any]
    ) -> _Ordered:
        if strategy in ("hybrid", "real_time") and listener.reachable:
            ranker = self._rankers[strategy]
            try:
                scores, rows = ranker.rank(listener.user_id, pool, self.catalogue, self._platform, request)
            except OnlineUnavailable:
                note = "the online store does not answer: ordered without features"
                return self._blended(listener, pool, picks, note)
            service = ranker.features.service
            plays = rows.values["user_artist_affinity__plays_28d"]
            return _Ordered(scores, _descending(scores), plays, None, {service.name: service.fingerprint})
        if strategy == "collaborative" and listener.taste is not None:
            taste = self.catalogue.vectors("taste", pool.places) @ listener.taste
            scores = blended({"taste": taste, "similar": np.log1p(pool.similar)}, self._weights["collaborative"])
            return _Ordered(scores, _descending(scores))
        if strategy == "content":
            profile = content_profile(self.catalogue, listener)
            if profile is not None:
                scores = self.catalogue.vectors("content", pool.places) @ profile
                return _Ordered(scores, _descending(scores))
        return self._blended(listener, pool, picks, None)

    def _blended(self, listener: Listener, pool: Pool, picks: np.ndarray, note: str | None) -> _Ordered:
        """By what goes with picks and history, what is like them, and what is popular among people like them."""
        shares = self.catalogue.segments.shares(listener.segments)[pool.places]
        asked = np.concatenate([picks, self.catalogue.places(listener.history)])[:MOST_ASKED]
        if not len(asked):
            return _Ordered(None, _descending(shares), None, note)
        profile = content_profile(self.catalogue, listener, asked)
        content = np.full(len(pool), np.nan)
        if profile is not None:
            content = self.catalogue.vectors("content", pool.places) @ profile
        scores = blended(evidence(pool.similar, content, shares), self._weights["cold_start"])
        return _Ordered(scores, _descending(scores), None, note)

    def _diversified(self, listener: Listener, pool: Pool, ordered: _Ordered, wanted: Wishes, count: int) -> np.ndarray:
        """Rows of the candidates, in the order in which they would be shown, all of them."""
        order = ordered.order
        if wanted.diversify is not None:
            scores = -np.argsort(order).astype(float) if ordered.scores is None else ordered.scores
            top = order[: diversity_of.LOOKED_AT * count]
            if wanted.diversify == "mmr":
                vectors = self.catalogue.vectors("content", pool.places[top])
                if not vectors.any():
                    vectors = self.catalogue.vectors("taste", pool.places[top])
                top = diversity_of.mmr(top, scores, vectors, count, wanted.diversity)
            else:
                heard = [self.catalogue.genres[place] for place in self.catalogue.places(listener.history).tolist()]
                genres = [self.catalogue.genres[place] for place in pool.places[top].tolist()]
                likes = diversity_of.genre_shares(heard)
                top = diversity_of.calibrated(top, scores, genres, likes, count, wanted.diversity)
            order = np.concatenate([top, order[diversity_of.LOOKED_AT * count :]])
        most = wanted.most_by_artist or max(-(-count // 3), 2)
        return diversity_of.capped(order, self.catalogue.artists[pool.places], count, most)

    def _slots(self, pool: Pool, ordered: _Ordered, rows: np.ndarray, wanted: Wishes) -> Slots:
        others = ordered.order[~np.isin(ordered.order, rows)]
        liked, disliked = self.catalogue.liked[pool.places], self.catalogue.disliked[pool.places]
        return explore(rows, others, liked, disliked, wanted.explore, np.random.default_rng(wanted.seed))

    def _explained(
        self, listener: Listener, pool: Pool, ordered: _Ordered, slots: Slots, picks: np.ndarray | None
    ) -> list[Recommendation]:
        catalogue = self.catalogue
        shown = pool.keep(slots.rows)
        session, history = catalogue.places(listener.session), catalogue.places(listener.history[:RECENT])
        asked = picks if picks is not None and len(picks) else history
        after, alike = (
            strongest(catalogue.follows, session, shown.places),
            strongest(catalogue.similar, asked, shown.places),
        )
        tracks = [catalogue.track_ids[place] for place in shown.places.tolist()]
        pairs = [(session, after), (asked, alike)]
        grounds = [
            [None if row is None else catalogue.track_ids[places[row]] for row in rows] for places, rows in pairs
        ]
        named = list(dict.fromkeys(track for ground in grounds for track in ground if track is not None))
        titles, artists, names = self._shown([*tracks, *named], reachable=listener.reachable)
        title_of = dict(zip([*tracks, *named], titles, strict=True))
        among = " ".join(listener.segments[-1:])
        items = []
        for slot, (row, track) in enumerate(zip(slots.rows.tolist(), tracks, strict=True)):
            source = SOURCES[int(shown.source[slot])]
            why = reason(
                source=source,
                explored=bool(slots.explored[slot]),
                artist_name=names[slot],
                artist_plays=None if ordered.artist_plays is None else ordered.artist_plays[row],
                follows=title_of.get(grounds[0][slot] or ""),
                similar=title_of.get(grounds[1][slot] or ""),
                popular_rank=catalogue.popular_rank(int(shown.places[slot])),
                among=among if ordered.scores is None else None,
                picked=asked is picks,
            )
            items.append(
                Recommendation(
                    track_id=track,
                    title=titles[slot],
                    artist_id=artists[slot],
                    artist_name=names[slot],
                    score=None if ordered.scores is None else float(ordered.scores[row]),
                    source=source,
                    reason=why,
                    propensity=float(slots.propensity[slot]),
                    explored=bool(slots.explored[slot]),
                )
            )
        return items

    def _remarks(self, listener: Listener, strategy: Strategy, explained: bool) -> list[str]:
        """What else is to be told: who is unknown, unless that is ``explained``; how old the model is."""
        notes = []
        if not listener.known and not explained:
            told = "what they picked, or what is popular" if strategy == "cold_start" else "popular tracks"
            notes.append(f"no taste is known of this listener: {told}")
        older = (listener.fresh_at - self._cutoff) / 86_400
        if older > STALE_DAYS:
            notes.append(
                f"the model knows nothing of the last {older:.0f} days; run: python -m training run recommendation"
            )
        return notes

    def _answer(
        self,
        listener: Listener,
        strategy: Strategy,
        items: list[Recommendation],
        notes: list[str],
        services: dict[str, str],
        at: float,
    ) -> Answer:
        read = self._listener.service
        answer = Answer(
            listener.user_id,
            listener.known,
            self.bundle.name_version,
            items,
            "; ".join(dict.fromkeys(notes)) or None,
            strategy,
            {read.name: read.fingerprint, **services},
            uuid.uuid4().hex,
            at,
        )
        if self._log is not None and answer.user_id and self._log.wants():
            self._log.tell(answer)
        return answer

    def _shown(
        self, tracks: list[str], *, reachable: bool = True
    ) -> tuple[list[str], list[str | None], list[str | None]]:
        """Titles, artists and their names; without the online store, identifiers."""
        if not tracks:
            return [], [], []
        values = None
        if reachable:
            try:
                values = self._display.get({"track_id": tracks}).values
            except OnlineUnavailable:
                values = None
        if values is None:
            places = (self.catalogue.place.get(track) for track in tracks)
            artists = [None if place is None else self.catalogue.artist_ids[place] for place in places]
            return list(tracks), artists, [None] * len(tracks)
        return (
            first_known(values["track_catalogue__title"], tracks),
            values["track_catalogue__artist_id"],
            values["track_catalogue__artist_name"],
        )


def _descending(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")
