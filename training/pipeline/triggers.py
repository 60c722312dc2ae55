"""When to train again: a champion that is old, much that is new, features that drifted, a figure that decayed.

Every look is kept, with its reasons, in ``retraining.jsonl``; so is what came of training again. A champion is only
replaced by a version that passed its gates.
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
from training.pipeline.models import Outcome, run_model
from training.registry import champion_of, evidence_of, learned_from, lineage_of, promote_by_itself
from training.validation.bootstrap import interval
from training.validation.training_data import drifted

DECISIONS = "retraining.jsonl"
FEWEST = 100
"""Rows since the cutoff that drift and decay are told by."""


@dataclass(frozen=True)
class Policy:
    """What is borne.

    Attributes:
        days: of events since the champion was trained.
        growth: of the rows of a raw table since it was trained, as a share.
        drifted: share of its features that may have drifted.
        decay: of its figure on what came since, as a share, at the better end of the 95 % interval.
    """

    days: float = 7.0
    growth: float = 0.1
    drifted: float = 0.2
    decay: float = 0.1


@dataclass(frozen=True)
class Watched:
    """One champion, looked at.

    Attributes:
        model: its name.
        version: of the champion.
        due: whether it should be trained again.
        reasons: of that.
        found: everything that was looked at, in words.
    """

    model: str
    version: int
    due: bool
    reasons: tuple[str, ...]
    found: tuple[str, ...]


def watch(home: Home, models: Sequence[Model], policy: Policy | None = None) -> list[Watched]:
    """Look at the champions of some models."""
    policy = policy or Policy()
    found = []
    for model in models:
        version = champion_of(home, model.name)
        if version is not None:
            found.append(_watched(home, model, version, policy))
    return found


def retrain(home: Home, models: Sequence[Model], policy: Policy | None = None, *, act: bool = True) -> list[Watched]:
    """Train again what is due, promote what passes its gates, and keep every decision with its reason.

    Args:
        home: the data folder.
        models: whose champions are looked at.
        policy: what is borne.
        act: train; otherwise only look.
    """
    watched = watch(home, models, policy)
    by_name = {model.name: model for model in models}
    for one in watched:
        came = "only looked at"
        if not one.due:
            came = "kept: nothing is due"
        elif act:
            came = _again(home, by_name[one.model], one)
        note(home, one, came)
    return watched


def note(home: Home, watched: Watched, came: str) -> None:
    """Keep a decision."""
    path = home.pipeline / DECISIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"at": datetime.now(UTC).isoformat(), **asdict(watched), "came": came}) + "\n")


def decisions(home: Home) -> list[dict[str, object]]:
    """All that were kept, oldest first."""
    try:
        return [json.loads(line) for line in (home.pipeline / DECISIONS).read_text().splitlines() if line]
    except FileNotFoundError:
        return []


def _again(home: Home, model: Model, watched: Watched) -> str:
    try:
        outcome: Outcome = run_model(home, model)
    except RefrainError as error:
        return f"kept {watched.version}: {error.expected}; found {error.found}"
    reason = f"trained again: {'; '.join(watched.reasons)}"
    return promote_by_itself(home, model.name, outcome.version or 0, outcome.decision, reason)


def _watched(home: Home, model: Model, version: int, policy: Policy) -> Watched:
    reasons, found = [], []
    for look in (_age, _volume, _since):
        for name, limit, told in look(home, model, version, policy):
            found.append(told)
            if limit:
                reasons.append(f"{name}: {told}")
    return Watched(model.name, version, bool(reasons), tuple(reasons), tuple(found))


def _age(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Days from the newest event when the champion was trained to the newest of now.

    Its cutoff is no measure: labels are known days after it, or the newest part of the data is its test.
    """
    before, now = lineage_of(home, model.name, version).get("newest"), newest_event(home, model.raw)
    if now is None or before is None:
        return []
    days = (now - datetime.fromisoformat(before)).total_seconds() / 86_400
    return [("schedule", days > policy.days, f"{days:.1f} days of events since it was trained, {policy.days:g} go")]


def _volume(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    before = lineage_of(home, model.name, version).get("rows", {})
    found = []
    for table in model.raw:
        if before.get(table):
            growth = rows_of(home, table) / before[table] - 1
            found.append(("volume", growth > policy.growth, f"{table} grew by {growth:.1%}, {policy.growth:.0%} goes"))
    return found


def _since(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Drift of the features, and decay of the figure, on what came after the cutoff."""
    fresh = model.fresh(home, version)
    if fresh is None:
        return []
    before = learned_from(home, model.name, version) or {}
    pairs = [(before[service], now) for service, now in fresh.features.items() if service in before]
    asked = sum(len(before.keys() & now.keys()) for before, now in pairs)
    fewest = min((len(values) for _, now in pairs for values in now.values()), default=0)
    found = []
    if fewest < FEWEST:
        found.append(("drift", False, f"{fewest} rows since its cutoff, too few to tell drift"))
    else:
        moved = [name for before, now in pairs for name in drifted(before, now)]
        share, names = len(moved) / max(asked, 1), f": {', '.join(moved[:5])}" if moved else ""
        told = f"{share:.0%} of the features drifted, {policy.drifted:.0%} go{names}"
        found.append(("drift", share > policy.drifted, told))
    evidence = evidence_of(home, model.name, version)
    if evidence is not None and len(fresh.values) >= FEWEST:
        then, now = evidence.figure().mean, interval(fresh.values, fresh.clusters)
        worse = then - now.high if evidence.higher_is_better else now.low - then
        told = f"{evidence.metric} {now} since, {then:.4f} on its test"
        found.append(("decay", worse > policy.decay * abs(then), told))
    return found
