"""Who asks: what is known of them online, and what they say themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.errors import StoreError
from inference.features import OnlineFeatures
from inference.recommend.catalogue import Catalogue
from transforms.pure.candidates.cold import segments

SESSION_SECONDS = 86_400.0
STALE_DAYS = 28.0
CLOCK_SECONDS = 60.0
"""By which the clocks of players may be ahead."""


@dataclass(frozen=True)
class Listener:
    """One listener at the moment of the question.

    Attributes:
        user_id: who.
        taste: (d,) collaborative-filtering vector; None if there is none of the model's fit.
        content: (d,) content vector; likewise.
        history: identifiers of distinct tracks heard, newest first, those of the session included.
        session: identifiers of the last plays within a day, newest first.
        segments: which groups they belong to, the widest first.
        country: theirs; None for unknown.
        notes: what kept the answer from being as personal as it might.
        fresh_at: seconds since 1970 UTC of the newest feature of theirs; NaN for none.
        reachable: whether the online store answered; it is not asked again for this request if not.
    """

    user_id: str
    taste: np.ndarray | None
    content: np.ndarray | None
    history: tuple[str, ...]
    session: tuple[str, ...]
    segments: tuple[str, ...]
    country: str | None
    notes: tuple[str, ...]
    fresh_at: float
    reachable: bool = True

    @property
    def known(self) -> bool:
        """Whether anything that they heard is known."""
        return self.taste is not None or bool(self.history)


def look_up(
    features: OnlineFeatures, user_id: str, request: Mapping[str, Any], fits: Mapping[str, int], country: str | None
) -> Listener:
    """Ask the online store.

    Args:
        features: of ``listener_v1``.
        user_id: who.
        request: when and where; a play counts for the session if it came within a day before.
        fits: the model's, of ``taste`` and ``content``.
        country: where they are now; what they once told if None.

    Raises:
        OnlineUnavailable: it does not answer.
    """
    rows = features.get({"user_id": [user_id]}, request)
    values = rows.values
    vectors, notes = {}, []
    for kind in ("taste", "content"):
        vector, fit = values[f"user_{kind}__vector"][0], values[f"user_{kind}__fit"][0]
        if vector is not None and fit != fits[kind]:
            vector = None
            if kind == "taste":
                notes.append("the vectors online are not this model's; run: python -m feature_repo materialize")
        vectors[kind] = None if vector is None else np.asarray(vector, np.float32)
    now = float(request.get("request_timestamp") or rows.looked_up_at)
    plays = values["user_session__last_tracks_1d"][0] or []
    times = values["user_session__last_tracks_times_1d"][0]
    session = tuple(_recent(plays, [] if times is None else list(times), now))
    heard = values["user_history__track_ids"][0] or []
    where = country or values["user_profile__country"][0]
    told = segments(where, values["user_profile__birth_year"][0])
    newest = [times[0] for times in rows.event_times.values() if times[0] == times[0]]
    history = tuple(dict.fromkeys([*session, *heard]))
    return Listener(
        user_id,
        vectors["taste"],
        vectors["content"],
        history,
        session,
        told,
        where,
        tuple(notes),
        max(newest, default=float("nan")),
    )


def stranger(user_id: str, country: str | None, error: StoreError | None = None) -> Listener:
    """Somebody of whom nothing can be looked up."""
    notes = () if error is None else (f"the online store does not answer, so that nothing is known: {error.found}",)
    told = segments(country, None)
    return Listener(user_id, None, None, (), (), told, country, notes, float("nan"), reachable=error is None)


def _recent(plays: list[str], times: list[Any], now: float) -> list[str]:
    """Plays within a day before now, newest first; all of them where their times are not known."""
    if len(times) != len(plays):
        return list(plays)
    seconds = (float(at) / 1e6 for at in times)
    lately = (now - SESSION_SECONDS <= at <= now + CLOCK_SECONDS for at in seconds)
    return [track for track, recent in zip(plays, lately, strict=True) if recent]


def picked(
    catalogue: Catalogue, tracks: tuple[str, ...], artists: tuple[str, ...], genres: tuple[str, ...]
) -> np.ndarray:
    """Places of what somebody new says they like: tracks, then the best-known ones of artists and genres."""
    found = [catalogue.places(tracks)]
    for places in (catalogue.of_artists(artists), catalogue.of_genres(genres)):
        if len(places):
            best = np.argsort(-(catalogue.liked[places]), kind="stable")[:20]
            found.append(places[best])
    joined = np.concatenate(found)
    return joined[np.sort(np.unique(joined, return_index=True)[1])]
