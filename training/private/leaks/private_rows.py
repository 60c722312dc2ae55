"""What a private model of rows gives away, measured on simulated people: membership by what it answers.

The mechanism of the version is run with its ε, δ and learner; no person of the data folder is in any of the runs, so
that the figures cost no privacy and may stand in a card.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from training.models.lightgbm_onnx import OnnxBooster
from training.private.differential.rows.fit import LearnerName, PrivateRows
from training.private.leaks.leak import Leak
from training.private.leaks.lira import logit
from training.private.leaks.shadows import attack_models, shadow_confidence
from training.private.leaks.subject import Request

PEOPLE, COLUMNS, MOST_ROWS = 2_000, 12, 4
WHY_SIMULATED = "figures of them would tell of them outside of ε"


def measure_version(extra: Mapping[str, Any], request: Request) -> tuple[Sequence[Leak], dict[str, str]]:
    """Attacks the mechanism of a registered version on simulated people.

    Args:
        extra: the manifest's ``extra``, with ``privacy`` and ``learner``.
        request: what is to be measured; its people are not read.

    Returns:
        The figures, and attack → why it does not apply.
    """
    learner = cast(LearnerName, str(extra["learner"]).removeprefix("private_"))
    left_out = {"attacks on its own people": WHY_SIMULATED}
    if learner == "network" and (find_spec("torch") is None or find_spec("opacus") is None):
        return [], {**left_out, "lira on simulated people": "the extra deep is not installed"}
    privacy = extra["privacy"]
    settings = PrivateRows(float(privacy["epsilon"]), float(privacy["delta"]), learner)
    return measure(settings, request), left_out


def measure(settings: PrivateRows, request: Request, noise: np.random.Generator | None = None) -> list[Leak]:
    """Attacks a mechanism on simulated people.

    Args:
        settings: the mechanism.
        request: number of shadow models, seed and progress.
        noise: a seeded generator of the mechanism's noise, in tests; None for the operating system's randomness.
    """
    inputs, labels, people = simulate(np.random.default_rng(request.seed))
    columns, size = [f"column {number}" for number in range(COLUMNS)], np.bincount(people, minlength=PEOPLE)

    def fit(is_in: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(is_in[people])
        release = settings.release(inputs[rows], labels[rows], people[rows], columns, {}, noise)
        chances = OnnxBooster(release.onnx).predict(inputs)
        confidence = logit(np.where(labels > 0, chances, 1 - chances))
        return np.asarray(np.bincount(people, confidence, minlength=PEOPLE) / size)

    confidence, is_in = shadow_confidence(PEOPLE, request.shadows, fit, request.seed, request.progress)
    return attack_models(f"answers of the private {settings.learner}", confidence, is_in, "simulated person")


def simulate(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, d) columns, (n,) labels and (n,) people: rows of a person lie near each other, labels follow from some.

    >>> inputs, labels, people = simulate(np.random.default_rng(0))
    >>> inputs.shape[1], np.unique(labels).tolist(), len(np.unique(people))
    (12, [0.0, 1.0], 2000)
    """
    people = np.repeat(np.arange(PEOPLE), rng.integers(1, MOST_ROWS + 1, PEOPLE))
    inputs = rng.normal(size=(PEOPLE, COLUMNS))[people] + 0.5 * rng.normal(size=(len(people), COLUMNS))
    chances = 1 / (1 + np.exp(-inputs[:, : COLUMNS // 3].sum(axis=1)))
    return inputs.astype(np.float32), (rng.random(len(people)) < chances).astype(np.float64), people
