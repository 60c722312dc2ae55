"""Retraining triggers: people who were erased, an old champion, many new rows, drifted features, a decayed figure.

Every look at a champion is stored with its reasons in ``retraining.jsonl``, with the result of a retraining. A champion
is only replaced by a version that passed its gates.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from feature_repo.errors import RefrainError
from feature_repo.home import Home
from training.models.base import Model
from training.pipeline.digests import newest_event
from training.pipeline.digests import rows as rows_of
from training.pipeline.forgetting import known_by
from training.pipeline.models import Outcome, run_model
from training.promotions import promote_by_itself
from training.validation.bootstrap import interval
from training.validation.training_data import find_drift
from training.version_files import champion_of, evidence_of, learned_from, lineage_of

DECISIONS = "retraining.jsonl"
FEWEST = 100
"""Fewest rows after the cutoff that drift and decay are measured on."""


@dataclass(frozen=True)
class Policy:
    """Thresholds of the triggers.

    Attributes:
        days: days of events since the champion was trained.
        growth: growth of a raw table since then, as a share.
        drifted: share of the model's features that may have drifted.
        decay: loss of the figure on newer rows, as a share, at the better end of the 95 % interval.
    """

    days: float = 7.0
    growth: float = 0.1
    drifted: float = 0.2
    decay: float = 0.1


@dataclass(frozen=True)
class ChampionStatus:
    """The result of checking one champion.

    Attributes:
        model: name of the model.
        version: version of the champion.
        due: whether the model should be trained again.
        reasons: triggers that fired, in words.
        found: result of every check, in words.
    """

    model: str
    version: int
    due: bool
    reasons: tuple[str, ...]
    found: tuple[str, ...]


def watch(home: Home, models: Sequence[Model], policy: Policy | None = None) -> list[ChampionStatus]:
    """Checks the champions of some models."""
    policy = policy or Policy()
    statuses = []
    for model in models:
        version = champion_of(home, model.name)
        if version is not None:
            statuses.append(_check_champion(home, model, version, policy))
    return statuses


def retrain(
    home: Home, models: Sequence[Model], policy: Policy | None = None, *, act: bool = True
) -> list[ChampionStatus]:
    """Retrains the models that are due, promotes what passes its gates, and stores every decision with its reason.

    Args:
        home: the data folder.
        models: models whose champions are checked.
        policy: thresholds of the triggers.
        act: whether to train; otherwise only check.
    """
    statuses = watch(home, models, policy)
    by_name = {model.name: model for model in models}
    for status in statuses:
        result = "only checked"
        if not status.due:
            result = "kept: nothing is due"
        elif act:
            result = _retrain(home, by_name[status.model], status)
        note(home, status, result)
    return statuses


def note(home: Home, status: ChampionStatus, result: str) -> None:
    """Appends a decision to ``retraining.jsonl``."""
    path = home.pipeline / DECISIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"at": datetime.now(UTC).isoformat(), **asdict(status), "came": result}) + "\n")


def decisions(home: Home) -> list[dict[str, object]]:
    """Reads all stored decisions, oldest first."""
    try:
        return [json.loads(line) for line in (home.pipeline / DECISIONS).read_text().splitlines() if line]
    except FileNotFoundError:
        return []


def _retrain(home: Home, model: Model, status: ChampionStatus) -> str:
    try:
        outcome: Outcome = run_model(home, model)
    except RefrainError as error:
        return f"kept {status.version}: {error.expected}; found {error.found}"
    reason = f"trained again: {'; '.join(status.reasons)}"
    return promote_by_itself(home, model.name, outcome.version or 0, outcome.decision, reason)


def _check_champion(home: Home, model: Model, version: int, policy: Policy) -> ChampionStatus:
    reasons, messages = [], []
    for check in (_erasure, _age, _volume, _drift_and_decay):
        for name, exceeded, message in check(home, model, version, policy):
            messages.append(message)
            if exceeded:
                reasons.append(f"{name}: {message}")
    return ChampionStatus(model.name, version, bool(reasons), tuple(reasons), tuple(messages))


def _erasure(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Says whether the champion knows people who were erased."""
    if not known_by(home, model.name, version):
        return []
    return [("erasure", True, "it was trained with people who were erased since")]


def _age(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Measures the days between the newest event at training and the newest event now.

    The cutoff is no measure: labels become known days later, or the newest part of the data is the test.
    """
    before, now = lineage_of(home, model.name, version).get("newest"), newest_event(home, model.raw)
    if now is None or before is None:
        return []
    days = (now - datetime.fromisoformat(before)).total_seconds() / 86_400
    return [("schedule", days > policy.days, f"{days:.1f} days of events since it was trained, limit {policy.days:g}")]


def _volume(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    before = lineage_of(home, model.name, version).get("rows", {})
    checks = []
    for table in model.raw:
        if before.get(table):
            growth = rows_of(home, table) / before[table] - 1
            message = f"{table} grew by {growth:.1%}, limit {policy.growth:.0%}"
            checks.append(("volume", growth > policy.growth, message))
    return checks


def _drift_and_decay(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Measures drift of the features, and decay of the figure, on rows after the cutoff."""
    fresh = model.fresh(home, version)
    if fresh is None:
        return []
    before = learned_from(home, model.name, version) or {}
    pairs = [(before[service], now) for service, now in fresh.features.items() if service in before]
    compared = sum(len(before.keys() & now.keys()) for before, now in pairs)
    fewest = min((len(values) for _, now in pairs for values in now.values()), default=0)
    checks = []
    if fewest < FEWEST:
        checks.append(("drift", False, f"{fewest} rows since its cutoff, too few to measure drift"))
    else:
        changed = [name for before, now in pairs for name in find_drift(before, now)]
        share, names = len(changed) / max(compared, 1), f": {', '.join(changed[:5])}" if changed else ""
        message = f"{share:.0%} of the features drifted, limit {policy.drifted:.0%}{names}"
        checks.append(("drift", share > policy.drifted, message))
    evidence = evidence_of(home, model.name, version)
    if evidence is not None and len(fresh.values) >= FEWEST:
        test_mean, now = evidence.figure().mean, interval(fresh.values, fresh.clusters)
        worse = test_mean - now.high if evidence.higher_is_better else now.low - test_mean
        message = f"{evidence.metric} {now} since, {test_mean:.4f} on its test"
        checks.append(("decay", worse > policy.decay * abs(test_mean), message))
    return checks
