"""Actions of listeners on recommended tracks."""

import dataframely as dy
import polars as pl

from feature_repo.definitions.events.feedback import ACTIONS, feedback
from transforms.raw.table import RawTable, Timed, key_column


class Feedback(Timed):
    """One row per action; ``track_id`` is ``NO_TRACK`` for an action without a track, such as a subscription."""

    user_id = key_column()
    track_id = key_column()
    action = key_column()
    answer_id = dy.String(nullable=True)
    rating = dy.Int64(nullable=True, min=feedback.ranges["rating"][0], max=feedback.ranges["rating"][1])
    amount_cents = dy.Int64(
        nullable=True, min=feedback.ranges["amount_cents"][0], max=feedback.ranges["amount_cents"][1]
    )

    @dy.rule()
    def unknown_action(cls) -> pl.Expr:
        """The action is one of ``ACTIONS``."""
        return pl.col("action").is_in(ACTIONS)


FEEDBACK = RawTable(
    "feedback",
    Feedback,
    key=("user_id", "track_id", "action", "event_timestamp"),
    personal=("rating", "amount_cents"),
    retention="1825d",
)
