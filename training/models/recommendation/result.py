"""The result of training the recommendation family, for a terminal and as figures of the run in MLflow."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.datasets import TimeSplit
from training.evaluate import RankingMetrics
from training.models.recommendation import evaluate
from training.models.recommendation.bundle import NAME


@dataclass(frozen=True)
class Result:
    """The result of a run; ``trust`` says in words from whom was not learned."""

    version: int
    metrics: dict[str, RankingMetrics]
    evaluation: evaluate.Evaluation
    split: TimeSplit
    training_rows: int
    training_set: Path
    report: Path
    seconds: dict[str, float]
    trust: str

    def lines(self) -> Iterator[str]:
        """Formats the result as lines for a terminal."""
        yield f"{self.training_rows:,} training rows → {self.training_set}"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        for question, models in self.evaluation.by_question.items():
            heading = f"test: {question}"
            yield f"{heading:30}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'coverage':>10}{'listeners':>11}"
            for model, figures in models.items():
                yield (
                    f"  {model:28}{figures.ndcg_at_10:9.4f}{figures.ndcg_interval:9.4f}{figures.recall_at_20:11.4f}"
                    f"{figures.coverage_at_10:10.3f}{figures.users:11}"
                )
        yield self.trust
        yield f"the hybrid orders by {self.evaluation.order}, chosen on validation"
        yield f"report: {self.report}"
        yield f"registered: {NAME} {self.version} (challenger). Next: refrain model promote {NAME}"


def flatten_metrics(evaluation: evaluate.Evaluation) -> dict[str, float]:
    """Flattens the metrics for MLflow; values that are not finite are left out."""
    figures = {
        f"test_{metric}_{model}": value for model, metric, value in _figures(evaluation.by_question["at the cutoff"])
    }
    for question, models in evaluation.by_question.items():
        if question != "at the cutoff":
            figures |= {
                f"{_metric_name(question)}/{metric}_{_metric_name(model)}": value
                for model, metric, value in _figures(models)
            }
    figures |= {f"segments/{metric}_{name}": value for name, metric, value in _figures(evaluation.segments)}
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _figures(models: Mapping[str, RankingMetrics]) -> Iterator[tuple[str, str, float]]:
    return ((model, metric, value) for model, figures in models.items() for metric, value in asdict(figures).items())


def _metric_name(name: str) -> str:
    return name.replace(",", "").replace(" ", "_")
