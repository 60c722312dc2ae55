"""Simulated texts: descriptions and lyrics at the release of a track, later reviews and comments, and artist tags.

Sentiment, emotion and genre are known, and half of the texts are labelled. Sentences are random combinations of fixed
phrases: a model that is good here has learned these phrases and no more (docs/text.md has the figures on real
sentences).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from feature_repo.emotions import EMOTIONS
from transforms.raw.ingest import Batch
from transforms.raw.simulate.world import GENRES, World

LABELLED, WRONG, LATE = 0.5, 0.04, 0.02
DESCRIBED, SUNG = 0.6, 0.3
TAGS_AN_ARTIST = 16

_GENRE_WORDS = {
    "pop": "catchy hooks|polished choruses|radio singalong|bright synth melody|chart-topping refrain",
    "rock": "distorted guitars|driving drums|stadium riffs|garage energy|power chords",
    "hip-hop": "crisp bars|boom bap beat|clever flow|sampled loops|mixtape swagger",
    "electronic": "pulsing synths|four-on-the-floor kick|club build-up|modular textures|drum machine",
    "jazz": "walking bass|swinging ride cymbal|saxophone solos|modal improvisation|smoky trio",
    "classical": "string quartet|orchestral movement|piano sonata|baroque counterpoint|symphonic swells",
    "folk": "fingerpicked acoustic|storytelling ballad|fiddle and banjo|campfire harmonies|travelling songs",
    "metal": "blast beats|growled vocals|down-tuned riffs|double kick|shredding solos",
    "r&b": "silky vocals|slow jam groove|falsetto runs|neo-soul chords|late-night bassline",
    "latin": "reggaeton dembow|salsa horns|bossa nova guitar|cumbia percussion|bolero romance",
    "ambient": "drifting drones|field recordings|reverberant pads|weightless textures|slow-moving tape loops",
    "country": "pedal steel|honky-tonk piano|dusty road stories|twangy telecaster|two-step rhythm",
}
_TAG_WORDS = {
    genre: [genre, *(phrase.split()[-1] for phrase in words.split("|"))] for genre, words in _GENRE_WORDS.items()
}
_MOOD_TAGS = ("chill", "party", "melancholic", "energetic", "romantic", "dark", "uplifting", "live favourites")
_PRAISE = (
    "an absolute gem|I can't stop listening|the best thing this year|beautifully produced|a stunning performance|"
    "worth every minute|never gets old|a joy from start to finish|not a weak moment|heartfelt and honest|"
    "brilliant songwriting|exceeded my hopes|a triumph|gorgeous harmonies|instantly memorable"
)
_BLAME = (
    "a complete mess|I turned it off halfway|forgettable and dull|lazy songwriting|painfully repetitive|"
    "not worth your time|never goes anywhere|a huge letdown|overproduced and empty|tired clichés|"
    "the vocals grate|utterly boring|nothing here works|an awkward failure|disappointing at every turn"
)
_GOOD, _BAD = _PRAISE.split("|"), _BLAME.split("|")
_OPENERS = (
    "Honestly,",
    "For me this is",
    "After a week with it:",
    "Well,",
    "My take:",
    "Heard it twice,",
    "Live or not,",
    "",
)
_FEELINGS = {
    "anger": "I am sick of your lies|burn it all down|you made me furious|I hate what you did|rage inside my fists|"
    "slam the door and scream|never forgive you|fed up with this fight",
    "disgust": "it makes my skin crawl|sick to my stomach|filthy and foul|a rotten taste|I can't stand the smell|"
    "vile and gross|revolting words|turn away in disgust",
    "fear": "shadows follow me home|I'm terrified of the dark|trembling at the door|panic in my chest|"
    "nightmares never leave|afraid to be alone|something is watching|run before it finds us",
    "joy": "dancing in the sunshine|laughing with my friends|the happiest day|we celebrate tonight|smiles all around|"
    "hands up, feeling alive|sweet summer party|so glad to be here",
    "love": "I adore you, darling|kiss me under the moon|my heart belongs to you|forever in your arms|"
    "you are my everything|tender and close|falling for you|hold me, baby",
    "neutral": "the train leaves at nine|track four on the record|he walks to the store|it plays in the hall|"
    "recorded in two days|the second verse begins|a window and a chair|they moved in May",
    "sadness": "tears on my pillow|I miss you so much|lonely in this empty house|goodbye, broken heart|"
    "nothing left but sorrow|crying in the rain|lost without you|grey and mournful days",
    "surprise": "out of nowhere you came|I can't believe my eyes|what a twist|suddenly everything changed|"
    "who would have thought|caught me off guard|wow, unexpected|never saw it coming",
}
_PERSONAL = ("write me at fan{0}@example.org", "call +1 202 555 {1:04d}", "@fan_{0} said so")


@dataclass
class _TextRows:
    """Rows of texts and text labels for the raw tables."""

    texts: list[tuple]
    labels: list[tuple]

    def add(
        self, event_s: int, created_s: int, entity: str, entity_id: str, kind: str, text: str, author: str | None
    ) -> str:
        name = f"x{len(self.texts):07}"
        self.texts.append((name, entity, entity_id, kind, text, author, event_s, created_s))
        return name


def write(world: World, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield texts, their labels, and tags."""
    rows = _TextRows([], [])
    size = world.size
    genre = [GENRES[number] for number in world.scene_genre[world.artist_scene[world.track_artist]]]
    end_s = size.days * 86_400
    for track in range(size.tracks):
        release_s = int(world.track_release[track]) * 86_400
        track_id = f"t{track:06}"
        if rng.random() < DESCRIBED:
            _add_text(rows, world, rng, release_s, "track", track_id, "description", _description(genre[track], rng))
        if rng.random() < SUNG:
            emotion = EMOTIONS[rng.integers(len(EMOTIONS))]
            event_s = release_s + int(rng.integers(0, 3 * 86_400))
            _add_text(rows, world, rng, event_s, "track", track_id, "lyrics", _lyrics(emotion, rng), emotion=emotion)
    for track in rng.integers(size.tracks, size=size.tracks).tolist():
        first_s = max(int(world.track_release[track]) * 86_400, 0)
        if first_s >= end_s:
            continue
        event_s = int(rng.integers(first_s, end_s))
        author = f"u{rng.integers(size.users):06}"
        is_good = rng.random() < world.track_quality[track]
        if rng.random() < 0.6:
            text = _review(genre[track], is_good, rng)
            _add_text(rows, world, rng, event_s, "track", f"t{track:06}", "review", text, author, sentiment=is_good)
        else:
            emotion = EMOTIONS[rng.integers(len(EMOTIONS))]
            text = _comment(emotion, rng)
            _add_text(rows, world, rng, event_s, "track", f"t{track:06}", "comment", text, author, emotion=emotion)
    start = size.start
    yield Batch("texts", _texts(rows, start))
    yield Batch("text_labels", _labels(rows, start))
    yield Batch("tags", _tags(world, rng))


