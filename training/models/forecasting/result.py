"""The result of training a forecaster: formatting and registration."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from training.bundle import BundleManifest, write_bundle
from training.datasets import Sample
from training.evaluate import ForecastMetrics, ProbabilityMetrics
from training.registry import register
from training.validation.evidence import Evidence

Metrics = ForecastMetrics | ProbabilityMetrics


@dataclass(frozen=True)
class ForecastResult:
    """The result of one run.

    Attributes:
        name: name of the registered model.
        version: registered version.
        training_rows: number of rows of all training sets.
        metrics: forecast target → forecaster → metrics on test.
        seconds: stage → wall time.
        report: path of the HTML report.
    """

    name: str
    version: int
    training_rows: int
    metrics: dict[str, dict[str, Metrics]]
    seconds: dict[str, float]
    report: Path

    def lines(self) -> Iterator[str]:
        """Formats the result as lines for a terminal."""
        yield f"{self.training_rows:,} training rows"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from table(self.metrics)
        yield f"report: {self.report}"
        yield (
            f"registered: {self.name} {self.version} (challenger). Next: refrain model promote {self.name}, then "
            "refrain model forecast"
        )


def table(metrics: Mapping[str, Mapping[str, Metrics]]) -> Iterator[str]:
    """Formats metrics as lines of text."""
    for target, by_name in metrics.items():
        first = next(iter(by_name.values()))
        if isinstance(first, ForecastMetrics):
            head = f"{'MASE':>8}{'sMAPE':>8}{'MAE':>11}{'RMSE':>11}{'in 80 %':>9}{'in 95 %':>9}{'steps':>10}"
        else:
            head = f"{'Brier':>8}{'log loss':>10}{'ROC AUC':>9}{'AP':>7}{'cal.err.':>10}{'rate':>7}{'rows':>10}"
        yield f"{target:26}{head}"
        for name, forecaster_metrics in by_name.items():
            yield f"  {name:24}{_figures(forecaster_metrics)}"


def _figures(metrics: Metrics) -> str:
    if isinstance(metrics, ForecastMetrics):
        shares = [f"{metrics.coverage[level]:9.3f}" if level in metrics.coverage else " " * 9 for level in (80, 95)]
        return (
            f"{metrics.mase:8.3f}{metrics.smape:8.2f}{metrics.mae:11.3f}{metrics.rmse:11.3f}"
            f"{''.join(shares)}{metrics.steps:10,}"
        )
    return (
        f"{metrics.brier:8.4f}{metrics.log_loss:10.4f}{metrics.roc_auc:9.3f}{metrics.average_precision:7.3f}"
        f"{metrics.calibration_error:10.4f}{metrics.base_rate:7.3f}{metrics.rows:10,}"
    )


def flat(metrics: Mapping[str, Mapping[str, Metrics]]) -> dict[str, dict[str, float]]:
    """Flattens metrics to ``target/forecaster`` → metric → number, for manifests and MLflow."""
    by_key: dict[str, dict[str, float]] = {}
    for target, by_name in metrics.items():
        for name, forecaster_metrics in by_name.items():
            numbers: dict[str, float] = {}
            for key, value in asdict(forecaster_metrics).items():
                if isinstance(value, dict):
                    numbers |= {f"{key}_{level}": float(share) for level, share in value.items()}
                else:
                    numbers[key] = float(value)
            by_key[f"{target}/{name}"] = {key: value for key, value in numbers.items() if math.isfinite(value)}
    return by_key


def register_forecaster(
    home: Home,
    name: str,
    *,
    files: Mapping[str, bytes],
    metrics: Mapping[str, Mapping[str, Metrics]],
    pulled: Sample,
    inputs: list[str],
    cutoff: str,
    parameters: dict[str, Any],
    about: str,
    extra: dict[str, Any],
    evidence: Evidence | None = None,
) -> int:
    """Registers a bundle of the family; returns its version.

    Args:
        home: the data folder.
        name: name of the model.
        files: file name → content.
        metrics: forecast target → forecaster → metrics on test.
        pulled: training set.
        inputs: input columns of the models, in order.
        cutoff: end of the training data, ISO 8601.
        parameters: parameters of the run.
        about: purpose and limits of the model, for the model card.
        extra: settings and constants that ``forecast`` reads from the bundle.
        evidence: errors of each unit of the test.
    """
    figures = flat(metrics)

    def write(folder: Path, version: int) -> BundleManifest:
        header = [f"# {name} {version}", "", about, "", f"Nothing after {cutoff} was known.", ""]
        card = "\n".join([*header, "```", *table(metrics), "```", ""])
        manifest = {
            "name": name,
            "version": version,
            "family": "forecasting",
            "feature_service": pulled.service,
            "fingerprint": pulled.manifest["fingerprint"],
            "inputs": [(column, "float32") for column in inputs],
            "outputs": [("score", "float32")],
            "metrics": figures,
            "training_set": pulled.manifest["digest"],
            "cutoff": cutoff,
            "extra": extra,
        }
        return write_bundle(folder, {**files, "README.md": card.encode()}, manifest)

    logged = {
        f"test_{metric}_{key}".replace("%", ""): value
        for key, numbers in figures.items()
        for metric, value in numbers.items()
    }
    return register(
        home, name, parameters=parameters, metrics=logged, write=write, evidence=evidence, training_sets=[pulled]
    )
