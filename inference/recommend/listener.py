"""The listener of a request: their online features, and the tastes they state themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from feature_repo.errors import StoreError
from inference.features import OnlineFeatures, OnlineRows
from inference.recommend.catalogue import Catalogue
from transforms.pure.candidates.cold import segments

SESSION_SECONDS = 86_400.0
STALE_DAYS = 28.0
CLOCK_SECONDS = 60.0
"""Seconds by which the clock of a player may be ahead."""


@dataclass(frozen=True)
class Listener:
    """One listener at the moment of the request.

    Attributes:
        user_id: identifier of the listener.
        taste: (d,) collaborative-filtering vector; None if there is none from the fit of the model.
        content: (d,) content vector; None if there is none from the fit of the model.
        history: identifiers of distinct tracks heard, newest first, including those of the session.
        session: identifiers of the last plays within a day, newest first.
        segments: names of the listener's segments, the widest first.
        country: country of the listener; None if unknown.
        notes: messages on why the answer is less personal than it could be.
        fresh_at: event time of the listener's newest feature, in seconds since 1970 UTC; NaN if there is none.
        reachable: whether the online store answered. If not, this request does not ask it again.
        witness: a track that the listener has surely heard, by ``user_history``; None if there is none.
        rows: the features that were looked up; None if there are none.
        withheld_from: identifier in the request of a listener who has not consented, in place of ``user_id``: nothing
            of them is looked up. None of all others.
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
    witness: str | None = None
    rows: OnlineRows | None = field(default=None, repr=False, compare=False)
    withheld_from: str | None = None
    _places: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def known(self) -> bool:
        """Whether a taste vector or a history of the listener is known."""
        return self.taste is not None or bool(self.history)

    def history_places(self, catalogue: Catalogue) -> np.ndarray:
        """Return the places of the history in the catalogue of the model that answers; found once."""
        return self._found_once("history", catalogue, self.history)

    def session_places(self, catalogue: Catalogue) -> np.ndarray:
        """Return the places of the session in the catalogue of the model that answers; found once."""
        return self._found_once("session", catalogue, self.session)

    def _found_once(self, name: str, catalogue: Catalogue, tracks: tuple[str, ...]) -> np.ndarray:
        if name not in self._places:
            self._places[name] = catalogue.places(tracks)
        return self._places[name]


def look_up_listener(
    features: OnlineFeatures, user_id: str, request: Mapping[str, Any], fits: Mapping[str, int], country: str | None
) -> Listener:
    """Look a listener up in the online store; one who has not consented is a listener of whom nothing is known.

    Args:
        features: lookup of the feature service ``listener_v1``.
        user_id: identifier of the listener.
        request: request fields such as the moment. Plays within a day before it belong to the session.
        fits: ``taste`` and ``content`` → number of the model's fit; empty for a model without vectors of listeners.
            Vectors of another fit are ignored.
        country: current country of the listener; the country of the profile if None.

    Raises:
        OnlineUnavailable: the online store does not answer.
    """
    rows = features.get({"user_id": [user_id]}, request)
    if rows.denied is not None:
        note = f"no consent to {features.service.purpose}: nothing personal is in this answer"
        return replace(unknown_listener("", country), notes=(note,), withheld_from=user_id)
    values = rows.values
    vectors, notes = {}, []
    for kind in ("taste", "content"):
        vector, fit = values[f"user_{kind}__vector"][0], values[f"user_{kind}__fit"][0]
        if vector is not None and fit != fits.get(kind):
            vector = None
            if kind == "taste" and kind in fits:
                notes.append("the vectors online are not this model's; run: refrain materialize")
        vectors[kind] = None if vector is None else np.asarray(vector, np.float32)
    now = float(request.get("request_timestamp") or rows.looked_up_at)
    plays = values["user_session__last_tracks_1d"][0] or []
    times = values["user_session__last_tracks_times_1d"][0]
    session = tuple(_recent_plays(plays, [] if times is None else list(times), now))
    history_tracks = values["user_history__track_ids"][0] or []
    current_country = country or values["user_profile__country"][0]
    segment_names = segments(current_country, values["user_profile__birth_year"][0])
    event_times = [times[0] for times in rows.event_times.values() if times[0] == times[0]]
    history = tuple(dict.fromkeys([*session, *history_tracks]))
    return Listener(
        user_id,
        vectors["taste"],
        vectors["content"],
        history,
        session,
        segment_names,
        current_country,
        tuple(notes),
        max(event_times, default=float("nan")),
        witness=history_tracks[0] if history_tracks else None,
        rows=rows,
    )


def unknown_listener(user_id: str, country: str | None, error: StoreError | None = None) -> Listener:
    """Make a listener without features: nothing was looked up, or the online store does not answer."""
    notes = () if error is None else ("the online store does not answer, so that nothing is known of the listener",)
    segment_names = segments(country, None)
    return Listener(user_id, None, None, (), (), segment_names, country, notes, float("nan"), reachable=error is None)


def _recent_plays(plays: list[str], times: list[Any], now: float) -> list[str]:
    """List the plays within a day before now, newest first; all plays if their times are unknown."""
    if len(times) != len(plays):
        return list(plays)
    seconds = (float(at) / 1e6 for at in times)
    is_recent = (now - SESSION_SECONDS <= at <= now + CLOCK_SECONDS for at in seconds)
    return [track for track, recent in zip(plays, is_recent, strict=True) if recent]


def picked_places(
    catalogue: Catalogue, tracks: tuple[str, ...], artists: tuple[str, ...], genres: tuple[str, ...]
) -> np.ndarray:
    """List the places of a new listener's picks: tracks, then the most played tracks of picked artists and genres."""
    if not (tracks or artists or genres):
        return np.empty(0, np.int64)
    groups = [catalogue.places(tracks)]
    for places in (catalogue.of_artists(artists), catalogue.of_genres(genres)):
        if len(places):
            top = np.argsort(-(catalogue.liked[places]), kind="stable")[:20]
            groups.append(places[top])
    chosen = np.concatenate(groups)
    return chosen[np.sort(np.unique(chosen, return_index=True)[1])]
