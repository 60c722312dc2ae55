"""``MetadataTagger``: predicts genres, moods and other tags from texts about an artist or a track.

It reads the feature service ``metadata_tags_v1``: vector and topics of the texts. The tagger is fitted to artists at
one moment and tested at a second one. The labels are the tags that listeners gave until a later moment; the test counts
only tags that were new after the moment. A text is tagged from its vector by the same embedder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from feature_repo.bundle import open_bundle
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets import Sample, training_set
from training.datasets.columns import to_matrix
from training.datasets.consent import raw_rows
from training.evaluate.classification import label_metrics
from training.models.base import FamilyModel, Gates
from training.models.result import TrainedResult, figures, registered
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.text.analysis import EMBEDDER
from transforms.pure.text.tags import TaggerModel

NAME, SERVICE = "metadata_tagger", "metadata_tags_v1"
MOST_TAGS, FEWEST_ARTISTS = 100, 8
LEARN_UNTIL, TEST_AT = 0.6, 0.8
"""The moments of fit and test, as shares of the tags in order of time."""
STRENGTH = 3.0


@dataclass(frozen=True)
class _TaggedArtists:
    """Features and tags of artists at one moment.

    Attributes:
        artists: (n,) artist ids.
        vectors: (n, d) vector and topics of each artist's texts.
        before: (n, l) whether the artist had each tag before the moment.
        after: (n, l) whether the artist had each tag by the end of the period.
    """

    artists: np.ndarray
    vectors: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @property
    def new(self) -> np.ndarray:
        """Return (n, l) whether each tag was first given within the period."""
        return self.after & ~self.before


def run(home: Home, *, progress: Progress = silent, seed: int = 0) -> TrainedResult:
    """Fit, measure beside the most frequent tags and tag co-occurrence, register.

    Raises:
        InputError: there are too few tags, or no vectors of texts about artists.
    """
    clock = Clock(progress, 4)
    tags = _normalize(raw_rows(home, "tags").collect())
    times = tags["event_timestamp"].sort()
    positions = [int((len(times) - 1) * share) for share in (LEARN_UNTIL, TEST_AT, 1)] if len(times) else []
    moments = [times[position] for position in positions]
    vocabulary = _vocabulary(tags.filter(pl.col("event_timestamp") < moments[0])) if moments else []
    if len(vocabulary) < 2:
        raise InputError(
            expected=f"at least two tags with {FEWEST_ARTISTS} artists each",
            found=str(len(vocabulary)),
            next_command="refrain simulate  (or: refrain import lastfm PATH)",
        )
    fit_at, test_at, end = moments
    train, pulled, fit = _pull_artists(home, tags, vocabulary, fit_at, test_at)
    test, _, _ = _pull_artists(home, tags, vocabulary, test_at, end)
    clock.lap("features")
    model = _fit(train.vectors, train.before | train.after, vocabulary, fit)
    clock.lap("fit")
    truth, answers = _answers(model, train, test)
    metrics = {method: figures(label_metrics(truth, probabilities)) for method, probabilities in answers.items()}
    permuted_tags = np.random.default_rng(0).permutation(train.before | train.after)
    floor = _answers(_fit(train.vectors, permuted_tags, vocabulary, fit), train, test)[1][NAME]
    final, _, fit = _pull_artists(home, tags, vocabulary, end, end)
    served_tagger = _fit(final.vectors, final.before | final.after, vocabulary, fit)
    clock.lap("measured")
    about = (
        f"{len(vocabulary)} tags. Learned from {len(train.vectors):,} artists as of {fit_at:%Y-%m-%d} and what they "
        f"were tagged until {test_at:%Y-%m-%d}; asked about {int(test.new.any(axis=1).sum()):,} artists as of then, "
        f"which of the tags that they had not got they would get until {end:%Y-%m-%d}. What serves was fitted as of "
        "the end."
    )
    embedder_cutoff = open_bundle(EMBEDDER, home).manifest["cutoff"]
    if datetime.fromisoformat(embedder_cutoff) > fit_at:
        about += (
            f" The embedder had read what was known until {embedder_cutoff[:10]}, tags asked about among it: flattered."
        )
    version = registered(
        home,
        NAME,
        about=about,
        files={"model.npz": served_tagger.to_bytes()},
        inputs=[("artist_text__vector", "float32"), ("artist_text__topics", "float32")],
        outputs=[(tag, "float64") for tag in vocabulary],
        metrics=metrics,
        learned_from=vocabulary,
        cutoff=round(end.timestamp() * 1e6),
        extra={"fit": fit},
        training_sets=[pulled],
        evidence=_evidence(test.artists[test.new.any(axis=1)], truth, {**answers, PERMUTED: floor}),
    )
    clock.lap("registration")
    return TrainedResult(NAME, version, about, metrics, clock.seconds)


def _normalize(tags: pl.DataFrame) -> pl.DataFrame:
    return tags.with_columns(pl.col("tag").str.to_lowercase().str.strip_chars())


def _evidence(artists: np.ndarray, truth: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evidence:
    """Return the precision of the three most probable tags of each artist, by method."""
    rows = np.arange(len(truth))[:, None]
    precisions = {
        method: truth[rows, np.argsort(-probabilities, axis=1, kind="stable")[:, :3]].mean(axis=1)
        for method, probabilities in answers.items()
    }
    named_precisions = {MODEL_KEY if method == NAME else method: precision for method, precision in precisions.items()}
    return Evidence.of("precision_at_3", artists, named_precisions, higher_is_better=True)


def _vocabulary(tags: pl.DataFrame) -> list[str]:
    artist_counts = tags.group_by("tag").agg(pl.col("artist_id").n_unique().alias("artists"))
    common_tags = artist_counts.filter(pl.col("artists") >= FEWEST_ARTISTS).sort(
        "artists", "tag", descending=[True, False]
    )
    return sorted(common_tags.head(MOST_TAGS)["tag"].to_list())


def _pull_artists(  # type: ignore[no-untyped-def]
    home: Home, tags: pl.DataFrame, vocabulary: list[str], moment, until
) -> tuple[_TaggedArtists, Sample, int]:
    """Return artists with texts at a moment and tags before and after it, the pulled set, and the embedder's fit."""
    tagged_artists = tags.filter(pl.col("event_timestamp") < moment).select("artist_id").unique().sort("artist_id")
    spine = tagged_artists.with_columns(pl.lit(moment).dt.cast_time_unit("us").alias("event_timestamp"))
    pulled = training_set(SERVICE, spine, home=home)
    rows = pulled.data.filter(pl.col("artist_text__vector").list.len() > 0)
    if rows.is_empty():
        raise InputError(
            expected=f"vectors of the texts about artists, as of {moment:%Y-%m-%d}",
            found="none",
            next_command="refrain model run text_embedder && refrain model promote text_embedder && refrain build",
        )
    fits = rows["artist_text__fit"].unique().to_list()
    artist_rows = {artist: row for row, artist in enumerate(rows["artist_id"].to_list())}
    tag_numbers = {tag: number for number, tag in enumerate(vocabulary)}
    has_tag = np.zeros((2, len(artist_rows), len(vocabulary)), bool)
    for period, period_tags in enumerate(
        (tags.filter(pl.col("event_timestamp") < moment), tags.filter(pl.col("event_timestamp") <= until))
    ):
        for artist, tag in period_tags.select("artist_id", "tag").unique().iter_rows():
            if artist in artist_rows and tag in tag_numbers:
                has_tag[period, artist_rows[artist], tag_numbers[tag]] = True
    feature_matrices = [to_matrix(rows[f"artist_text__{name}"]).astype(np.float64) for name in ("vector", "topics")]
    artist_ids = np.array(list(artist_rows), dtype=np.str_)
    return (
        _TaggedArtists(artist_ids, np.concatenate(feature_matrices, axis=1), *has_tag),
        Sample.of(pulled),
        int(fits[0]),
    )


