"""Feedback of a listener: clicks, likes, subscriptions and revenue."""

from feature_repo.definitions.events.feedback import feedback
from feature_repo.windows import CountIf, Mean, Sum, WindowedTable, column

user_feedback = WindowedTable(
    name="user_feedback",
    about="Clicks, likes, dislikes, subscriptions, cancellations, mean rating and revenue (cents) of one listener",
    source=feedback,
    keys=("user_id",),
    windows=("1d", "7d", "28d"),
    features={
        "clicks": CountIf(where=column("action") == "click"),
        "likes": CountIf(where=column("action") == "like"),
        "dislikes": CountIf(where=column("action").is_in(("dislike", "hide"))),
        "subscriptions": CountIf(where=column("action") == "subscribe"),
        "cancellations": CountIf(where=column("action") == "cancel"),
        "rating": Mean("rating"),
        "revenue_cents": Sum("amount_cents"),
    },
)
