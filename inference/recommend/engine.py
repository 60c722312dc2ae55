"""Recommends tracks to one listener: retrieve, filter, rank, diversify, explore, and give reasons."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Unpack

import numpy as np

from feature_repo import clock
from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError, InputError, OnlineUnavailable
from feature_repo.home import Home
from inference import golden
from inference.features import OnlineFeatures
from inference.models import load_bundle
from inference.recommend import diversify as diversity_of
from inference.recommend.again import SERVICE as OWN_SERVICE
from inference.recommend.again import HearAgain
from inference.recommend.answer import Answer, Recommendation
from inference.recommend.catalogue import Catalogue
from inference.recommend.controller import Budget
from inference.recommend.explain import Explainer, Ranking
from inference.recommend.explore import Slots, explore
from inference.recommend.filter import excluded_places
from inference.recommend.heard import MAX_LOOKUPS, NOT_ONLINE, SERVICE, Heard
from inference.recommend.impressions import ImpressionLog
from inference.recommend.known_rights import KnownRights, max_staleness_s
from inference.recommend.listener import STALE_DAYS, Listener, look_up_listener, picked_places, unknown_listener
from inference.recommend.rank import Ranker
from inference.recommend.request import RecommendationOptions, RequestOptions, Strategy
from inference.recommend.retrieve import content_profile, retrieve
from inference.recommend.rights import MAX_AGE_S, Rights
from transforms.pure.candidates.blend import blended
from transforms.pure.candidates.cold import evidence
from transforms.pure.candidates.neighbours import MOST_ASKED
from transforms.pure.candidates.pool import SOURCES, Pool, is_among

MAX_COUNT = 1_000
NO_RANKER = "no ranker was trained: too few listeners or plays"
LOST_TO_POPULARITY = "on validation the ranker lost to the most played tracks: ordered by these"
HEARD_UNCHECKED = "the online store does not answer: a known track may be among these"
NAMES_MAX_AGE_S = 60.0
"""Seconds for which looked-up titles and names of artists are reused; they decide nothing."""
CACHED_VIEWS = ("track_catalogue", "track_taste", "track_content", "track_popularity", "artist_popularity")
"""Views whose rows may come from the row cache for ``rights.MAX_AGE_S``. Features of listeners are always looked up."""

SOURCES_OF: dict[str, tuple[str, ...]] = {
    "collaborative": ("taste", "similar"),
    "content": ("content",),
    "hybrid": ("taste", "similar", "content", "popular", "fresh"),
    "real_time": SOURCES,
    "cold_start": ("similar", "content", "popular", "fresh"),
}
"""Strategy → names of its candidate sources, for strategies that recommend unheard tracks."""
OF_HEARD = ("again", "forgotten")
"""Strategies that recommend tracks that the listener has heard."""


class RecommendationEngine:
    """Recommends from one bundle and online features, with the strategy that fits the listener.

    Safe to share between threads.

    >>> engine = RecommendationEngine.load("recommendation")                      # doctest: +SKIP
    >>> engine.recommend("u000042", {"device": "phone"}, count=10)                # doctest: +SKIP

    >>> engine.history("u000042", 5)                                              # doctest: +SKIP
    >>> engine.check()                                                            # doctest: +SKIP
    >>> engine.try_out()                                                          # doctest: +SKIP
    """

    STRATEGY: Strategy | None = None
    """The fixed strategy of a subclass. If None, each request chooses by what is known of the listener."""

    def __init__(self, bundle: Bundle, home: Home) -> None:
        """Load everything in the bundle; connect to Redis on the first request."""
        self.bundle = bundle
        self.catalogue = Catalogue(bundle)
        extra = bundle.manifest["extra"]
        self._platform = home.tenant
        cache_seconds = dict.fromkeys(CACHED_VIEWS, MAX_AGE_S)
        self._fits = {} if "own" in extra else {kind: int(extra[f"{kind}_fit"]) for kind in ("taste", "content")}
        self._weights: dict[str, dict[str, float]] = extra["weights"]
        self._lost_to_popularity = bool(extra.get("lost_to_popularity"))
        self._cutoff = datetime.fromisoformat(bundle.manifest["cutoff"]).timestamp()
        self._rankers = (
            {}
            if "own" in extra
            else {
                "hybrid": Ranker(
                    bundle.read("hybrid.onnx"),
                    bundle.inputs,
                    OnlineFeatures(bundle.manifest["feature_service"], home, hold=cache_seconds),
                    self._weights.get("hybrid"),
                ),
                "real_time": Ranker(
                    bundle.read("real_time.onnx"),
                    extra["real_time"]["inputs"],
                    OnlineFeatures(extra["real_time"]["service"], home, hold=cache_seconds),
                ),
            }
        )
        self._listener = OnlineFeatures("listener_v1", home)
        display = OnlineFeatures("track_display_v1", home, hold=dict.fromkeys(CACHED_VIEWS, NAMES_MAX_AGE_S))
        self._explainer = Explainer(self.catalogue, display, self._cutoff)
        self._heard = Heard(OnlineFeatures(SERVICE, home), self.catalogue)
        self._rights = Rights(
            OnlineFeatures("track_rights_v1", home),
            self.catalogue.track_ids,
            unlisted=self.catalogue.not_in_catalogue,
            max_staleness_s=max_staleness_s(),
        )
        KnownRights.of(home).add(self._rights)
        self._again = HearAgain(
            OnlineFeatures(OWN_SERVICE, home),
            self._heard,
            self._rights,
            self._explainer,
            self.catalogue,
            extra.get("own", {}).get("orders", {}),
        )
        self._log = ImpressionLog.from_env(home)

    @classmethod
    def load(cls, name: str = "recommendation", home: Home | None = None) -> "RecommendationEngine":
        """Load the champion (``recommendation``) or a version (``recommendation:3``).

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
        **option_values: Unpack[RecommendationOptions],
    ) -> Answer:
        """Recommend the best tracks that the listener has not heard.

        Args:
            user_id: identifier of the listener. An unknown listener gets what similar people play, or tracks that go
                with the picks in the options.
            context: request fields ``device``, ``context`` and ``request_timestamp`` (seconds since 1970 UTC).
            count: number of tracks, 1 to 1,000. Fewer are returned only if there are no more tracks.
            budget: limits on the cost of the answer. The answer's note says which steps were skipped.
            option_values: fields of ``RequestOptions``.

        Raises:
            InputError: the count or an option is invalid.
        """
        if not 1 <= count <= MAX_COUNT:
            raise InputError(
                expected=f"1 to {MAX_COUNT:,} tracks", found=f"{count}", next_command="recommend(…, count=10)"
            )
        options, request, at = RequestOptions(**option_values), dict(context or {}), time.time()
        moment = float(request.get("request_timestamp") or clock.seconds())
        listener = self._look_up(user_id, request, options)
        strategy, picks = self._choose_strategy(listener, options)
        notes = list(listener.notes)
        if strategy in OF_HEARD:
            items, more = self._again.recommend(listener, count, options, moment, forgotten=strategy == "forgotten")
            return self._build_answer(listener, strategy, items, [*notes, *more], {}, at)
        if not budget.diversify:
            options = replace(options, diversify=None, explore=0.0)
        busy = [] if budget == Budget() else [_budget_note(budget, ranked=strategy in self._rankers)]
        excluded = excluded_places(
            self.catalogue, listener.history, [*options.exclude_tracks, *options.pick_tracks], options.exclude_artists
        )
        if not self._rankers and listener.reachable:
            excluded = np.union1d(excluded, self._again.heard_places(listener))
        pool, unheard, candidate_notes = self._find_candidates(
            listener, strategy, options, excluded, picks, count, budget.candidates
        )
        notes += candidate_notes
        if not len(pool):
            if listener.known:
                notes.append("what is worth hearing again: strategy again, or forgotten")
            return self._build_answer(listener, strategy, [], [*notes, *busy], {}, at)
        if budget.features or strategy not in self._rankers:
            ranking = self._rank(listener, strategy, pool, picks, request)
        else:
            ranking = self._blend(listener, pool, picks, None)
        notes += [ranking.note] if ranking.note else []
        rows = self._diversify(listener, pool, ranking, options, count)
        slots = self._fill_slots(pool, ranking, rows, options)
        picked = picks if strategy == "cold_start" else None
        items = self._explainer.items(listener, pool, ranking, slots, picked, unheard=unheard, now=moment)
        notes += [*self._extra_notes(listener, strategy, bool(notes)), *busy]
        return self._build_answer(listener, strategy, items, notes, dict(ranking.services or {}), at)

    def history(self, user_id: str, count: int = 10) -> list[Recommendation]:
        """List the listener's last distinct tracks, newest first.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        track_ids = (self._listener.get({"user_id": [user_id]}).values["user_history__track_ids"][0] or [])[:count]
        shown = self._explainer.titles(track_ids)
        return [
            Recommendation(track, title, artist, name, None, "history", "heard")
            for track, title, artist, name in zip(
                track_ids, shown.titles, shown.artist_ids, shown.artist_names, strict=True
            )
        ]

    def check(self) -> None:
        """Check that the online store answers.

        Raises:
            StoreError: the online store does not answer.
        """
        self._listener.get({"user_id": [""]})

    def try_out(self) -> None:
        """Check the golden answers of the rankers, and recommend to one unknown listener.

        Raises:
            RefrainError: a ranker answers other than in training, or nothing is recommended.
        """
        for name, ranker in self._rankers.items():
            golden.check(self.bundle, name, ranker.score)
        if not self.recommend("").items and self._rights.is_known:  # else the online store is at fault
            raise BundleError(
                expected=f"recommendations for an unknown listener from {self.bundle.name_version}",
                found="none",
                next_command="refrain model run recommendation",
            )

    def _look_up(self, user_id: str, request: Mapping[str, Any], options: RequestOptions) -> Listener:
        try:
            return look_up_listener(self._listener, user_id, request, self._fits, options.country)
        except OnlineUnavailable as error:
            return unknown_listener(user_id, options.country, error)

    def _choose_strategy(self, listener: Listener, options: RequestOptions) -> tuple[Strategy, np.ndarray]:
        """Choose the strategy; also return the catalogue places of the listener's picks."""
        pick_ids = (tuple(options.pick_tracks), tuple(options.pick_artists), tuple(options.pick_genres))
        picks = picked_places(self.catalogue, *pick_ids)
        chosen = self.STRATEGY or options.strategy
        if chosen is not None:
            return chosen, picks
        if len(picks) or not listener.known:
            return "cold_start", picks
        if not self._rankers:  # too few listeners to train them
            return "cold_start", picks
        return ("real_time" if listener.session or listener.taste is None else "hybrid"), picks

    def _find_candidates(
        self,
        listener: Listener,
        strategy: Strategy,
        options: RequestOptions,
        excluded: np.ndarray,
        picks: np.ndarray,
        count: int,
        share: float = 1.0,
    ) -> tuple[Pool, bool, list[str]]:
        """Retrieve unheard candidates that may be played, more of them where the filters leave too few.

        Returns:
            The candidates, whether all that the listener ever heard was left out, and notes.
        """
        sources, picks_used = SOURCES_OF[strategy], picks if strategy == "cold_start" else None
        at_least, checked, notes, ask = count, np.empty(0, np.int64), list[str](), listener.reachable
        while True:
            pool = retrieve(
                self.catalogue, listener, sources, excluded, picks=picks_used, at_least=at_least, share=share
            )
            permitted = self._rights.allowed(pool, country=listener.country, explicit=options.explicit, ask=ask)
            allowed, ask = permitted.pool, ask and permitted.answered
            unchecked = allowed.places[~is_among(allowed.places, checked)]
            heard, heard_note = self._heard_among(listener, unchecked)
            notes = [note for note in (permitted.note, heard_note) if note]
            checked = np.sort(np.concatenate([checked, unchecked]))
            if len(heard):
                excluded = np.union1d(excluded, heard)
                allowed = allowed.keep(~is_among(allowed.places, heard))
            if heard_note or len(allowed) >= count or at_least >= len(self.catalogue):
                break
            if len(checked) >= MAX_LOOKUPS:
                notes.append(
                    f"the best {len(checked):,} tracks were looked up, of which {len(allowed):,} were never heard"
                )
                break
            at_least = min(4 * at_least, len(self.catalogue))
        is_complete = listener.reachable and not heard_note
        if not len(allowed) and strategy in ("collaborative", "content"):  # the strategy has no data on the listener
            allowed, is_complete, more = self._find_candidates(
                listener, "cold_start", options, excluded, picks, count, share
            )
            notes += [*more, f"{strategy} knows nothing of this listener: popular tracks"] if len(allowed) else more
        elif not len(allowed) and len(checked) < MAX_LOOKUPS:
            notes.append("nothing is left: every track was heard, excluded or may not be played here")
        return allowed, is_complete, notes

    def _heard_among(self, listener: Listener, places: np.ndarray) -> tuple[np.ndarray, str | None]:
        """List the places that the listener has heard; if that cannot be looked up, none and a note."""
        nothing = np.empty(0, np.int64)
        if not listener.reachable:
            return nothing, None
        try:
            heard = self._heard.among(listener.user_id, places, listener.witness)
        except OnlineUnavailable:
            return nothing, HEARD_UNCHECKED
        return (nothing, NOT_ONLINE) if heard is None else (heard, None)

    def _rank(
        self, listener: Listener, strategy: Strategy, pool: Pool, picks: np.ndarray, request: Mapping[str, Any]
    ) -> Ranking:
        if strategy in ("hybrid", "real_time"):
            return self._rank_by_features(listener, strategy, pool, picks, request)
        if strategy == "collaborative" and listener.taste is not None:
            taste = self.catalogue.vectors("taste", pool.places) @ listener.taste
            scores = blended({"taste": taste, "similar": np.log1p(pool.similar)}, self._weights["collaborative"])
            return Ranking(scores, _best_first(scores))
        if strategy == "content":
            profile = content_profile(self.catalogue, listener)
            if profile is not None:
                scores = self.catalogue.vectors("content", pool.places) @ profile
                return Ranking(scores, _best_first(scores))
        return self._blend(listener, pool, picks, None)

    def _rank_by_features(
        self, listener: Listener, strategy: Strategy, pool: Pool, picks: np.ndarray, request: Mapping[str, Any]
    ) -> Ranking:
        """Rank by the ranker of the strategy; by simpler orders where there is none, or it lost to popularity."""
        ranker = self._rankers.get(strategy)
        if ranker is None:
            return self._blend(listener, pool, picks, NO_RANKER)
        if not listener.reachable:
            return self._blend(listener, pool, picks, None)
        if self._lost_to_popularity:
            return Ranking(None, _best_first(self.catalogue.segments.of_all[pool.places]), None, LOST_TO_POPULARITY)
        try:
            scores, rows = ranker.rank(listener, pool, self.catalogue, self._platform, request)
        except OnlineUnavailable:
            note = "the online store does not answer: ordered without features"
            return self._blend(listener, pool, picks, note)
        service = ranker.features.service
        plays = rows.columns["user_artist_affinity__plays_28d"]
        return Ranking(scores, _best_first(scores), plays, None, {service.name: service.fingerprint})

    def _blend(self, listener: Listener, pool: Pool, picks: np.ndarray, note: str | None) -> Ranking:
        """Rank by tracks played with picks and history, by similar content, and by popularity in the segments."""
        segment_shares = self.catalogue.segments.shares(listener.segments)[pool.places]
        seeds = np.concatenate([picks, self.catalogue.places(listener.history)])[:MOST_ASKED]
        if not len(seeds):
            return Ranking(None, _best_first(segment_shares), None, note)
        profile = content_profile(self.catalogue, listener, seeds)
        content = np.full(len(pool), np.nan)
        if profile is not None:
            content = self.catalogue.vectors("content", pool.places) @ profile
        scores = blended(evidence(pool.similar, content, segment_shares), self._weights["cold_start"])
        return Ranking(scores, _best_first(scores), None, note)

    def _diversify(
        self, listener: Listener, pool: Pool, ranking: Ranking, options: RequestOptions, count: int
    ) -> np.ndarray:
        """Order the rows of all candidates as they would be shown: diversified, with few tracks by each artist."""
        order = ranking.order
        if options.diversify is not None:
            scores = -np.argsort(order).astype(float) if ranking.scores is None else ranking.scores
            top = order[: diversity_of.RERANK_DEPTH * count]
            if options.diversify == "mmr":
                vectors = self.catalogue.vectors("content", pool.places[top])
                if not vectors.any():
                    vectors = self.catalogue.vectors("taste", pool.places[top])
                top = diversity_of.mmr(top, scores, vectors, count, options.diversity)
            else:
                history_genres = [
                    self.catalogue.genres[place] for place in self.catalogue.places(listener.history).tolist()
                ]
                top_genres = [self.catalogue.genres[place] for place in pool.places[top].tolist()]
                target_shares = diversity_of.genre_shares(history_genres)
                top = diversity_of.calibrated(top, scores, top_genres, target_shares, count, options.diversity)
            order = np.concatenate([top, order[diversity_of.RERANK_DEPTH * count :]])
        max_per_artist = options.most_by_artist or max(-(-count // 3), 2)
        return diversity_of.limit_per_artist(order, self.catalogue.artists[pool.places], count, max_per_artist)

    def _fill_slots(self, pool: Pool, ranking: Ranking, rows: np.ndarray, options: RequestOptions) -> Slots:
        others = ranking.order[~np.isin(ranking.order, rows)]
        liked, disliked = self.catalogue.liked[pool.places], self.catalogue.disliked[pool.places]
        return explore(rows, others, liked, disliked, options.explore, np.random.default_rng(options.seed))

    def _extra_notes(self, listener: Listener, strategy: Strategy, already_noted: bool) -> list[str]:
        """List notes on an unknown listener (unless ``already_noted``) and on the age of the model."""
        notes = []
        if not listener.known and not already_noted:
            basis = "what they picked, or what is popular" if strategy == "cold_start" else "popular tracks"
            notes.append(f"no taste is known of this listener: {basis}")
        older = (listener.fresh_at - self._cutoff) / 86_400
        if older > STALE_DAYS:
            notes.append(f"the model knows nothing of the last {older:.0f} days; run: refrain model run recommendation")
        return notes

    def _build_answer(
        self,
        listener: Listener,
        strategy: Strategy,
        items: list[Recommendation],
        notes: list[str],
        services: dict[str, str],
        at: float,
    ) -> Answer:
        listener_service = self._listener.service
        answer = Answer(
            listener.user_id,
            listener.known,
            self.bundle.name_version,
            items,
            "; ".join(dict.fromkeys(notes)) or None,
            strategy,
            {listener_service.name: listener_service.fingerprint, **services},
            uuid.uuid4().hex,
            at,
        )
        if self._log is not None and answer.user_id and self._log.wants():
            self._log.add(answer)
        return answer


def _budget_note(budget: Budget, *, ranked: bool) -> str:
    """Say what a busy service leaves out; ``ranked`` is whether the strategy has a ranker."""
    parts = ["neither diversified nor explored"] * (not budget.diversify)
    parts += [f"{budget.candidates:.0%} of the candidates"] * (budget.candidates < 1)
    parts += ["ordered without features"] * (ranked and not budget.features)
    return f"the service is busy: {', '.join(parts)}"


def _best_first(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")
