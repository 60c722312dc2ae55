"""Text features of tracks and artists, from writing about them and from lyrics."""

from feast import Entity, FeatureView, Field
from feast.types import Array, Float32, Float64, Int64, String

from feature_repo.definitions.entities import artist, track
from feature_repo.emotions import EMOTIONS
from feature_repo.sources import feature_table

NUMBERS = {
    "sentiment": "mean chance of being positive, of reviews and comments",
    **{f"emotion_{name}": f"mean chance of {name}, of lyrics, reviews and comments" for name in EMOTIONS},
    "subjectivity": "mean over the texts, 0 for facts to 1 for opinions",
    "explicitness": "explicit words a hundred words, over all texts",
    "repetition": "share of runs of three words that were there before, in the newest lyrics",
    "rhyme_density": "share of lines that rhyme, in the newest lyrics",
    "vocabulary_richness": "types over tokens in windows of fifty words, in the newest lyrics",
}


_TRACK_TEXTS, _ARTIST_TEXTS = ("texts.text", "tracks.title"), ("texts.text", "tracks.title", "artists.name", "tags.tag")
_KIND = "texts.kind"


def _columns(texts: tuple[str, ...]) -> dict[str, str]:
    """Returns the raw columns of the features, from the columns with texts."""
    text = " ".join(texts)
    return {
        **dict.fromkeys(("texts", "fit"), ""),
        "opinions": _KIND,
        **dict.fromkeys(("language", "subjectivity", "explicitness"), text),
        **dict.fromkeys(
            ("sentiment", "emotion_*", "repetition", "rhyme_density", "vocabulary_richness"), f"texts.text {_KIND}"
        ),
        "*": f"{text} {_KIND}",
    }


def _text_view(entity: Entity, subject: str, texts: tuple[str, ...], rows: str) -> FeatureView:
    return feature_table(
        f"{entity.name}_text",
        entities=[entity],
        schema=[
            Field(name="texts", dtype=Int64, description="how many there are, titles and tags included"),
            Field(name="opinions", dtype=Int64, description="reviews and comments"),
            Field(name="language", dtype=String, description="ISO 639, of the most words"),
            *(Field(name=name, dtype=Float64, description=description) for name, description in NUMBERS.items()),
            Field(name="topics", dtype=Array(Float32), description="mean shares"),
            Field(name="vector", dtype=Array(Float32), description="mean of the texts' vectors, of length one"),
            Field(name="fit", dtype=Int64, description="identity of the embedder; vectors of two fits never mix"),
        ],
        description=f"{subject}, as of midnight after each day on which something was written",
        columns=_columns(texts),
        rows=rows,
    )


track_text = _text_view(
    track, "What is written about a track", _TRACK_TEXTS, "texts.entity texts.entity_id tracks.title"
)
artist_text = _text_view(
    artist,
    "What is written about an artist and all their tracks",
    _ARTIST_TEXTS,
    "texts.entity texts.entity_id tracks.track_id tracks.title artists.name",
)
