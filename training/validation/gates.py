"""The decision on a version: every gate it was put to, what was found, and why it may serve or not."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from training.evaluate.probabilities import calibration_error
from training.models.base import Gates
from training.validation.evidence import Evidence

FEWEST = 30
"""Units that two versions must both have been asked about, to be compared on these."""


@dataclass(frozen=True)
class Check:
    """One gate.

    Attributes:
        name: of the gate.
        passed: whether it lets the version through.
        told: what was found, in words.
        binding: whether the version may not serve where it failed; else it is told alone.
        of_data: whether it is about the training set, and so the same whatever it is compared with.
    """

    name: str
    passed: bool
    told: str
    binding: bool = True
    of_data: bool = False

    @property
    def verdict(self) -> str:
        """``passed``, ``FAILED``, or ``note`` where it is told alone."""
        return "passed" if self.passed else "FAILED" if self.binding else "note"


@dataclass(frozen=True)
class Decision:
    """On one version.

    Attributes:
        checks: every gate.
        champion: version that it was compared with; 0 where there was none.
    """

    checks: tuple[Check, ...]
    champion: int = 0

    @property
    def may_serve(self) -> bool:
        """Whether no binding gate failed."""
        return all(check.passed for check in self.checks if check.binding)

    @property
    def reasons(self) -> list[str]:
        """Of a refusal: the binding gates that failed."""
        return [f"{check.name}: {check.told}" for check in self.checks if check.binding and not check.passed]

    def to_json(self) -> str:
        """As it is kept beside the bundle."""
        told = {"may_serve": self.may_serve, "champion": self.champion, "checks": [asdict(one) for one in self.checks]}
        return json.dumps(told, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Decision | None":
        """What was decided; None where nobody did."""
        try:
            told = json.loads(path.read_text())
            return cls(tuple(Check(**one) for one in told["checks"]), int(told["champion"]))
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
    """Put a version to the gates.

    Args:
        evidence: of its test; without one a person must decide.
        gates: what is asked.
        champion: evidence of the version that serves, if there is one.
        version: of the champion; 0 where there is none.
        data: what was found of the training set.
    """
    if evidence is None:
        return Decision((*data, Check("measured", False, "nothing was kept of its test")), version)
    checks = [*data, _better_than_baseline(evidence, gates), _simpler(evidence)]
    if version:
        checks.append(_no_worse_than_champion(evidence, champion, version, gates))
    if gates.calibration is not None and len(evidence.chance):
        error = calibration_error(evidence.outcome, evidence.chance)
        checks.append(
            Check(
                "calibration", error <= gates.calibration, f"chances are off by {error:.3f}, {gates.calibration} goes"
            )
        )
    checks.extend(_segments(evidence, gates))
    return Decision(tuple(checks), version)


def _better_than_baseline(evidence: Evidence, gates: Gates) -> Check:
    names = [gates.baseline] if gates.baseline in evidence.values else evidence.baselines
    gains = {who: evidence.gain(who) for who in names if who}
    if not gains:
        return Check("baseline", True, "there is none", binding=False)
    told = "; ".join(f"{gain.signed} better than {who}" for who, gain in gains.items())
    passed = any(gain.mean > 0 or (gates.ties and gain.mean == 0) for gain in gains.values())
    return Check("baseline", passed, told)


def _simpler(evidence: Evidence) -> Check:
    """Told alone: a baseline that is surely better asks for a person, or a search."""
    ahead = [f"{who} ({gain.signed})" for who in evidence.baselines if (gain := evidence.gain(who)).high < 0]
    told = f"surely better than it: {', '.join(ahead)}" if ahead else "no baseline is surely better"
    return Check("simpler models", not ahead, told, binding=False)


def _no_worse_than_champion(evidence: Evidence, champion: Evidence | None, version: int, gates: Gates) -> Check:
    name = "champion"
    if champion is None or champion.metric != evidence.metric:
        return Check(name, True, f"version {version} kept no test that could be compared", binding=False)
    theirs = champion.figure()
    allowed = gates.margin * abs(theirs.mean)
    gain = evidence.gain_over(champion)
    if gain is not None and gain.units >= FEWEST:
        told = f"{gain.signed} better than version {version} on the {gain.units:,} that both were asked about"
        return Check(name, gain.mean >= 0 and gain.low >= -allowed, f"{told}; {-allowed:.4f} goes")
    mine = evidence.figure()
    sign = 1 if evidence.higher_is_better else -1
    apart = sign * (mine.mean - theirs.mean)
    told = f"{apart:+.4f} better than version {version}, on other units: {mine} beside {theirs}"
    return Check(name, apart >= 0, told)


def _segments(evidence: Evidence, gates: Gates) -> list[Check]:
    """Told, and not binding: a segment may be harder, and a person knows whether that is unfair."""
    whole = evidence.figure()
    sign = 1 if evidence.higher_is_better else -1
    found = []
    for division in evidence.segments:
        behind = [
            f"{name} {one}"
            for name, one in evidence.by_segment(division).items()
            if sign * (whole.mean - one.mean) > gates.segment * abs(whole.mean)
            and sign * (whole.mean - (one.high if sign > 0 else one.low)) > 0
        ]
        told = f"behind {whole} over all: {', '.join(behind)}" if behind else "none is far behind"
        found.append(Check(f"segments of {division}", not behind, told, binding=False))
    return found
