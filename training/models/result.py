"""What training a model found, and the bundle of a model of texts or sounds."""

import hashlib
import math
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


@dataclass(frozen=True)
class TrainedResult:
    """Of one run.

    Attributes:
        name: of the registered model.
        version: of it.
        about: what was learned from and asked, in words.
        metrics: who → figure → value, on texts that nothing was learned from.
        seconds: by stage.
    """

    name: str
    version: int
    about: str
    metrics: dict[str, dict[str, float]]
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield self.about
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from table(self.metrics)
        yield f"registered: {self.name} {self.version} (challenger). Next: python -m training promote {self.name}"


MOST_COLUMNS = 6


def table(metrics: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Figures as lines of text: a row a model, or a row a figure where these are many."""
    figures = list(dict.fromkeys(name for values in metrics.values() for name in values if name != "rows"))
    if len(figures) > MOST_COLUMNS:
        yield f"{'':36}" + "".join(f"{who:>20}" for who in metrics)
        for name in figures:
            told = (f"{values[name]:20.4f}" if name in values else " " * 20 for values in metrics.values())
            yield f"{name.replace('_', ' '):36}" + "".join(told)
        return
    yield f"{'':24}" + "".join(f"{name.replace('_', ' '):>24}" for name in figures)
    for who, values in metrics.items():
        told = (f"{values[name]:24.4f}" if name in values else " " * 24 for name in figures)
        yield f"{who:24}" + "".join(told)


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
    """Register a bundle as the next version; returns it.

    Args:
        home: the data folder.
        name: of the model.
        about: what was learned from and asked, in words.
        files: of the bundle.
        outputs: name and type of each.
        metrics: who → figure → value.
        learned_from: the texts, for their digest.
        cutoff: microseconds; nothing later was known.
        extra: what loading needs.
        inputs: name and type of each.
        training_sets: that were pulled, the first of the service that it eats; none if it makes features of raw texts.
        family: of the model.
        evidence: of the test, unit by unit.
    """
    moment = datetime.fromtimestamp(cutoff / 1e6, UTC).isoformat()
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
                "metrics": {who: dict(values) for who, values in metrics.items()},
                "training_set": digest,
                "cutoff": moment,
                "extra": dict(extra),
            },
        )

    told = {f"test_{figure}_{who}": value for who, values in metrics.items() for figure, value in values.items()}
    known = {name: value for name, value in told.items() if not math.isnan(value)}
    parameters = {"learned_from": len(learned_from), "cutoff": moment}
    return register(
        home,
        name,
        parameters=parameters,
        metrics=known,
        write=write,
        evidence=evidence,
        training_sets=training_sets,
    )


def figures(metrics: Any) -> dict[str, float]:
    """A dataclass of metrics as floats."""
    return {name: float(value) for name, value in asdict(metrics).items()}
