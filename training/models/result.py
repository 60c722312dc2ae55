"""The result of training a model, and the registration of models of texts or sounds."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from training.bundle import BundleManifest, write_bundle
from training.datasets.sample import Sample
from training.registry import register
from training.validation.evidence import Evidence

_NOT_IN_METRICS = re.compile(r"[^\w\-. :/]")
"""Characters that names of MLflow's metrics may not have: a figure may be named after a class, such as R&B."""


@dataclass(frozen=True)
class TrainedResult:
    """The result of training one model.

    Attributes:
        name: name of the registered model.
        version: registered version.
        about: description of training data and test.
        metrics: model or baseline → figure → value, on the test.
        seconds: stage → wall time in seconds.
    """

    name: str
    version: int
    about: str
    metrics: dict[str, dict[str, float]]
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report for a terminal."""
        yield self.about
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from table(self.metrics)
        yield f"registered: {self.name} {self.version} (challenger). Next: refrain model promote {self.name}"


MOST_COLUMNS = 6


def table(metrics: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield figures as lines of a text table: one row per model, or one row per figure if there are many."""
    figures = list(dict.fromkeys(name for values in metrics.values() for name in values if name != "rows"))
    if len(figures) > MOST_COLUMNS:
        yield f"{'':36}" + "".join(f"{model:>20}" for model in metrics)
        for name in figures:
            cells = (f"{values[name]:20.4f}" if name in values else " " * 20 for values in metrics.values())
            yield f"{name.replace('_', ' '):36}" + "".join(cells)
        return
    yield f"{'':24}" + "".join(f"{name.replace('_', ' '):>24}" for name in figures)
    for model, values in metrics.items():
        cells = (f"{values[name]:24.4f}" if name in values else " " * 24 for name in figures)
        yield f"{model:24}" + "".join(cells)


def registered(
    home: Home,
    name: str,
    *,
    about: str,
    files: Mapping[str, bytes],
    outputs: Sequence[tuple[str, str]],
    metrics: Mapping[str, Mapping[str, float]],
    learned_from: Sequence[str],
    cutoff: int,
    extra: Mapping[str, Any],
    inputs: Sequence[tuple[str, str]] = (("text", "string"),),
    training_sets: Sequence[Sample] = (),
    family: str = "text",
    evidence: Evidence | None = None,
) -> int:
    """Register a bundle as the next version; return the version.

    Args:
        home: the data folder.
        name: name of the model.
        about: description of training data and test.
        files: name → content of the bundle's files.
        outputs: name and type of each output.
        metrics: model or baseline → figure → value.
        learned_from: the training texts, for their digest.
        cutoff: latest known time of the training data, in microseconds.
        extra: metadata that loading needs.
        inputs: name and type of each input.
        training_sets: pulled training sets, the first of the model's feature service; empty for models of raw texts.
        family: family of the model.
        evidence: test results by unit.
    """
    cutoff_iso = datetime.fromtimestamp(cutoff / 1e6, UTC).isoformat()
    digest = hashlib.sha256("\n".join(learned_from).encode(errors="surrogatepass")).hexdigest()

    def write(folder: Path, version: int) -> BundleManifest:
        readme = "\n".join([f"# {name} {version}", "", about, "", "```", *table(metrics), "```", ""])
        return write_bundle(
            folder,
            {**files, "README.md": readme.encode()},
            {
                "name": name,
                "version": version,
                "family": family,
                "feature_service": training_sets[0].service if training_sets else "",
                "fingerprint": training_sets[0].manifest["fingerprint"] if training_sets else "",
                "inputs": list(inputs),
                "outputs": list(outputs),
                "metrics": {model: dict(values) for model, values in metrics.items()},
                "training_set": digest,
                "cutoff": cutoff_iso,
                "extra": dict(extra),
            },
        )

    all_metrics = {
        _NOT_IN_METRICS.sub("_", f"test_{figure}_{model}"): value
        for model, values in metrics.items()
        for figure, value in values.items()
    }
    finite_metrics = {name: value for name, value in all_metrics.items() if not math.isnan(value)}
    parameters = {"learned_from": len(learned_from), "cutoff": cutoff_iso}
    return register(
        home,
        name,
        parameters=parameters,
        metrics=finite_metrics,
        write=write,
        evidence=evidence,
        training_sets=training_sets,
    )


def figures(metrics: Any) -> dict[str, float]:
    """Return the fields of a dataclass of metrics as floats."""
    return {name: float(value) for name, value in asdict(metrics).items()}
