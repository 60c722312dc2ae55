"""What training a forecaster found, to be shown and registered."""

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
    """Of one run.

    Attributes:
        name: of the registered model.
        version: of it.
        training_rows: of all training sets.
        metrics: what is forecast → forecaster → figures on test.
        seconds: by stage.
        report: the page with plots.
        next_commands: what to do with it.
    """

    name: str
    version: int
    training_rows: int
    metrics: dict[str, dict[str, Metrics]]
    seconds: dict[str, float]
    report: Path

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield f"{self.training_rows:,} training rows"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from table(self.metrics)
        yield f"report: {self.report}"
        yield (
            f"registered: {self.name} {self.version} (challenger). Next: python -m training promote {self.name}, then "
            "python -m training forecast"
        )


def table(metrics: Mapping[str, Mapping[str, Metrics]]) -> Iterator[str]:
    """Figures as lines of text."""
    for what, by_name in metrics.items():
        first = next(iter(by_name.values()))
        if isinstance(first, ForecastMetrics):
            head = f"{'MASE':>8}{'sMAPE':>8}{'MAE':>11}{'RMSE':>11}{'in 80 %':>9}{'in 95 %':>9}{'steps':>10}"
        else:
            head = f"{'Brier':>8}{'log loss':>10}{'ROC AUC':>9}{'AP':>7}{'cal.err.':>10}{'rate':>7}{'rows':>10}"
        yield f"{what:26}{head}"
        for name, one in by_name.items():
            yield f"  {name:24}{_figures(one)}"


def _figures(one: Metrics) -> str:
    if isinstance(one, ForecastMetrics):
        shares = [f"{one.coverage[level]:9.3f}" if level in one.coverage else " " * 9 for level in (80, 95)]
        return f"{one.mase:8.3f}{one.smape:8.2f}{one.mae:11.3f}{one.rmse:11.3f}{''.join(shares)}{one.steps:10,}"
    return (
        f"{one.brier:8.4f}{one.log_loss:10.4f}{one.roc_auc:9.3f}{one.average_precision:7.3f}"
        f"{one.calibration_error:10.4f}{one.base_rate:7.3f}{one.rows:10,}"
    )


def flat(metrics: Mapping[str, Mapping[str, Metrics]]) -> dict[str, dict[str, float]]:
    """``what/forecaster`` → figure → number, for manifests and MLflow."""
    found: dict[str, dict[str, float]] = {}
    for what, by_name in metrics.items():
        for name, one in by_name.items():
            numbers: dict[str, float] = {}
            for key, value in asdict(one).items():
                if isinstance(value, dict):
                    numbers |= {f"{key}_{level}": float(share) for level, share in value.items()}
                else:
                    numbers[key] = float(value)
            found[f"{what}/{name}"] = {key: value for key, value in numbers.items() if math.isfinite(value)}
    return found


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
    """Register a bundle of the family; returns its version.

    Args:
        home: the data folder.
        name: of the model.
        files: content by name.
        metrics: on test.
        pulled: the training set.
        inputs: columns of its models, in order.
        cutoff: ISO 8601.
        parameters: of the run.
        about: what it does and where it ends, for the card.
        extra: what forecasting with it needs.
        evidence: of the test, unit by unit.
    """
    figures = flat(metrics)

    def write(folder: Path, version: int) -> BundleManifest:
        told = [f"# {name} {version}", "", about, "", f"Nothing after {cutoff} was known.", ""]
        card = "\n".join([*told, "```", *table(metrics), "```", ""])
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
        f"test_{metric}_{what}".replace("%", ""): value
        for what, numbers in figures.items()
        for metric, value in numbers.items()
    }
    return register(
        home, name, parameters=parameters, metrics=logged, write=write, evidence=evidence, training_sets=[pulled]
    )
