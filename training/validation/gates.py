"""The decision whether a version may serve: every gate that was checked, and its result in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.evaluate.probabilities import calibration_error
from training.models.base import Gates
from training.validation.baselines import compare_with_baselines, compare_with_permuted, figures_are_known
from training.validation.bootstrap import Interval
from training.validation.check import Check
from training.validation.comparison import in_words, non_inferiority
from training.validation.evidence import Evidence
from training.validation.suspicions import check_familiar_units, near_perfect

DRAWS = 30
"""Number of outcomes that are drawn from the chances, to see how far off they are by chance."""
FEWEST = 30
"""Fewest test units that two versions must share to be compared on them."""


@dataclass(frozen=True)
class Decision:
    """The decision on one version.

    Attributes:
        checks: results of all gates.
        champion: version that it was compared with; 0 if there was none.
        gates: the limits; None in earlier decisions.
    """

    checks: tuple[Check, ...]
    champion: int = 0
    gates: Gates | None = None

    @property
    def may_serve(self) -> bool:
        """Whether every binding gate passed."""
        return all(check.passed for check in self.checks if check.binding)

    @property
    def answer(self) -> Literal["pass", "fail", "undecided"]:
        """The answer of all gates: ``undecided`` if none failed and the evidence is too small for one of them."""
        if self.may_serve:
            return "pass"
        is_failure = any(check.verdict == "FAILED" for check in self.checks)
        return "fail" if is_failure else "undecided"

    @property
    def reasons(self) -> list[str]:
        """Reasons of a refusal: the binding gates that did not pass."""
        return [f"{check.name}: {check.summary}" for check in self.checks if check.binding and not check.passed]

    def to_json(self) -> str:
        """Returns the decision as JSON, as stored in the bundle."""
        content = {
            "may_serve": self.may_serve,
            "answer": self.answer,
            "champion": self.champion,
            "gates": None if self.gates is None else asdict(self.gates),
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Decision | None":
        """Reads a decision; None if there is none."""
        try:
            content = json.loads(path.read_text())
            checks = tuple(Check.from_json(check) for check in content["checks"])
            return cls(checks, int(content["champion"]), _gates(content.get("gates")))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _gates(content: Mapping[str, Any] | None) -> Gates | None:
    return None if content is None else Gates(**{**content, "required": tuple(content["required"])})


def decide(
    evidence: Evidence | None,
    gates: Gates,
    *,
    champion: Evidence | None = None,
    version: int = 0,
    data: Sequence[Check] = (),
    fairness: Sequence[Check] = (),
) -> Decision:
    """Checks the gates of a version.

    Args:
        evidence: evidence of its test; without it a person must decide.
        gates: thresholds of the model.
        champion: evidence of the version that serves, if there is one.
        version: version of the champion; 0 if there is none.
        data: checks of the training sets.
        fairness: checks of the limits that the project declares.
    """
    if evidence is None:
        unmeasured = Check("measured", False, "it has no test evidence", undecided=True)
        return Decision((*data, unmeasured, *fairness), version, gates)
    checks = [
        *data,
        figures_are_known(evidence),
        *compare_with_baselines(evidence, gates),
        *compare_with_permuted(evidence, gates),
        near_perfect(evidence, gates),
        *check_familiar_units(evidence, gates),
    ]
    if version:
        checks.append(_no_worse_than_champion(evidence, champion, version, gates))
    if gates.calibration is not None and len(evidence.chance):
        checks.append(_calibration(evidence, gates.calibration))
    checks.extend(fairness)
    checks.extend(_segments(evidence, gates))
    return Decision(tuple(checks), version, gates)


def _calibration(evidence: Evidence, limit: float) -> Check:
    """Checks the distance of chances and frequencies, less the distance that chance alone makes in so few units."""
    error = calibration_error(evidence.outcome, evidence.chance)
    rng = np.random.default_rng(0)
    drawn = [(rng.random(len(evidence.chance)) < evidence.chance).astype(float) for _ in range(DRAWS)]
    by_chance = float(np.mean([calibration_error(outcome, evidence.chance) for outcome in drawn]))
    message = f"chances are off by {error:.3f}, {by_chance:.3f} of it by chance; limit {limit} beyond that"
    return Check("calibration", error - by_chance <= limit, message)


def _no_worse_than_champion(evidence: Evidence, champion: Evidence | None, version: int, gates: Gates) -> Check:
    """Compares with the champion on the units that both tests share; on all units of both if they share too few."""
    name, other = "champion", f"version {version}"
    if champion is None or champion.metric != evidence.metric:
        return Check(name, True, f"version {version} has no test evidence to compare with", binding=False)
    allowed = gates.margin * abs(champion.figure().mean)
    gain = evidence.gain_over(champion)
    where = "the units that both tests share"
    if gain is None or gain.units < FEWEST:
        gain, where = _difference(evidence, champion), "other units"
    outcome = "fail" if gain.mean < 0 else non_inferiority(gain, allowed, 2)
    message = f"{in_words(gain, other)}, on {where} ({gain.units:,}); limit {-allowed:.4f}"
    return Check(name, outcome == "pass", message, undecided=outcome == "undecided")


def _difference(evidence: Evidence, champion: Evidence) -> Interval:
    """Returns the difference of two means of different units, whose errors are independent."""
    figure, other = evidence.figure(), champion.figure()
    sign = 1 if evidence.higher_is_better else -1
    difference = sign * (figure.mean - other.mean)
    half = float(np.hypot(figure.high - figure.low, other.high - other.low)) / 2
    clusters = min(figure.clusters, other.clusters)
    return Interval(difference, difference - half, difference + half, min(figure.units, other.units), clusters)


def _segments(evidence: Evidence, gates: Gates) -> list[Check]:
    """Notes the segments that are far behind.

    Not binding: a segment may be harder, and a person must judge whether that is fair.
    """
    overall = evidence.figure()
    sign = 1 if evidence.higher_is_better else -1
    checks = []
    for division in evidence.segments:
        segments_behind = [
            f"{name} {figure}"
            for name, figure in evidence.by_segment(division).items()
            if sign * (overall.mean - figure.mean) > gates.segment * abs(overall.mean)
            and sign * (overall.mean - (figure.high if sign > 0 else figure.low)) > 0
        ]
        message = (
            f"behind {overall} over all: {', '.join(segments_behind)}" if segments_behind else "none is far behind"
        )
        checks.append(Check(f"segments of {division}", not segments_behind, message, binding=False))
    return checks
