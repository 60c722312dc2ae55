"""Predicts the next item: tracks of a session, words of a title, tags of an artist's tag line.

The model is the n-gram model of ``kneser_ney``; its order is chosen on validation sequences. The baselines are item
frequencies, and bigrams with a count of one added (Laplace). Tag lines are also generated from their first tag and
compared with what listeners wrote, by BLEU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.consent import raw_rows
from training.evaluate.generation import BleuMetrics, bleu
from training.models.base import FamilyModel
from training.models.result import TrainedResult, registered
from training.models.text.kneser_ney import END, UNKNOWN, KneserNey
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.text.words import words
from transforms.raw.read import scan

NAME = "sequence_model"
MOST_UNITS = 2_000
"""Test sequences that are stored as evidence, at the most."""
ORDERS = (2, 3, 4)
PAUSE = 30 * 60
"""Seconds without a play that end a session."""
TRAIN, VALIDATION = 0.7, 0.85
"""Ends of the training part and of the validation part, as shares of all sequences; the rest is the test."""
FEWEST_ITEMS = 12
LINE, FEWEST_TAGS = 5, 3
"""Maximum length of a tag line, and minimum number of different tags of an artist."""


@dataclass(frozen=True)
class Sequences:
    """Sequences of one kind, split by time.

    Attributes:
        kind: ``sessions``, ``titles`` or ``tag_lines``.
        train: the oldest sequences, for fitting.
        validation: the sequences after these, for the choice of the order.
        test: the newest sequences, used once.
        fewest: minimum count of an item; rarer items become one unknown item.
    """

    kind: str
    train: list[list[str]]
    validation: list[list[str]]
    test: list[list[str]]
    fewest: int

    @property
    def enough(self) -> bool:
        """Whether there are enough sequences and frequent items. Simulated titles of one word each share no words."""
        vocabulary = KneserNey(1, self.fewest).fit(self.train).vocabulary
        return len(self.test) >= 5 and len(self.validation) >= 5 and len(vocabulary) >= FEWEST_ITEMS

    @classmethod
    def cut(cls, kind: str, ordered: Sequence[list[str]], fewest: int) -> "Sequences":
        """Split sequences, given in order of time, by the shares ``TRAIN`` and ``VALIDATION``."""
        train_end, validation_end = int(len(ordered) * TRAIN), int(len(ordered) * VALIDATION)
        return cls(
            kind,
            list(ordered[:train_end]),
            list(ordered[train_end:validation_end]),
            list(ordered[validation_end:]),
            fewest,
        )


def sessions(plays: pl.DataFrame) -> list[list[str]]:
    """Return the tracks of each session of each listener, in order of the start of the sessions."""
    ordered = plays.sort("user_id", "event_timestamp", "track_id").with_columns(
        starts=(
            (pl.col("event_timestamp").diff().dt.total_seconds() > PAUSE)
            | (pl.col("user_id") != pl.col("user_id").shift())
        ).fill_null(True)
    )
    grouped = (
        ordered.with_columns(session=pl.col("starts").cum_sum())
        .group_by("session", maintain_order=True)
        .agg("track_id", pl.col("event_timestamp").first())
        .sort("event_timestamp", "session")
    )
    return grouped["track_id"].to_list()


def titles(tracks: pl.DataFrame) -> list[list[str]]:
    """Return the words of each distinct title, in order of event time."""
    tracks_by_title = (
        tracks.drop_nulls("title")
        .sort("event_timestamp", "track_id")
        .unique("title", keep="first", maintain_order=True)
    )
    return list(
        {
            " ".join(title_words): title_words
            for title in tracks_by_title["title"].to_list()
            if (title_words := words(title))
        }.values()
    )


def tag_lines(tags: pl.DataFrame) -> list[list[str]]:
    """Return the most frequent tags of each artist, in order of the first tag of the artists."""
    normalized_tags = tags.with_columns(pl.col("tag").str.to_lowercase().str.strip_chars())
    tag_counts = normalized_tags.group_by("artist_id", "tag").len().sort("len", "tag", descending=[True, False])
    lines = tag_counts.group_by("artist_id", maintain_order=True).agg(pl.col("tag").head(LINE), pl.len().alias("tags"))
    first_tagged = normalized_tags.group_by("artist_id").agg(pl.col("event_timestamp").min())
    tagged_artists = lines.filter(pl.col("tags") >= FEWEST_TAGS).join(first_tagged, on="artist_id")
    return tagged_artists.sort("event_timestamp", "artist_id")["tag"].to_list()


def chosen(sequences: Sequences, orders: Sequence[int] = ORDERS) -> KneserNey:
    """Fit one model per order; return the one with the lowest perplexity on the validation sequences."""
    models = [KneserNey(order, sequences.fewest).fit(sequences.train) for order in orders]
    return models[int(np.argmin([model.perplexity(sequences.validation) for model in models]))]


def perplexities(sequences: Sequences, model: KneserNey) -> dict[str, float]:
    """Return the test perplexity of the model and of two baselines, all with the same vocabulary."""
    return {
        "kneser_ney": model.perplexity(sequences.test),
        "how_often": KneserNey(1, sequences.fewest).fit(sequences.train).perplexity(sequences.test),
        "pairs_plus_one": _laplace_perplexity(sequences),
    }


def _evidence(sequences: Sequences, model: KneserNey) -> Evidence:
    """Return the log perplexity of the first test sequences, by the model, by item frequencies and by the floor.

    The floor is the model fitted to the same items in a drawn order: what follows what is lost.
    """
    tested = sequences.test[:MOST_UNITS]
    unigrams = KneserNey(1, sequences.fewest).fit(sequences.train)
    floor = KneserNey(model.order, sequences.fewest).fit(permuted(sequences.train))
    log_perplexities = {
        name: np.log([language_model.perplexity([sequence]) for sequence in tested])
        for name, language_model in ((MODEL_KEY, model), ("how_often", unigrams), (PERMUTED, floor))
    }
    return Evidence.of("log_perplexity", ["|".join(sequence) for sequence in tested], log_perplexities)


def permuted(sequences: Sequence[list[str]], seed: int = 0) -> list[list[str]]:
    """Return sequences of the same lengths, in which the items of all sequences have a drawn order.

    >>> sorted(item for sequence in permuted([["a", "b"], ["c"]]) for item in sequence)
    ['a', 'b', 'c']
    """
    items = [item for sequence in sequences for item in sequence]
    drawn = iter([items[place] for place in np.random.default_rng(seed).permutation(len(items)).tolist()])
    return [[next(drawn) for _ in sequence] for sequence in sequences]


def _laplace_perplexity(sequences: Sequences) -> float:
    vocabulary = KneserNey(1, sequences.fewest).fit(sequences.train).vocabulary
    bigram_counts: dict[tuple[str, str], int] = {}
    context_counts: dict[str, int] = {}
    for sequence in sequences.train:
        for first, second in _bigrams(sequence, vocabulary):
            bigram_counts[first, second] = bigram_counts.get((first, second), 0) + 1
            context_counts[first] = context_counts.get(first, 0) + 1
    log_probabilities = [
        np.log((bigram_counts.get((first, second), 0) + 1) / (context_counts.get(first, 0) + len(vocabulary)))
        for sequence in sequences.test
        for first, second in _bigrams(sequence, vocabulary)
    ]
    return float(np.exp(-np.mean(log_probabilities))) if log_probabilities else float("nan")


def _bigrams(sequence: list[str], vocabulary: frozenset[str]) -> list[tuple[str, str]]:
    items = ["", *(item if item in vocabulary else UNKNOWN for item in sequence), END]
    return list(pairwise(items))


def written(sequences: Sequences, model: KneserNey) -> dict[str, BleuMetrics]:
    """Return BLEU of tag lines generated from their first tag, against the lines of listeners."""
    train = [*sequences.train, *sequences.validation]
    tag_counts: dict[str, int] = {}
    lines_by_first_tag: dict[str, dict[tuple[str, ...], int]] = {}
    for line in train:
        for tag in line:
            tag_counts[tag] = tag_counts.get(tag, 0) + 1
        line_counts = lines_by_first_tag.setdefault(line[0], {})
        line_counts[tuple(line)] = line_counts.get(tuple(line), 0) + 1
    frequent_tags = sorted(tag_counts, key=lambda tag: (-tag_counts[tag], tag))

    def most_common_line(first_tag: str) -> list[str]:
        lines = lines_by_first_tag.get(first_tag)
        if not lines:
            return [first_tag, *frequent_tags[: LINE - 1]]
        return list(max(lines.items(), key=lambda pair: (pair[1], pair[0]))[0])

    generated = {
        "kneser_ney": [
            model.continue_sequence(line[:1], max_items=LINE, allow_repeats=False) for line in sequences.test
        ],
        "commonest_line": [most_common_line(line[0]) for line in sequences.test],
        "most_frequent": [
            [line[0], *(tag for tag in frequent_tags if tag != line[0])][:LINE] for line in sequences.test
        ],
    }
    references = [", ".join(line) for line in sequences.test]
    return {name: bleu([", ".join(line) for line in lines], references) for name, lines in generated.items()}


def run(home: Home, *, progress: Progress = silent) -> TrainedResult:
    """Fit sessions, titles and tag lines, each if there are enough; measure; register.

    Raises:
        InputError: there are too few sessions, titles and tags.
    """
    clock = Clock(progress, 3)
    plays = raw_rows(home, "plays").select("user_id", "track_id", "event_timestamp").collect()
    kinds = [
        Sequences.cut("sessions", sessions(plays), fewest=5),
        Sequences.cut("titles", titles(scan(home, "tracks").collect()), fewest=2),
        Sequences.cut("tag_lines", tag_lines(raw_rows(home, "tags").collect()), fewest=2),
    ]
    kinds = [sequences for sequences in kinds if sequences.enough]
    if not kinds:
        raise InputError(
            expected="dozens of sessions, titles or tags",
            found="too few",
            next_command="refrain simulate",
        )
    clock.lap("sequences")
    metrics: dict[str, dict[str, float]] = {}
    files: dict[str, bytes] = {}
    summaries, evidence = [], None
    for sequences in kinds:
        model = chosen(sequences)
        evidence = evidence or _evidence(sequences, model)
        for name, value in perplexities(sequences, model).items():
            metrics[f"{sequences.kind}/{name}"] = {"perplexity": value, "rows": float(len(sequences.test))}
        summaries.append(f"{len(sequences.train):,} {sequences.kind.replace('_', ' ')} (order {model.order})")
        if sequences.kind == "tag_lines":
            for name, bleu_metrics in written(sequences, model).items():
                metrics.setdefault(f"{sequences.kind}/{name}", {"rows": float(bleu_metrics.rows)})["bleu"] = (
                    bleu_metrics.bleu
                )
                signature = bleu_metrics.signature
            summaries[-1] += f", BLEU {signature}"
        final = KneserNey(model.order, sequences.fewest).fit([*sequences.train, *sequences.validation, *sequences.test])
        files[f"{sequences.kind}.json.gz"] = final.to_bytes()
    clock.lap("measured")
    about = (
        f"What comes next. Learned from the older {TRAIN:.0%} of {'; '.join(summaries)}; asked about the newest "
        f"{1 - VALIDATION:.0%}. Rarer items are one unknown item."
    )
    newest = plays["event_timestamp"].max()
    version = registered(
        home,
        NAME,
        about=about,
        files=files,
        inputs=[("items", "string[]")],
        outputs=[("probability", "float64")],
        metrics=metrics,
        learned_from=[" ".join(line) for sequences in kinds for line in sequences.train],
        cutoff=round(newest.timestamp() * 1e6) if newest is not None else 0,  # type: ignore[union-attr]
        extra={"kind": "kneser_ney"},
        evidence=evidence,
    )
    clock.lap("registration")
    return TrainedResult(NAME, version, about, metrics, clock.seconds)


MODEL = FamilyModel(
    name=NAME,
    family="text",
    about="What comes next: in a session, a title, a line of tags.",
    raw=(
        "plays",
        "tracks",
        "tags",
    ),
    program=run,
)
