"""Recommendations for one listener: retrieve, filter, rank, and tell why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.home import Home
from inference.features import OnlineFeatures
from inference.models import load_bundle
from inference.recommend import filter as filters
from inference.recommend.rank import Ranker
from inference.recommend.reasons import first_known, most_alike, reason
from inference.recommend.retrieve import Candidates, Retriever

HISTORY_FOR_REASONS = 50


@dataclass(frozen=True)
class Recommendation:
    """One recommended track.

    Attributes:
        score: of the ranker; comparable within one answer only. None where popularity alone answered.
    """

    track_id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    score: float | None
    source: str
    reason: str


@dataclass(frozen=True)
class Answer:
    """What one listener gets.

    Attributes:
        user_id: who asked.
        known: whether their taste is known; else popularity alone answered.
        model: name and version of the model.
        items: best first.
        note: what kept the answer from being personal; None if nothing did.
    """

    user_id: str
    known: bool
    model: str
    items: list[Recommendation]
    note: str | None


class RecommendationEngine:
    """Answers from one bundle and the features online. Safe to share between threads.

    >>> engine = RecommendationEngine.load("recommendation")                      # doctest: +SKIP
    >>> engine.recommend("u000042", {"device": "phone"}, count=10)                # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle, home: Home) -> None:
        """Load everything the bundle holds; connect to Redis on the first question."""
        self.bundle = bundle
        self._platform = home.tenant
        self._fit = int(bundle.manifest["extra"]["fit"])
        self._retriever = Retriever(bundle)
        self._ranker = Ranker(bundle, OnlineFeatures(bundle.manifest["feature_service"], home))
        self._listener = OnlineFeatures("listener_v1", home)
        self._display = OnlineFeatures("track_display_v1", home)

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
        exclude_tracks: Collection[str] = (),
        exclude_artists: Collection[str] = (),
    ) -> Answer:
        """The best tracks that the listener has not heard.

        Args:
            user_id: who asks; somebody unknown gets what is popular.
            context: of the request: ``device``, ``context``, ``request_timestamp`` (seconds since 1970 UTC).
            count: how many; fewer come back only if there are no more tracks.
            exclude_tracks: not these.
            exclude_artists: nothing by these.

        Raises:
            StoreError: the online store does not answer.
        """
        request = dict(context or {})
        listener = self._listener.get({"user_id": [user_id]}, request).values
        vector, note = self._vector(listener)
        seen = listener["user_history__track_ids"][0] or []
        wanted = count + len(exclude_tracks) + (len(self._retriever.track_ids) if exclude_artists else 0)
        found = self._retriever.retrieve(vector, seen, wanted)
        candidates = filters.leave_out(found, self._retriever, tracks={*seen, *exclude_tracks}, artists=exclude_artists)
        if not len(candidates.places):
            note = "nothing is left: every track was heard or excluded"
            return Answer(user_id, vector is not None, self.bundle.name_version, [], note)
        artist_plays: list[Any]
        if vector is None:
            chosen, scores = np.arange(len(candidates.places))[:count], None
            artist_plays = [None] * len(chosen)
        else:
            order, scores, rows = self._ranker.rank(user_id, candidates, self._retriever, self._platform, request)
            chosen = order[:count]
            plays = rows.values["user_artist_affinity__plays_28d"]
            artist_plays = [plays[place] for place in chosen]
        items = self._explain(candidates.keep(chosen), scores, chosen, artist_plays, seen)
        return Answer(user_id, vector is not None, self.bundle.name_version, items, note)

    def history(self, user_id: str, count: int = 10) -> list[Recommendation]:
        """The listener's last distinct tracks, newest first."""
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

    def _vector(self, listener: Mapping[str, list[Any]]) -> tuple[np.ndarray | None, str | None]:
        vector, fit = listener["user_taste__vector"][0], listener["user_taste__fit"][0]
        if vector is None:
            return None, "no taste is known of this listener: popular tracks"
        if fit != self._fit:
            return None, "the vectors online are not this model's; run: python -m feature_repo materialize"
        return np.asarray(vector, np.float32), None

    def _shown(self, tracks: list[str]) -> tuple[list[str], list[str | None], list[str | None]]:
        if not tracks:
            return [], [], []
        values = self._display.get({"track_id": tracks}).values
        return (
            first_known(values["track_catalogue__title"], tracks),
            values["track_catalogue__artist_id"],
            values["track_catalogue__artist_name"],
        )

    def _explain(
        self,
        picked: Candidates,
        scores: np.ndarray | None,
        chosen: np.ndarray,
        artist_plays: list[Any],
        seen: list[str],
    ) -> list[Recommendation]:
        retriever = self._retriever
        tracks = [retriever.track_ids[place] for place in picked.places]
        recent = [track for track in seen[:HISTORY_FOR_REASONS] if track in retriever.place]
        titles, artists, names = self._shown([*tracks, *recent])
        alike = np.zeros(len(tracks), np.int64)
        cosine = np.zeros(len(tracks))
        if recent and tracks:
            history = np.array([retriever.place[track] for track in recent])
            alike, cosine = most_alike(retriever.vectors(picked.places), retriever.vectors(history))
        return [
            Recommendation(
                track_id=track,
                title=titles[row],
                artist_id=artists[row],
                artist_name=names[row],
                score=None if scores is None else float(scores[chosen[row]]),
                source=str(picked.source[row]),
                reason=reason(
                    source=str(picked.source[row]),
                    artist_name=names[row],
                    artist_plays=artist_plays[row],
                    similarity=float(cosine[row]),
                    similar_title=titles[len(tracks) + alike[row]] if recent else None,
                    popular_rank=retriever.popular_rank(int(picked.places[row])),
                ),
            )
            for row, track in enumerate(tracks)
        ]
