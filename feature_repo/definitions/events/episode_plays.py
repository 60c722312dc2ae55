"""Plays of podcast episodes and of chapters of audiobooks, which are no music."""

from feature_repo.windows import EventSource

episode_plays = EventSource(
    "episode_plays",
    columns={
        "user_id": "String",
        "episode_id": "String",
        "kind": "String",  # episode | chapter
        "title": "String",
        "show": "String",  # the podcast, or the book
        "ms_played": "Int64",
        "device": "String",
        "reported_by": "String",
        "precision_s": "Int64",
    },
    key=("user_id", "episode_id"),
    ranges={"ms_played": (0, 86_400_000), "precision_s": (1, 86_400)},
    personal=("device",),
    retention="1825d",
)
