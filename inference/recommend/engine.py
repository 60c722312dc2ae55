"""Recommends tracks to one listener: retrieve, filter, rank, diversify, explore, and give reasons."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Unpack

import numpy as np

from feature_repo import clock
from feature_repo.access.sight import REASON
from feature_repo.bundle import Bundle
from feature_repo.errors import AccessError, BundleError, InputError, OnlineUnavailable
from feature_repo.home import Home
from inference.features import OnlineFeatures
from inference.models import load_bundle
from inference.recommend.again import SERVICE as OWN_SERVICE
from inference.recommend.again import HearAgain
from inference.recommend.answer import Answer, Recommendation
from inference.recommend.candidates import Candidates, CandidateSearch, Wanted
from inference.recommend.catalogue import Catalogue
from inference.recommend.controller import Budget
from inference.recommend.counterfactual import explain_first
from inference.recommend.explain import Explainer, Ranking
from inference.recommend.explore import Slots, explore
from inference.recommend.filter import excluded_places
from inference.recommend.heard import SERVICE, Heard
from inference.recommend.hidden_facts import HEARD
from inference.recommend.impressions import ImpressionLog
from inference.recommend.known_rights import KnownRights, max_staleness_s
from inference.recommend.listener import STALE_DAYS, Listener, look_up_listener, picked_places, unknown_listener
from inference.recommend.ordering import Ordering
from inference.recommend.request import RecommendationOptions, RequestOptions, Strategy
from inference.recommend.rerank import rerank
from inference.recommend.rights import Rights
from inference.recommend.titles import TitleLookup
from transforms.pure.candidates.pool import Pool

MAX_COUNT = 1_000
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
        self._fits = {kind: int(extra[f"{kind}_fit"]) for kind in ("taste", "content") if f"{kind}_fit" in extra}
        self._cutoff = datetime.fromisoformat(bundle.manifest["cutoff"]).timestamp()
        self._ordering = Ordering(bundle, self.catalogue, home)
        self._listener = OnlineFeatures("listener_v1", home)
        titles = TitleLookup(OnlineFeatures("track_display_v1", home), self.catalogue)
        self._explainer = Explainer(self.catalogue, titles, self._cutoff)
        self._heard = Heard(OnlineFeatures(SERVICE, home), self.catalogue)
        self._rights = Rights(
            OnlineFeatures("track_rights_v1", home),
            self.catalogue.track_ids,
            unlisted=self.catalogue.not_in_catalogue,
            max_staleness_s=max_staleness_s(),
        )
        KnownRights.of(home).add(self._rights)
        self._search = CandidateSearch(self.catalogue, self._rights, self._heard)
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
        hidden: frozenset[str] = frozenset(),
        **option_values: Unpack[RecommendationOptions],
    ) -> Answer:
        """Recommend the best tracks that the listener has not heard.

        Args:
            user_id: identifier of the listener. An unknown listener gets what similar people play, or tracks that go
                with the picks in the options.
            context: request fields ``device``, ``context`` and ``request_timestamp`` (seconds since 1970 UTC).
            count: number of tracks, 1 to 1,000. Fewer are returned only if there are no more tracks.
            budget: limits on the cost of the answer. The answer's note says which steps were skipped.
            hidden: features that the answer must not repeat, as the role of the caller does not see them: reasons and
                titles are made without them.
            option_values: fields of ``RequestOptions``.

        Raises:
            AccessError: tracks that the listener has heard are asked for, and hidden.
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
            if hidden & HEARD:
                raise AccessError(
                    expected=f"a role that sees what listeners have heard, for the strategy {strategy}",
                    found="one that does not",
                    next_command=REASON,
                )
            is_forgotten = strategy == "forgotten"
            items, more = self._again.recommend(listener, count, options, moment, forgotten=is_forgotten, hidden=hidden)
            return self._build_answer(listener, strategy, items, [*notes, *more], {}, at)
        if not budget.diversify:
            options = replace(options, diversify=None, explore=0.0)
        busy = [] if budget == Budget() else [_budget_note(budget, ranked=strategy in self._ordering.rankers)]
        wanted = Wanted(strategy, options, self._excluded(listener, options), picks, count, share=budget.candidates)
        prepare = self._ordering.preparation(listener, strategy, request) if budget.features else None
        candidates = self._search.find(listener, wanted, prepare)
        pool = candidates.pool
        notes += candidates.notes
        if not len(pool):
            if listener.known:
                notes.append("what is worth hearing again: strategy again, or forgotten")
            return self._build_answer(listener, strategy, [], [*notes, *busy], {}, at)
        is_ranked = budget.features or strategy not in self._ordering.rankers

        def order(listener: Listener, candidates: Candidates, picks: np.ndarray) -> Ranking:
            if is_ranked:
                return self._ordering.rank(listener, strategy, candidates, picks, request)
            return self._ordering.blend(listener, candidates.pool, picks)

        def ask_again(listener: Listener, picks: np.ndarray) -> int | None:
            others = self._search.find(listener, replace(wanted, picks=picks), prepare)
            return int(others.pool.places[order(listener, others, picks).order[0]]) if len(others.pool) else None

        ranking = order(listener, candidates, picks)
        notes += [ranking.note] if ranking.note else []
        rows = self._diversify(listener, pool, ranking, options, count)
        slots = self._fill_slots(pool, ranking, rows, options)
        picked = picks if strategy == "cold_start" else None
        items = self._explainer.items(
            listener, pool, ranking, slots, picked, unheard=candidates.unheard, now=moment, hidden=hidden
        )
        notes += [*self._extra_notes(listener, strategy, bool(notes)), *busy]
        answer = self._build_answer(listener, strategy, items, notes, dict(ranking.services or {}), at)
        if not options.explain or not budget.diversify or hidden:
            return answer
        reason = explain_first(listener, picks, pool, ranking, self.catalogue, self._explainer, ask_again)
        return replace(answer, counterfactual=reason)

    @property
    def listener_lookup(self) -> OnlineFeatures:
        """The lookup of the features of listeners."""
        return self._listener

    def history(self, user_id: str, count: int = 10) -> list[Recommendation]:
        """List the listener's last distinct tracks, newest first.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        track_ids = (self._listener.get({"user_id": [user_id]}).values["user_history__track_ids"][0] or [])[:count]
        shown = self._explainer.titles.of(track_ids)
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
        self._ordering.check_golden()
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
        if not self._ordering.rankers:  # too few listeners to train them
            return "cold_start", picks
        return ("real_time" if listener.session or listener.taste is None else "hybrid"), picks

    def _excluded(self, listener: Listener, options: RequestOptions) -> np.ndarray:
        """List the places of tracks that must not be candidates, as far as that is known without further lookups."""
        tracks = [*options.exclude_tracks, *options.pick_tracks]
        excluded = excluded_places(
            self.catalogue, listener.history_places(self.catalogue), tracks, options.exclude_artists
        )
        if self._ordering.rankers or not listener.reachable:
            return excluded
        return np.union1d(excluded, self._again.heard_places(listener))

    def _diversify(
        self, listener: Listener, pool: Pool, ranking: Ranking, options: RequestOptions, count: int
    ) -> np.ndarray:
        """Order the rows of all candidates as they would be shown; see ``rerank``."""
        history = listener.history_places(self.catalogue)
        return rerank(self.catalogue, pool, ranking, history, options, count)

    def _fill_slots(self, pool: Pool, ranking: Ranking, rows: np.ndarray, options: RequestOptions) -> Slots:
        if not options.explore:
            return Slots.ranked(rows)
        is_ranked = np.zeros(len(pool), bool)
        is_ranked[rows] = True
        others = ranking.order[~is_ranked[ranking.order]]
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
            listener.user_id if listener.withheld_from is None else listener.withheld_from,
            listener.known,
            self.bundle.name_version,
            items,
            "; ".join(dict.fromkeys(notes)) or None,
            strategy,
            {listener_service.name: listener_service.fingerprint, **services},
            uuid.uuid4().hex,
            at,
            consented=listener.withheld_from is None,
        )
        if self._log is not None and listener.user_id and self._log.wants():
            self._log.add(answer)
        return answer


def _budget_note(budget: Budget, *, ranked: bool) -> str:
    """Say what a busy service leaves out; ``ranked`` is whether the strategy has a ranker."""
    parts = ["neither diversified nor explored"] * (not budget.diversify)
    parts += [f"{budget.candidates:.0%} of the candidates"] * (budget.candidates < 1)
    parts += ["ordered without features"] * (ranked and not budget.features)
    return f"the service is busy: {', '.join(parts)}"
