"""The result of a run with few listeners: what could not be measured, and what could, in plain sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.evaluate import RankingMetrics
from training.models.recommendation.bundle import NAME, iso
from training.models.recommendation.own_evaluation import BLEND, NAMES, Choice, OwnEvaluation
from training.models.recommendation.report import STYLE, table
from transforms.pure import svg
from transforms.pure.candidates.own import FAVOURITE_PLAYS, FORGOTTEN_DAYS

QUESTION_NAMES = {"start": "at the start of a session", "within": "within a session"}


@dataclass(frozen=True)
class OwnData:
    """How much there was to learn from.

    Attributes:
        plays: number of plays.
        listeners: number of listeners.
        tracks: number of tracks of the catalogue.
        unheard: number of tracks of the catalogue that nobody has played.
        first: time of the first play, µs since 1970 UTC.
        end: end of the plays.
    """

    plays: int
    listeners: int
    tracks: int
    unheard: int
    first: int
    end: int


def limits(data: OwnData, why: str) -> list[str]:
    """Says what cannot be measured with so few listeners.

    Args:
        data: how much there was.
        why: why the models that compare listeners were not trained.
    """
    alone = data.listeners == 1
    sentences = [
        f"Not trained and not measured: models that compare listeners (collaborative filtering and the rankers); {why}."
    ]
    if alone and not data.unheard:
        sentences.append(
            "Not heard before: the catalogue is what this one listener has played, so there is nothing to recommend."
        )
    elif alone:
        sentences.append(
            f"Not heard before: {data.unheard:,} tracks of the catalogue, ordered by how they are described; "
            "how good that is was not measured, for nothing of it was ever played."
        )
    else:
        sentences.append(
            "Not heard before: what the others played and what is described alike; how good that is was not measured."
        )
    return sentences


def measured(evaluation: OwnEvaluation, listeners: int) -> list[str]:
    """Says what was measured, and what the answers are ordered by."""
    whose = "this one listener" if listeners == 1 else f"these {listeners} listeners"
    sentences = []
    for question, choice in evaluation.choices.items():
        what = f"Hear again {QUESTION_NAMES[question]}"
        if choice.why_not is not None:
            sentences.append(
                f"{what}: not measured ({choice.why_not}). Answers are ordered by: {NAMES[choice.order]}, which learns "
                "nothing."
            )
            continue
        sentences.append(
            f"{what}: measured at {choice.moments} moments on {choice.days} days in the last fifth of the plays of "
            f"{whose}, which says nothing of others. Intervals are over moments. {_ordered_by(choice)}"
        )
    forgotten = evaluation.forgotten
    if forgotten.favourites:
        sentences.append(
            f"Forgotten favourites ({FAVOURITE_PLAYS} plays or more, none for {FORGOTTEN_DAYS} days): "
            f"{forgotten.favourites_heard} of {forgotten.favourites} were heard again in the last fifth; of the other "
            f"tracks that had rested as long, {forgotten.others_heard} of {forgotten.others}."
        )
    return sentences


def _ordered_by(choice: Choice) -> str:
    if choice.order != choice.best:
        return (
            f"Best on validation was: {NAMES[str(choice.best)]}. It lost on the test to: {NAMES[choice.order]}, so "
            "that answers are ordered by that."
        )
    weights = ", ".join(f"{NAMES[name]} {weight:.2f}" for name, weight in choice.weights.items() if weight)
    return f"Answers are ordered by: {NAMES[choice.order]}" + (f" ({weights})." if choice.order == BLEND else ".")


@dataclass(frozen=True)
class OwnResult:
    """The result of a run.

    Attributes:
        version: version of the registered bundle.
        data: how much there was to learn from.
        why: why the models that compare listeners were not trained.
        evaluation: what was measured.
        report: path of the report.
        seconds: stage → wall time in seconds.
    """

    version: int
    data: OwnData
    why: str
    evaluation: OwnEvaluation
    report: Path
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """Formats the result as lines for a terminal."""
        data = self.data
        yield (
            f"{data.plays:,} plays of {_count(data.listeners, 'listener')} and {_count(data.tracks, 'track')}, "
            f"{iso(data.first)[:10]} to {iso(data.end)[:10]}"
        )
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from limits(data, self.why)
        yield from measured(self.evaluation, data.listeners)
        for question, orders in metrics_by_question(self.evaluation).items():
            yield f"{'test: ' + question:46}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'moments':>9}"
            for order, figures in orders.items():
                yield (
                    f"  {NAMES[order]:44}{figures.ndcg_at_10:9.4f}{figures.ndcg_interval:9.4f}"
                    f"{figures.recall_at_20:11.4f}{figures.users:9}"
                )
        yield f"report: {self.report}"
        anyway = " --anyway" if self.evaluation.evidence is None else ""
        yield f"registered: {NAME} {self.version} (challenger). Next: refrain model promote {NAME}{anyway}"


def draw_page(data: OwnData, why: str, evaluation: OwnEvaluation) -> str:
    """Renders the report as one HTML page."""
    sentences = [*limits(data, why), *measured(evaluation, data.listeners)]
    tables = "".join(
        f"<h2>{svg.escape(question.capitalize())}</h2>" + table({NAMES[order]: m for order, m in orders.items()})
        for question, orders in metrics_by_question(evaluation).items()
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>{NAME}</title><style>{STYLE}</style><h1>{NAME}</h1>"
        + "".join(f"<p>{svg.escape(sentence)}</p>" for sentence in sentences)
        + tables
    )


def draw_card(version: int, data: OwnData, why: str, evaluation: OwnEvaluation) -> str:
    """Writes the model card as Markdown."""
    sentences = [*limits(data, why), *measured(evaluation, data.listeners)]
    lines = [f"# {NAME} {version}", "", "Answers to few listeners, each from their own plays.", ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in sentences), ""])


def metrics_by_question(evaluation: OwnEvaluation) -> dict[str, Mapping[str, RankingMetrics]]:
    """Returns the metrics of each question that was measured, by order."""
    return {
        f"hear again {QUESTION_NAMES[question]}": choice.metrics
        for question, choice in evaluation.choices.items()
        if choice.metrics
    }


def flatten(evaluation: OwnEvaluation) -> dict[str, float]:
    """Flattens the metrics for MLflow; values that are not finite are left out."""
    return {
        f"hear_again_{question}/{metric}_{order}": value
        for question, choice in evaluation.choices.items()
        for order, figures in choice.metrics.items()
        for metric, value in asdict(figures).items()
        if np.isfinite(value)
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
