"""Services of texts and tags."""

from feature_repo.service import service

SERVICES = (
    service(
        "track_identity_v1",
        "Which recording and song a track is, under whatever spelling",
        "track_identity",
    ),
    service(
        "track_text_v1",
        "What is written about a track",
        "track_text",
        purpose="service",
    ),
    service(
        "artist_text_v1",
        "What is written about an artist and all their tracks",
        "artist_text",
        purpose="service",
    ),
    service(
        "metadata_tags_v1",
        "What the tagger reads: where the writing about an artist lies",
        "artist_text: vector topics fit",
        predicts="tags",
        purpose="service",
    ),
)