def _add_text(
    rows: _TextRows,
    world: World,
    rng: np.random.Generator,
    event_s: int,
    entity: str,
    entity_id: str,
    kind: str,
    text: str,
    author: str | None = None,
    *,
    sentiment: bool | None = None,
    emotion: str | None = None,
) -> None:
    created_s = event_s + (int(rng.integers(3_600, 3 * 86_400)) if rng.random() < LATE else 0)
    name = rows.add(event_s, created_s, entity, entity_id, kind, text, author)
    if rng.random() >= LABELLED:
        return
    labelled_s = created_s + int(rng.integers(60, 86_400))
    is_wrong = rng.random() < WRONG
    if sentiment is not None:
        rows.labels.append((name, "sentiment", "positive" if sentiment != is_wrong else "negative", labelled_s))
    if emotion is not None:
        label = EMOTIONS[rng.integers(len(EMOTIONS))] if is_wrong else emotion
        rows.labels.append((name, "emotion", label, labelled_s))


def _texts(rows: _TextRows, start) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    columns = ["text_id", "entity", "entity_id", "kind", "text", "author_id", "moment", "known"]
    frame = pl.DataFrame(rows.texts, schema=columns, orient="row", infer_schema_length=None)
    return _with_timestamps(frame, start)


def _labels(rows: _TextRows, start) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    frame = pl.DataFrame(
        rows.labels,
        schema={"text_id": pl.String, "task": pl.String, "label": pl.String, "moment": pl.Int64},
        orient="row",
    )
    return _with_timestamps(frame.with_columns(known=pl.col("moment")), start)