def _fit(vectors: np.ndarray, labels: np.ndarray, vocabulary: list[str], fit: int) -> TaggerModel:
    """Fit one logistic regression per tag; a tag of all artists, or of none, is predicted by its frequency."""
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((vectors.shape[1], len(vocabulary))), np.zeros(len(vocabulary))
    for tag_number in range(len(vocabulary)):
        has_tag = labels[:, tag_number]
        if has_tag.all() or not has_tag.any():
            frequency = np.clip(has_tag.mean(), 1e-4, 1 - 1e-4)
            bias[tag_number] = np.log(frequency / (1 - frequency))
            continue
        model = LogisticRegression(C=STRENGTH, max_iter=1_000).fit(vectors, has_tag)
        weights[:, tag_number], bias[tag_number] = model.coef_[0], model.intercept_[0]
    return TaggerModel(tuple(vocabulary), weights, bias, fit)


def _answers(
    model: TaggerModel, train: _TaggedArtists, test: _TaggedArtists
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return (n, l) the new tags of test artists that have any, and method → (n, l) probabilities.

    Tags that an artist had before get probability 0 from every method.
    """
    has_new_tags = test.new.any(axis=1)
    truth, had_tag = test.new[has_new_tags], test.before[has_new_tags]
    train_tags = (train.before | train.after).astype(float)
    cooccurrence = (train_tags.T @ train_tags + 1) / (train_tags.sum(axis=0)[:, None] + len(train_tags.T))
    frequencies = np.tile(train.after.mean(axis=0), (len(truth), 1))
    tag_counts = np.maximum(had_tag.sum(axis=1, keepdims=True), 1)
    answers = {
        NAME: model.probabilities(test.vectors[has_new_tags]),
        "goes_together": had_tag.astype(float) @ cooccurrence / tag_counts,
        "most_frequent": frequencies,
    }
    return truth, {name: np.where(had_tag, 0.0, probabilities) for name, probabilities in answers.items()}


MODEL = FamilyModel(
    name=NAME,
    family="text",
    about="Which tags an artist will be given.",
    services=(SERVICE,),
    raw=("tags",),
    gates=Gates(plain={"goes_together": 0.05}),
    program=run,
)
