"""Feedback of listeners on recommendations, and purchases."""

from feature_repo.windows import EventSource

feedback = EventSource(
    "feedback",
    columns={
        "user_id": "String",
        "track_id": "String",
        "action": "String",
        "answer_id": "String",
        "rating": "Int64",
        "amount_cents": "Int64",
    },
    key=("user_id", "track_id", "action"),
    ranges={"rating": (1, 5), "amount_cents": (0, 100_000_000)},
)
"""Feedback of a listener, one of ``ACTIONS``. ``answer_id`` identifies the recommendation; ``track_id`` is ``NO_TRACK``
if the action is not about a track."""

NO_TRACK = "-"

ACTIONS = ("click", "like", "dislike", "hide", "rate", "subscribe", "cancel", "purchase", "unlike", "undislike")