def _with_timestamps(rows: pl.DataFrame, start) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    base = pl.lit(start).dt.cast_time_unit("us")
    return rows.with_columns(
        event_timestamp=base + pl.duration(seconds=pl.col("moment")),
        created_timestamp=base + pl.duration(seconds=pl.col("known")),
    ).drop("moment", "known")


def _tags(world: World, rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for artist in range(world.size.artists):
        words = _TAG_WORDS[GENRES[world.scene_genre[world.artist_scene[artist]]]]
        mood = _MOOD_TAGS[rng.integers(len(_MOOD_TAGS))]
        share = np.array([4.0, *[1.0] * (len(words) - 1), 2.0, 0.5])
        for choice in rng.choice(len(share), TAGS_AN_ARTIST, p=share / share.sum()).tolist():
            other = _MOOD_TAGS[rng.integers(len(_MOOD_TAGS))]
            tag = words[choice] if choice < len(words) else mood if choice == len(words) else other
            moment = world.size.start + timedelta(seconds=int(rng.integers(world.size.days * 86_400)))
            rows.append((f"u{rng.integers(world.size.users):06}", f"a{artist:05}", tag, moment))
    return pl.DataFrame(rows, schema=["user_id", "artist_id", "tag", "event_timestamp"], orient="row")


def _pick(phrases: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return [phrases[number] for number in rng.choice(len(phrases), count, replace=False)]


def _description(genre: str, rng: np.random.Generator) -> str:
    first, second = _pick(_GENRE_WORDS[genre].split("|"), 2, rng)
    release_kind = _pick(("recorded live", "from the second album", "a remixed single"), 1, rng)[0]
    return f"{first.capitalize()} and {second}, {release_kind}."


def _review(genre: str, good: bool, rng: np.random.Generator) -> str:
    phrases, opposite = (_GOOD, _BAD) if good else (_BAD, _GOOD)
    opinions = _pick(phrases, int(rng.integers(1, 4)), rng)
    opener = _OPENERS[rng.integers(len(_OPENERS))]
    text = f"{opener} {', '.join(opinions)}. The {_pick(_GENRE_WORDS[genre].split('|'), 1, rng)[0]} carry it."
    if rng.random() < 0.2:
        text += f" Some say {_pick(opposite, 1, rng)[0]}, but no."
    return text.strip()


def _comment(emotion: str, rng: np.random.Generator) -> str:
    text = ". ".join(phrase.capitalize() for phrase in _pick(_FEELINGS[emotion].split("|"), 2, rng))
    if rng.random() < 0.03:
        text += " " + _PERSONAL[rng.integers(len(_PERSONAL))].format(
            int(rng.integers(1_000)), int(rng.integers(10_000))
        )
    return text


def _lyrics(emotion: str, rng: np.random.Generator) -> str:
    chorus = "\n".join(_pick(_FEELINGS[emotion].split("|"), 3, rng))
    verses = ["\n".join(_pick(_FEELINGS[emotion].split("|"), 4, rng)) for _ in range(2)]
    return f"{verses[0]}\n\n{chorus}\n\n{verses[1]}\n\n{chorus}\n\n{chorus}"
