"""``MetadataTagger``: which genres, moods and other tags fit what is written about an artist, a track, or any text.

It eats the feature service ``metadata_tags_v1``: where the writing lies (vector, topics). Artists are asked about at
two moments, and what is to be told is which tags listeners gave by a later one; measured is what was new by then. A
text is tagged from the vector that the same embedder gives it.
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
from training.evaluate.classification import label_metrics
from training.models.base import FamilyModel
from training.models.result import TrainedResult, figures, registered
from training.validation.evidence import OURS, Evidence
from transforms.pure.text.analysis import EMBEDDER
from transforms.pure.text.tags import TaggerModel
from transforms.raw.read import scan

NAME, SERVICE = "metadata_tagger", "metadata_tags_v1"
MOST_TAGS, FEWEST_ARTISTS = 100, 8
LEARN_UNTIL, ASK_AT = 0.6, 0.8
"""Shares of the tags, by time: at the first moment it learns, at the second it is asked."""
STRENGTH = 3.0


@dataclass(frozen=True)
class _Asked:
    """Artists at one moment.

    Attributes:
        artists: (n,) who.
        vectors: (n, d) what is eaten.
        before: (n, l) whether a tag had been given before it.
        after: (n, l) whether it was given by the end of the period.
    """

    artists: np.ndarray
    vectors: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @property
    def new(self) -> np.ndarray:
        """(n, l) given for the first time."""
        return self.after & ~self.before


def run(home: Home, *, progress: Progress = silent, seed: int = 0) -> TrainedResult:
    """Fit, measure beside the most frequent tags and what goes together, register.

    Raises:
        InputError: there are too few tags, or no vectors of what is written.
    """
    clock = Clock(progress, 4)
    tags = _normal(scan(home, "tags").collect())
    times = tags["event_timestamp"].sort()
    places = [int((len(times) - 1) * share) for share in (LEARN_UNTIL, ASK_AT, 1)] if len(times) else []
    moments = [times[place] for place in places]
    vocabulary = _vocabulary(tags.filter(pl.col("event_timestamp") < moments[0])) if moments else []
    if len(vocabulary) < 2:
        raise InputError(
            expected=f"two tags or more that {FEWEST_ARTISTS} artists have",
            found=str(len(vocabulary)),
            next_command="python -m transforms simulate  (or: python -m transforms import lastfm PATH)",
        )
    learn, ask, end = moments
    train, pulled, fit = _asked(home, tags, vocabulary, learn, ask)
    test, _, _ = _asked(home, tags, vocabulary, ask, end)
    clock.lap("features")
    model = _fit(train.vectors, train.before | train.after, vocabulary, fit)
    clock.lap("fit")
    truth, answers = _answers(model, train, test)
    metrics = {who: figures(label_metrics(truth, told)) for who, told in answers.items()}
    final, _, fit = _asked(home, tags, vocabulary, end, end)
    served = _fit(final.vectors, final.before | final.after, vocabulary, fit)
    clock.lap("measured")
    about = (
        f"{len(vocabulary)} tags. Learned from {len(train.vectors):,} artists as of {learn:%Y-%m-%d} and what they "
        f"were tagged until {ask:%Y-%m-%d}; asked about {int(test.new.any(axis=1).sum()):,} artists as of then, which "
        f"of the tags that they had not got they would get until {end:%Y-%m-%d}. What serves was fitted as of the end."
    )
    read = open_bundle(EMBEDDER, home).manifest["cutoff"]
    if datetime.fromisoformat(read) > learn:
        about += f" The embedder had read what was known until {read[:10]}, tags asked about among it: flattered."
    version = registered(
        home,
        NAME,
        about=about,
        files={"model.npz": served.to_bytes()},
        inputs=[("artist_text__vector", "float32"), ("artist_text__topics", "float32")],
        outputs=[(tag, "float64") for tag in vocabulary],
        metrics=metrics,
        learned_from=vocabulary,
        cutoff=round(end.timestamp() * 1e6),
        extra={"fit": fit},
        training_sets=[pulled],
        evidence=_evidence(test.artists[test.new.any(axis=1)], truth, answers),
    )
    clock.lap("registration")
    return TrainedResult(NAME, version, about, metrics, clock.seconds)


def _normal(tags: pl.DataFrame) -> pl.DataFrame:
    return tags.with_columns(pl.col("tag").str.to_lowercase().str.strip_chars())


def _evidence(artists: np.ndarray, truth: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evidence:
    """Share of the three most probable tags of each artist that it got."""
    rows = np.arange(len(truth))[:, None]
    hits = {
        who: truth[rows, np.argsort(-told, axis=1, kind="stable")[:, :3]].mean(axis=1) for who, told in answers.items()
    }
    told = {OURS if who == NAME else who: found for who, found in hits.items()}
    return Evidence.of("precision_at_3", artists, told, higher_is_better=True)


def _vocabulary(tags: pl.DataFrame) -> list[str]:
    counted = tags.group_by("tag").agg(pl.col("artist_id").n_unique().alias("artists"))
    common = counted.filter(pl.col("artists") >= FEWEST_ARTISTS).sort("artists", "tag", descending=[True, False])
    return sorted(common.head(MOST_TAGS)["tag"].to_list())


def _asked(home: Home, tags: pl.DataFrame, vocabulary: list[str], at, until) -> tuple[_Asked, Sample, int]:  # type: ignore[no-untyped-def]
    """Artists with writing at a moment, and their tags before and after it."""
    known = tags.filter(pl.col("event_timestamp") < at).select("artist_id").unique().sort("artist_id")
    spine = known.with_columns(pl.lit(at).dt.cast_time_unit("us").alias("event_timestamp"))
    pulled = training_set(SERVICE, spine, home=home)
    rows = pulled.data.filter(pl.col("artist_text__vector").list.len() > 0)
    if rows.is_empty():
        raise InputError(
            expected=f"vectors of what is written about artists, as of {at:%Y-%m-%d}",
            found="none",
            next_command="python -m training run text_embedder && python -m training promote text_embedder && "
            "python -m transforms build",
        )
    fits = rows["artist_text__fit"].unique().to_list()
    artists = {artist: place for place, artist in enumerate(rows["artist_id"].to_list())}
    numbers = {tag: number for number, tag in enumerate(vocabulary)}
    table = np.zeros((2, len(artists), len(vocabulary)), bool)
    for period, part in enumerate(
        (tags.filter(pl.col("event_timestamp") < at), tags.filter(pl.col("event_timestamp") <= until))
    ):
        for artist, tag in part.select("artist_id", "tag").unique().iter_rows():
            if artist in artists and tag in numbers:
                table[period, artists[artist], numbers[tag]] = True
    parts = [to_matrix(rows[f"artist_text__{name}"]).astype(np.float64) for name in ("vector", "topics")]
    names = np.array(list(artists), dtype=np.str_)
    return _Asked(names, np.concatenate(parts, axis=1), *table), Sample.of(pulled), int(fits[0])


def _fit(vectors: np.ndarray, labels: np.ndarray, vocabulary: list[str], fit: int) -> TaggerModel:
    """A logistic regression a tag; a tag that nobody or everybody has keeps its frequency."""
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((vectors.shape[1], len(vocabulary))), np.zeros(len(vocabulary))
    for label in range(len(vocabulary)):
        yes = labels[:, label]
        if yes.all() or not yes.any():
            share = np.clip(yes.mean(), 1e-4, 1 - 1e-4)
            bias[label] = np.log(share / (1 - share))
            continue
        model = LogisticRegression(C=STRENGTH, max_iter=1_000).fit(vectors, yes)
        weights[:, label], bias[label] = model.coef_[0], model.intercept_[0]
    return TaggerModel(tuple(vocabulary), weights, bias, fit)


def _answers(model: TaggerModel, train: _Asked, test: _Asked) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Of artists that got something new: (n, l) what, and who → (n, l) chances; what they had is asked of nobody."""
    asked = test.new.any(axis=1)
    truth, had = test.new[asked], test.before[asked]
    given = (train.before | train.after).astype(float)
    together = (given.T @ given + 1) / (given.sum(axis=0)[:, None] + len(given.T))
    share = np.tile(train.after.mean(axis=0), (len(truth), 1))
    count = np.maximum(had.sum(axis=1, keepdims=True), 1)
    answers = {
        "metadata_tagger": model.probabilities(test.vectors[asked]),
        "goes_together": had.astype(float) @ together / count,
        "most_frequent": share,
    }
    return truth, {name: np.where(had, 0.0, found) for name, found in answers.items()}


MODEL = FamilyModel(
    name=NAME,
    family="text",
    about="Which tags an artist will be given.",
    services=(SERVICE,),
    raw=("tags",),
    program=run,
)
