"""The decision whether a version may serve: every gate that was checked, and its result in words."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.evaluate.probabilities import calibration_error
from training.models.base import Gates
from training.validation.evidence import Evidence

FEWEST = 30
"""Fewest test units that two versions must share to be compared on them."""


@dataclass(frozen=True)
class Check:
    """The result of one gate.

    Attributes:
        name: name of the gate.
        passed: whether the version passes.
        summary: the result in words.
        binding: whether a failure keeps the version from serving; otherwise it is only a note.
        of_data: whether the gate is about the training set alone, and so the same for every champion.
    """

    name: str
    passed: bool
    summary: str
    binding: bool = True
    of_data: bool = False

    @property
    def verdict(self) -> str:
        """``passed``, ``FAILED``, or ``note`` if the gate is not binding."""
        return "passed" if self.passed else "FAILED" if self.binding else "note"


def _check(content: dict[str, Any]) -> Check:
    """Returns a check as JSON has it; earlier decisions call the summary ``told``."""
    return Check(**{"summary" if key == "told" else key: value for key, value in content.items()})


@dataclass(frozen=True)
class Decision:
    """The decision on one version.

    Attributes:
        checks: results of all gates.
        champion: version that it was compared with; 0 if there was none.
    """

    checks: tuple[Check, ...]
    champion: int = 0

    @property
    def may_serve(self) -> bool:
        """Whether no binding gate failed."""
        return all(check.passed for check in self.checks if check.binding)

    @property
    def reasons(self) -> list[str]:
        """Reasons of a refusal: the binding gates that failed."""
        return [f"{check.name}: {check.summary}" for check in self.checks if check.binding and not check.passed]

    def to_json(self) -> str:
        """Returns the decision as JSON, as stored in the bundle."""
        content = {
            "may_serve": self.may_serve,
            "champion": self.champion,
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Decision | None":
        """Reads a decision; None if there is none."""
        try:
            content = json.loads(path.read_text())
            return cls(tuple(_check(check) for check in content["checks"]), int(content["champion"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def decide(
    evidence: Evidence | None,
    gates: Gates,
    *,
    champion: Evidence | None = None,
    version: int = 0,
    data: Sequence[Check] = (),
) -> Decision:
    """Checks the gates of a version.

    Args:
        evidence: evidence of its test; without it a person must decide.
        gates: thresholds of the model.
        champion: evidence of the version that serves, if there is one.
        version: version of the champion; 0 if there is none.
        data: checks of the training sets.
    """
    if evidence is None:
        return Decision((*data, Check("measured", False, "it has no test evidence")), version)
    checks = [*data, _better_than_baseline(evidence, gates), _simpler(evidence)]
    if version:
        checks.append(_no_worse_than_champion(evidence, champion, version, gates))
    if gates.calibration is not None and len(evidence.chance):
        error = calibration_error(evidence.outcome, evidence.chance)
        checks.append(
            Check(
                "calibration", error <= gates.calibration, f"chances are off by {error:.3f}, limit {gates.calibration}"
            )
        )
    checks.extend(_segments(evidence, gates))
    return Decision(tuple(checks), version)


def _better_than_baseline(evidence: Evidence, gates: Gates) -> Check:
    names = [gates.baseline] if gates.baseline in evidence.values else evidence.baselines
    gains = {baseline: evidence.gain(baseline) for baseline in names if baseline}
    if not gains:
        return Check("baseline", True, "there is none", binding=False)
    message = "; ".join(f"{gain.signed} better than {baseline}" for baseline, gain in gains.items())
    passed = any(gain.mean > 0 or (gates.ties and gain.mean == 0) for gain in gains.values())
    return Check("baseline", passed, message)


def _simpler(evidence: Evidence) -> Check:
    """Notes the baselines that are surely better. Not binding: they call for a person, or a search."""
    ahead = [
        f"{baseline} ({gain.signed})" for baseline in evidence.baselines if (gain := evidence.gain(baseline)).high < 0
    ]
    message = f"surely better than it: {', '.join(ahead)}" if ahead else "no baseline is surely better"
    return Check("simpler models", not ahead, message, binding=False)


def _no_worse_than_champion(evidence: Evidence, champion: Evidence | None, version: int, gates: Gates) -> Check:
    name = "champion"
    if champion is None or champion.metric != evidence.metric:
        return Check(name, True, f"version {version} has no test evidence to compare with", binding=False)
    champion_figure = champion.figure()
    allowed = gates.margin * abs(champion_figure.mean)
    gain = evidence.gain_over(champion)
    if gain is not None and gain.units >= FEWEST:
        message = f"{gain.signed} better than version {version} on the {gain.units:,} units that both tests share"
        return Check(name, gain.mean >= 0 and gain.low >= -allowed, f"{message}; limit {-allowed:.4f}")
    figure = evidence.figure()
    sign = 1 if evidence.higher_is_better else -1
    difference = sign * (figure.mean - champion_figure.mean)
    message = f"{difference:+.4f} better than version {version}, on other units: {figure} beside {champion_figure}"
    return Check(name, difference >= 0, message)


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
