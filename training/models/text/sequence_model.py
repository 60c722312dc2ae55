"""What comes next: tracks of a session, words of a title, tags of an artist's tag line.

The n-gram model of ``kneser_ney``, its order chosen on validation, beside models that know less: how often an item
comes at all, and pairs with a count of one added (Laplace). Tag lines are written from their first tag and compared
with what listeners wrote, by BLEU.
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
from training.evaluate.generation import BleuMetrics, bleu
from training.models.base import FamilyModel
from training.models.result import TrainedResult, registered
from training.models.text.kneser_ney import END, UNKNOWN, KneserNey
from training.validation.evidence import OURS, Evidence
from transforms.pure.text.words import words
from transforms.raw.read import scan

NAME = "sequence_model"
MOST_UNITS = 2_000
"""Sequences of the test that are kept as evidence."""
ORDERS = (2, 3, 4)
PAUSE = 30 * 60
"""Seconds without a play after which a session is over."""
TRAIN, VALIDATION = 0.7, 0.85
"""Shares until which sequences are learned from, and until which the order is chosen; the rest is asked once."""
FEWEST_ITEMS = 12
LINE, FEWEST_TAGS = 5, 3
"""Tags of a line at the most, and different ones that an artist must have."""


@dataclass(frozen=True)
class Sequences:
    """Sequences of one kind, cut by time.

    Attributes:
        kind: what they are.
        train: to learn from.
        validation: to choose the order.
        test: asked once.
        fewest: times an item must be seen to be known by name.
    """

    kind: str
    train: list[list[str]]
    validation: list[list[str]]
    test: list[list[str]]
    fewest: int

    @property
    def enough(self) -> bool:
        """Whether there is something to learn and to ask: made-up titles of one word each share none."""
        known = KneserNey(1, self.fewest).fit(self.train).vocabulary
        return len(self.test) >= 5 and len(self.validation) >= 5 and len(known) >= FEWEST_ITEMS

    @classmethod
    def cut(cls, kind: str, ordered: Sequence[list[str]], fewest: int) -> "Sequences":
        """By share, of sequences in order of time."""
        first, second = int(len(ordered) * TRAIN), int(len(ordered) * VALIDATION)
        return cls(kind, list(ordered[:first]), list(ordered[first:second]), list(ordered[second:]), fewest)


def sessions(plays: pl.DataFrame) -> list[list[str]]:
    """Tracks of each session of each listener, sessions in order of their beginning."""
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
    """Words of distinct titles, in the order in which they came to be known."""
    first = (
        tracks.drop_nulls("title")
        .sort("event_timestamp", "track_id")
        .unique("title", keep="first", maintain_order=True)
    )
    return list({" ".join(told): told for title in first["title"].to_list() if (told := words(title))}.values())


def tag_lines(tags: pl.DataFrame) -> list[list[str]]:
    """The most frequent tags of each artist, artists in the order in which they were first tagged."""
    plain = tags.with_columns(pl.col("tag").str.to_lowercase().str.strip_chars())
    counted = plain.group_by("artist_id", "tag").len().sort("len", "tag", descending=[True, False])
    line = counted.group_by("artist_id", maintain_order=True).agg(pl.col("tag").head(LINE), pl.len().alias("tags"))
    since = plain.group_by("artist_id").agg(pl.col("event_timestamp").min())
    enough = line.filter(pl.col("tags") >= FEWEST_TAGS).join(since, on="artist_id")
    return enough.sort("event_timestamp", "artist_id")["tag"].to_list()


def chosen(sequences: Sequences, orders: Sequence[int] = ORDERS) -> KneserNey:
    """The order that predicts the validation sequences best."""
    models = [KneserNey(order, sequences.fewest).fit(sequences.train) for order in orders]
    return models[int(np.argmin([model.perplexity(sequences.validation) for model in models]))]


def perplexities(sequences: Sequences, model: KneserNey) -> dict[str, float]:
    """Of the model and of those that know less, on test, each with the same vocabulary."""
    return {
        "kneser_ney": model.perplexity(sequences.test),
        "how_often": KneserNey(1, sequences.fewest).fit(sequences.train).perplexity(sequences.test),
        "pairs_plus_one": _laplace(sequences),
    }


def _evidence(sequences: Sequences, model: KneserNey) -> Evidence:
    """Log perplexity of each of the first test sequences, beside that of how often items are."""
    some = sequences.test[:MOST_UNITS]
    plain = KneserNey(1, sequences.fewest).fit(sequences.train)
    told = {
        who: np.log([one.perplexity([told]) for told in some]) for who, one in ((OURS, model), ("how_often", plain))
    }
    return Evidence.of("log_perplexity", ["|".join(told) for told in some], told)


def _laplace(sequences: Sequences) -> float:
    known = KneserNey(1, sequences.fewest).fit(sequences.train).vocabulary
    pairs: dict[tuple[str, str], int] = {}
    before: dict[str, int] = {}
    for told in sequences.train:
        for first, second in _pairs(told, known):
            pairs[first, second] = pairs.get((first, second), 0) + 1
            before[first] = before.get(first, 0) + 1
    logs = [
        np.log((pairs.get((first, second), 0) + 1) / (before.get(first, 0) + len(known)))
        for told in sequences.test
        for first, second in _pairs(told, known)
    ]
    return float(np.exp(-np.mean(logs))) if logs else float("nan")


def _pairs(told: list[str], known: frozenset[str]) -> list[tuple[str, str]]:
    items = ["", *(item if item in known else UNKNOWN for item in told), END]
    return list(pairwise(items))


def written(sequences: Sequences, model: KneserNey) -> dict[str, BleuMetrics]:
    """Tag lines written from their first tag, against what listeners wrote."""
    train = [*sequences.train, *sequences.validation]
    often: dict[str, int] = {}
    whole: dict[str, dict[tuple[str, ...], int]] = {}
    for line in train:
        for tag in line:
            often[tag] = often.get(tag, 0) + 1
        same = whole.setdefault(line[0], {})
        same[tuple(line)] = same.get(tuple(line), 0) + 1
    most = sorted(often, key=lambda tag: (-often[tag], tag))

    def commonest(first: str) -> list[str]:
        lines = whole.get(first)
        if not lines:
            return [first, *most[: LINE - 1]]
        return list(max(lines.items(), key=lambda pair: (pair[1], pair[0]))[0])

    answers = {
        "kneser_ney": [model.continued(line[:1], longest=LINE, twice=False) for line in sequences.test],
        "commonest_line": [commonest(line[0]) for line in sequences.test],
        "most_frequent": [[line[0], *(tag for tag in most if tag != line[0])][:LINE] for line in sequences.test],
    }
    truth = [", ".join(line) for line in sequences.test]
    return {name: bleu([", ".join(line) for line in lines], truth) for name, lines in answers.items()}


def run(home: Home, *, progress: Progress = silent) -> TrainedResult:
    """Fit to sessions, titles and tag lines, as far as there are any; measure; register.

    Raises:
        InputError: there are neither plays nor titles nor tags.
    """
    clock = Clock(progress, 3)
    plays = scan(home, "plays").select("user_id", "track_id", "event_timestamp").collect()
    kinds = [
        Sequences.cut("sessions", sessions(plays), fewest=5),
        Sequences.cut("titles", titles(scan(home, "tracks").collect()), fewest=2),
        Sequences.cut("tag_lines", tag_lines(scan(home, "tags").collect()), fewest=2),
    ]
    kinds = [one for one in kinds if one.enough]
    if not kinds:
        raise InputError(
            expected="sessions, titles or tags, some dozens of them",
            found="too few",
            next_command="python -m transforms simulate",
        )
    clock.lap("sequences")
    metrics: dict[str, dict[str, float]] = {}
    files: dict[str, bytes] = {}
    told, evidence = [], None
    for one in kinds:
        model = chosen(one)
        evidence = evidence or _evidence(one, model)
        for who, value in perplexities(one, model).items():
            metrics[f"{one.kind}/{who}"] = {"perplexity": value, "rows": float(len(one.test))}
        told.append(f"{len(one.train):,} {one.kind.replace('_', ' ')} (order {model.order})")
        if one.kind == "tag_lines":
            for who, found in written(one, model).items():
                metrics.setdefault(f"{one.kind}/{who}", {"rows": float(found.rows)})["bleu"] = found.bleu
                signature = found.signature
            told[-1] += f", BLEU {signature}"
        final = KneserNey(model.order, one.fewest).fit([*one.train, *one.validation, *one.test])
        files[f"{one.kind}.json.gz"] = final.to_bytes()
    clock.lap("measured")
    about = (
        f"What comes next. Learned from the older {TRAIN:.0%} of {'; '.join(told)}; asked about the newest "
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
        learned_from=[" ".join(line) for one in kinds for line in one.train],
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
