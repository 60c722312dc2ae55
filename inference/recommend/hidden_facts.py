"""Which facts of a reason repeat which features: a caller who does not see a feature does not get its facts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inference.recommend.rank import ARTIST_PLAYS
from inference.recommend.reasons import Facts

TITLE, ARTIST_ID, ARTIST_NAME = (
    "track_catalogue__title",
    "track_catalogue__artist_id",
    "track_catalogue__artist_name",
)
HEARD = frozenset(
    {
        "user_history__track_ids",
        "user_session__last_tracks_1d",
        "user_track_history__plays",
        "user_own_listening__track_ids",
    }
)
"""Features that say what a listener has heard."""

_UNKNOWN: Mapping[str, Any] = {
    "artist_name": None,
    "artist_plays": None,
    "follows": None,
    "similar": None,
    "content_match": 0.0,
    "taste_match": 0.0,
    "among": None,
    "unheard": False,
}
_REPEATS: Mapping[str, frozenset[str]] = {
    "artist_name": frozenset({ARTIST_NAME}),
    "artist_plays": frozenset({ARTIST_PLAYS}),
    "follows": HEARD | {TITLE},
    "similar": HEARD | {TITLE},
    "content_match": HEARD | {"user_content__vector"},
    "taste_match": frozenset({"user_taste__vector"}),
    "among": frozenset({"user_profile__country", "user_profile__birth_year"}),
    "unheard": HEARD,
}
REPEATED = frozenset({ARTIST_ID}).union(*_REPEATS.values())
"""Features that recommendations repeat, in reasons and beside tracks."""


def without_hidden(facts: Facts, hidden: frozenset[str]) -> Facts:
    """Return the facts that repeat no hidden feature.

    >>> facts = Facts("popular", artist_name="Kalomi", artist_plays=14, among="SE")
    >>> without_hidden(facts, frozenset({"user_profile__country"})).among is None
    True
    """
    if not hidden:
        return facts
    return replace(facts, **{name: _UNKNOWN[name] for name, features in _REPEATS.items() if features & hidden})
